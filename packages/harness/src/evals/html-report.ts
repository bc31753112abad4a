import { createHash } from "node:crypto";
import type { EvalReport, EvalSample, Interval, ModelSummary, ThresholdResult, Verdict } from "@benchtop/protocol";
import { diffWords } from "./diff-words.ts";
import { escapeHtml as text } from "./escape-html.ts";
import { reportScript, reportStyle } from "./html-report-assets.ts";

/**
 * The report as one HTML file that needs nothing else. What models wrote is text in it and cannot be anything else: every text
 * is escaped, and a content security policy lets nothing run or load but the style and the script of this page, by their hash.
 */
export function renderHtmlReport(report: EvalReport): string {
  const { summary, samples } = report;
  const policy = `default-src 'none'; style-src '${hashOf(reportStyle)}'; script-src '${hashOf(reportScript)}'; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${text(summary.name)} · evaluation</title>
<style>${reportStyle}</style>
</head>
<body>
<main>
${header(report)}
${tiles(report)}
${section("Models", modelTable(summary.models))}
${section("Evaluators", evaluatorTable(summary.models))}
${summary.thresholds.length > 0 ? section("Thresholds", thresholdTable(summary.thresholds)) : ""}
<section aria-labelledby="samples">
<div class="bar"><h2 id="samples">Answers</h2>
<div class="filters" role="group" aria-label="Show">
${filters(samples)}
<input type="search" id="find" placeholder="Find a case" aria-label="Find a case">
</div></div>
<p id="none" hidden>No answer matches.</p>
${samples.map((sample) => sampleDetails(sample, summary.models.length > 1, summary.repeat > 1)).join("\n")}
</section>
</main>
<script>${reportScript}</script>
</body>
</html>
`;
}

function header({ summary, suite, runId, createdAt }: EvalReport): string {
  const state = summary.outcome === "passed" ? "Passed" : summary.complete ? "Thresholds missed" : "Not complete";
  const facts = [createdAt.replace("T", " ").replace(/\..*/, " UTC"), ...(runId === null ? [] : [runId])];
  return `<header><h1>${text(summary.name)} <span class="chip ${summary.outcome}">${state}</span></h1>
${suite.description === undefined ? "" : `<p>${text(suite.description)}</p>`}
<p class="faint">${facts.map(text).join(" · ")}</p>
${summary.stopped ? `<p class="notice">${text(summary.stopped.message)} <code>${text(summary.stopped.code)}</code></p>` : ""}</header>`;
}

function tiles({ summary, samples }: EvalReport): string {
  const ran = samples.filter(({ outcome }) => outcome !== "not-run");
  const passed = ran.filter(({ outcome }) => outcome === "passed").length;
  const cached = ran.filter((sample) => sample.cached).length;
  const tokens = summary.spent.inputTokens + summary.spent.outputTokens;
  const items: [string, string, string][] = [
    ["Pass rate", percent(ran.length === 0 ? null : passed / ran.length), `${passed} of ${ran.length} answers`],
    ["Cases", String(summary.cases), summary.repeat > 1 ? `each asked ${summary.repeat} times` : "each asked once"],
    ["Spent now", dollars(summary.spent.costMicros), `${tokens.toLocaleString("en-US")} tokens`],
    ["From cache", String(cached), cached === 0 ? "everything was asked" : `of ${ran.length} answers`],
    ["Took", duration(summary.durationMs), ""],
  ];
  return `<div class="tiles">${items
    .map(
      ([name, value, note]) =>
        `<div class="tile"><span>${name}</span><strong>${text(value)}</strong><small>${text(note)}</small></div>`,
    )
    .join("")}</div>`;
}

function section(title: string, content: string): string {
  return `<section><h2>${title}</h2><div class="scroll">${content}</div></section>`;
}

function modelTable(models: readonly ModelSummary[]): string {
  const rows = models.map(
    (model) => `<tr><th scope="row">${text(model.model)}</th>
<td>${rateBar(model.passRate, model.interval)}</td><td class="number">${percent(model.passRate)}</td>
<td class="number faint">${model.interval === null ? "" : `${percent(model.interval.low)} – ${percent(model.interval.high)}`}</td>
<td class="number">${number(model.score)}</td><td class="number">${model.failed}</td><td class="number">${model.errors}</td><td class="number">${model.ungraded}</td>
<td class="number">${dollars(model.costMicros)}</td><td class="number">${model.latencyMs === null ? "–" : `${duration(model.latencyMs.p50)} / ${duration(model.latencyMs.p95)}`}</td></tr>`,
  );
  return `<table><thead><tr><th>Model</th><th><span class="hidden">Pass rate as a bar</span></th><th class="number">Passed</th><th class="number">95 % interval</th><th class="number">Score</th><th class="number">Failed</th><th class="number">Errors</th><th class="number">Ungraded</th><th class="number">Cost</th><th class="number">Latency p50 / p95</th></tr></thead><tbody>${rows.join("")}</tbody></table>`;
}

function evaluatorTable(models: readonly ModelSummary[]): string {
  const names = models[0]?.evaluators.map(({ evaluator }) => evaluator) ?? [];
  const rows = names.map((name, index) => {
    const cells = models.map((model) => {
      const summary = model.evaluators[index];
      if (!summary) return "<td></td>";
      const open = summary.ungraded > 0 ? ` <span class="faint">${summary.ungraded} ungraded</span>` : "";
      return `<td>${rateBar(summary.passRate, null)} ${percent(summary.passRate)} <span class="faint">score ${number(summary.score)}</span>${open}</td>`;
    });
    return `<tr><th scope="row">${text(name)}</th>${cells.join("")}</tr>`;
  });
  return `<table><thead><tr><th>Evaluator</th>${models.map(({ model }) => `<th>${text(model)}</th>`).join("")}</tr></thead><tbody>${rows.join("")}</tbody></table>`;
}

function thresholdTable(thresholds: readonly ThresholdResult[]): string {
  const rows = thresholds.map(
    ({ model, threshold, required, actual, met }) =>
      `<tr><td><span class="chip ${met ? "passed" : "failed"}">${met ? "met" : "missed"}</span></td><th scope="row">${text(threshold)}</th><td>${text(model)}</td><td class="number">${number(actual)}</td><td class="number">${number(required)}</td></tr>`,
  );
  return `<table><thead><tr><th></th><th>Threshold</th><th>Model</th><th class="number">Reached</th><th class="number">Required</th></tr></thead><tbody>${rows.join("")}</tbody></table>`;
}

const outcomeNames: Record<EvalSample["outcome"], string> = {
  passed: "passed",
  failed: "failed",
  error: "error",
  ungraded: "ungraded",
  "not-run": "not run",
};

function filters(samples: readonly EvalSample[]): string {
  const count = (outcome: EvalSample["outcome"]): number =>
    samples.filter((sample) => sample.outcome === outcome).length;
  const present = (["failed", "error", "ungraded", "not-run", "passed"] as const).filter(
    (outcome) => count(outcome) > 0,
  );
  return [
    `<button type="button" data-filter="all" aria-pressed="true">All ${samples.length}</button>`,
    ...present.map(
      (outcome) =>
        `<button type="button" data-filter="${outcome}" aria-pressed="false">${outcomeNames[outcome]} ${count(outcome)}</button>`,
    ),
  ].join("\n");
}

function sampleDetails(sample: EvalSample, showModel: boolean, showRepetition: boolean): string {
  const facts = [
    ...(showModel ? [sample.model] : []),
    ...(showRepetition ? [`#${sample.repetition}`] : []),
    ...(sample.cached ? ["from cache"] : []),
    ...(sample.score === null ? [] : [`score ${number(sample.score)}`]),
    ...(sample.costMicros === null ? [] : [dollars(sample.costMicros)]),
    ...(sample.outcome === "not-run" ? [] : [duration(sample.durationMs)]),
  ];
  return `<details class="sample" data-outcome="${sample.outcome}" data-case="${text(sample.caseId.toLowerCase())}">
<summary><span class="chip ${sample.outcome}">${outcomeNames[sample.outcome]}</span><b>${text(sample.caseId)}</b><span class="faint">${facts.map(text).join(" · ")}</span></summary>
<div class="body">
${sample.error ? `<p class="notice">${text(sample.error.message)} <code>${text(sample.error.code)}</code></p>` : ""}
${sample.verdicts.length > 0 ? `<ul class="verdicts">${sample.verdicts.map(verdictItem).join("")}</ul>` : ""}
<div class="texts">
${sample.expected === null ? "" : block("Expected", sample.expected, sample.truncated?.includes("expected"))}
${block("Answer", sample.output, sample.truncated?.includes("output"))}
${differences(sample)}
${block("Prompt", sample.prompt, sample.truncated?.includes("prompt"))}
</div>
${sample.runId === undefined ? "" : `<p class="faint">Run <code>${text(sample.runId)}</code>${sample.finishReason === undefined || sample.finishReason === "stop" ? "" : ` · ended by ${text(sample.finishReason)}`}</p>`}
</div></details>`;
}

function verdictItem({ evaluator, outcome, score, reason }: Verdict): string {
  return `<li><span class="chip ${outcome}">${outcome}</span><b>${text(evaluator)}</b> <span class="faint">${number(score)}</span><span class="reason">${text(reason)}</span></li>`;
}

function block(title: string, content: string, cut = false): string {
  return `<figure><figcaption>${title}${cut ? " (cut; the run has the whole)" : ""}</figcaption><pre>${text(content)}</pre></figure>`;
}

function differences({ expected, output, outcome }: EvalSample): string {
  if (expected === null || outcome === "passed" || outcome === "not-run") return "";
  const parts = diffWords(expected, output);
  if (!parts) return "";
  const tags = { same: "span", missing: "del", extra: "ins" } as const;
  const marked = parts.map((part) => `<${tags[part.kind]}>${text(part.text)}</${tags[part.kind]}>`).join("");
  return `<figure><figcaption>From expected to answer</figcaption><pre>${marked}</pre></figure>`;
}

/** The rate as a bar, with the interval as a line on it. Sizes are attributes, because the policy allows no style attributes. */
function rateBar(rate: number | null, interval: Interval | null): string {
  const width = 120;
  const at = (share: number): string => (share * width).toFixed(1);
  const range = interval
    ? `<rect class="range" x="${at(interval.low)}" y="5" width="${at(Math.max(0.01, interval.high - interval.low))}" height="2"/>`
    : "";
  return `<svg class="rate" viewBox="0 0 ${width} 12" width="${width}" height="12" aria-hidden="true"><rect class="track" width="${width}" height="12" rx="3"/><rect class="fill" width="${at(rate ?? 0)}" height="12" rx="3"/>${range}</svg>`;
}

function percent(rate: number | null): string {
  return rate === null ? "–" : `${(rate * 100).toFixed(rate === 1 || rate === 0 ? 0 : 1)} %`;
}

function number(value: number | null): string {
  return value === null ? "–" : String(Number(value.toPrecision(4)));
}

function dollars(micros: number | null): string {
  if (micros === null) return "no price";
  const value = micros / 1_000_000;
  return `$${value === 0 ? "0.00" : value < 0.01 ? value.toPrecision(2) : value.toFixed(2)}`;
}

function duration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${Math.floor(milliseconds / 60_000)} min ${Math.round((milliseconds % 60_000) / 1000)} s`;
}

function hashOf(content: string): string {
  return `sha256-${createHash("sha256").update(content).digest("base64")}`;
}
