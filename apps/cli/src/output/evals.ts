import type {
  CaseComparison,
  EvalComparison,
  EvalSample,
  EvalSuite,
  EvalSummary,
  ModelComparison,
  RunEvent,
} from "@benchtop/protocol";
import { formatCost, formatCount, formatDuration, printable, printableText } from "./format.ts";
import { printTable } from "./table.ts";
import type { Terminal } from "./terminal.ts";

const marks: Record<EvalSample["outcome"], { readonly mark: string; readonly colour: "green" | "red" | "yellow" }> = {
  passed: { mark: "✓", colour: "green" },
  failed: { mark: "✗", colour: "red" },
  error: { mark: "!", colour: "red" },
  ungraded: { mark: "?", colour: "yellow" },
  "not-run": { mark: "·", colour: "yellow" },
};

/** A line for each answer as it is judged, in columns that fit the suite's own names. */
export class SamplePrinter {
  readonly #terminal: Terminal;
  readonly #idWidth: number;
  readonly #modelWidth: number;
  readonly #repeats: boolean;

  constructor(terminal: Terminal, { cases, models, repeat }: EvalSuite) {
    this.#terminal = terminal;
    this.#idWidth = Math.min(40, Math.max(4, ...cases.map(({ id }) => printable(id).length)));
    this.#modelWidth = models.length > 1 ? Math.max(...models.map((model) => model.length)) : 0;
    this.#repeats = repeat > 1;
  }

  print(event: RunEvent): void {
    if (event.type !== "PhaseChanged" || event.detail === undefined || event.done === undefined) return;
    const { caseId, model, repetition, outcome, score, cached, durationMs, costMicros } = event.detail;
    if (typeof caseId !== "string" || typeof model !== "string") return;
    if (typeof outcome !== "string" || !isOutcome(outcome)) return;
    const { mark, colour } = marks[outcome];
    const total = String(event.total ?? "");
    const facts = [
      typeof score === "number" ? score.toFixed(2) : "    ",
      typeof durationMs === "number" ? formatDuration(durationMs).padStart(7) : "",
      typeof costMicros === "number" ? formatCost(costMicros) : "",
      cached === true ? "from cache" : "",
    ].filter((fact) => fact !== "");
    const name = this.#repeats ? `${caseId} #${JSON.stringify(repetition)}` : caseId;
    const { colours } = this.#terminal;
    this.#terminal.line(
      [
        colours.dim(`${String(event.done).padStart(total.length)}/${total}`),
        colours[colour](`${mark} ${outcome.padEnd(8)}`),
        fit(printable(name), this.#idWidth + (this.#repeats ? 4 : 0)),
        ...(this.#modelWidth > 0 ? [fit(printable(model), this.#modelWidth)] : []),
        colours.dim(facts.join("  ")),
      ].join("  "),
    );
  }
}

function isOutcome(text: string): text is EvalSample["outcome"] {
  return Object.hasOwn(marks, text);
}

function fit(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width);
}

/** The numbers of each model, the evaluators, and each threshold with what was reached. */
export function printSummary(terminal: Terminal, summary: EvalSummary): void {
  const { colours } = terminal;
  terminal.line();
  printTable(terminal, summary.models, [
    { title: "MODEL", value: ({ model }) => model },
    { title: "PASSED", align: "right", value: ({ passed, samples, notRun }) => `${passed} of ${samples - notRun}` },
    { title: "RATE", align: "right", value: ({ passRate }) => percent(passRate) },
    {
      title: "95 %",
      align: "right",
      value: ({ interval }) => (interval === null ? "" : `${percent(interval.low)}–${percent(interval.high)}`),
    },
    { title: "SCORE", align: "right", value: ({ score }) => (score === null ? "" : score.toFixed(2)) },
    { title: "ERRORS", align: "right", value: ({ errors }) => (errors === 0 ? "" : String(errors)) },
    { title: "UNGRADED", align: "right", value: ({ ungraded }) => (ungraded === 0 ? "" : String(ungraded)) },
    {
      title: "COST",
      align: "right",
      value: ({ costMicros }) => (costMicros === null ? "no price" : formatCost(costMicros)),
    },
    {
      title: "P50",
      align: "right",
      value: ({ latencyMs }) => (latencyMs === null ? "" : formatDuration(latencyMs.p50)),
    },
    {
      title: "P95",
      align: "right",
      value: ({ latencyMs }) => (latencyMs === null ? "" : formatDuration(latencyMs.p95)),
    },
  ]);
  const names = summary.models[0]?.evaluators ?? [];
  if (names.length > 1) {
    terminal.line();
    const rows = summary.models.flatMap(({ model, evaluators }) =>
      evaluators.map((evaluator) => ({ model, ...evaluator })),
    );
    printTable(terminal, rows, [
      { title: "EVALUATOR", value: ({ evaluator }) => evaluator },
      ...(summary.models.length > 1 ? [{ title: "MODEL", value: ({ model }: { model: string }) => model }] : []),
      { title: "RATE", align: "right" as const, value: ({ passRate }) => percent(passRate) },
      { title: "SCORE", align: "right" as const, value: ({ score }) => (score === null ? "" : score.toFixed(2)) },
      { title: "UNGRADED", align: "right" as const, value: ({ ungraded }) => (ungraded === 0 ? "" : String(ungraded)) },
    ]);
  }
  terminal.line();
  for (const { model, threshold, required, actual, met } of summary.thresholds) {
    const reached = actual === null ? "nothing" : String(Number(actual.toPrecision(4)));
    const whose = summary.models.length > 1 ? ` (${printable(model)})` : "";
    terminal.line(
      `${met ? colours.green("✓") : colours.red("✗")} ${printable(threshold)}${whose}: ${reached}, required ${required}`,
    );
  }
  const cached = summary.models.reduce((sum, model) => sum + model.cached, 0);
  const facts = [
    summary.spent.costMicros === null ? "cost unknown" : `spent ${formatCost(summary.spent.costMicros)}`,
    formatCount(summary.spent.inputTokens + summary.spent.outputTokens, "token"),
    ...(cached > 0 ? [`${formatCount(cached, "answer")} from cache`] : []),
    formatDuration(summary.durationMs),
  ];
  const state =
    summary.outcome === "passed" ? colours.green("Passed") : colours.red(summary.complete ? "Failed" : "Not complete");
  terminal.line(`${colours.bold(state)} · ${printable(summary.name)} · ${colours.dim(facts.join(" · "))}`);
}

/** Each answer with what the evaluators say of it. */
export function printSamples(terminal: Terminal, samples: readonly EvalSample[]): void {
  const { colours } = terminal;
  if (samples.length === 0) terminal.line("Every answer passed.");
  for (const sample of samples) {
    const { mark, colour } = marks[sample.outcome];
    const facts = [sample.model, `#${sample.repetition}`, ...(sample.runId === undefined ? [] : [sample.runId])];
    terminal.line(
      `${colours[colour](`${mark} ${sample.outcome}`)}  ${colours.bold(printable(sample.caseId))}  ${colours.dim(printable(facts.join(" · ")))}`,
    );
    if (sample.error) terminal.line(`    ${printable(sample.error.message)} ${colours.dim(`[${sample.error.code}]`)}`);
    for (const { evaluator, outcome, reason } of sample.verdicts) {
      if (outcome !== "passed") terminal.line(`    ${printable(evaluator)}: ${printable(reason)}`);
    }
    if (sample.expected !== null) terminal.line(`    ${colours.dim("expected")} ${oneLine(sample.expected)}`);
    if (sample.outcome !== "error") terminal.line(`    ${colours.dim("answer  ")} ${oneLine(sample.output)}`);
  }
}

const shownCharacters = 300;

function oneLine(text: string): string {
  const line = printableText(text).replaceAll(/\s+/g, " ").trim();
  return line.length > shownCharacters ? `${line.slice(0, shownCharacters)}…` : line;
}

/** Regressions first: they are what somebody has to look at. */
export function printComparison(terminal: Terminal, { models, before, after, suiteChanged }: EvalComparison): void {
  const { colours } = terminal;
  terminal.line(
    `${printable(before.name)} ${colours.dim(before.runId ?? before.createdAt)} → ${printable(after.name)} ${colours.dim(after.runId ?? after.createdAt)}`,
  );
  if (suiteChanged) terminal.line(colours.yellow("The suites ask or judge differently; a change may come from that."));
  for (const model of models) {
    terminal.line();
    terminal.line(
      colours.bold(
        printable(
          model.beforeModel === model.afterModel ? model.afterModel : `${model.beforeModel} → ${model.afterModel}`,
        ),
      ),
    );
    terminal.line(`  ${countsOf(terminal, model)}`);
    for (const [name, change] of changesOf(model)) terminal.line(`  ${colours.dim(name.padEnd(10))}${change}`);
    for (const item of worstFirst(model.cases)) {
      const colour = item.change === "regressed" ? "red" : item.change === "fixed" ? "green" : "dim";
      const rates =
        item.before && item.after ? `${percent(item.before.passRate)} → ${percent(item.after.passRate)}` : "";
      terminal.line(`  ${colours[colour](item.change.padEnd(10))}${printable(item.caseId)}  ${colours.dim(rates)}`);
    }
  }
}

function countsOf({ colours }: Terminal, { fixed, regressed, same, unmatched, pValue }: ModelComparison): string {
  const parts = [
    regressed > 0 ? colours.red(`${regressed} regressed`) : "none regressed",
    fixed > 0 ? colours.green(`${fixed} fixed`) : "none fixed",
    `${same} the same`,
    ...(unmatched > 0 ? [`${unmatched} not comparable`] : []),
  ];
  const chance =
    fixed + regressed === 0 ? "" : colours.dim(` (p = ${pValue < 0.001 ? "< 0.001" : pValue.toFixed(3)}, sign test)`);
  return `${parts.join(", ")}${chance}`;
}

function changesOf({ passRate, score, costMicros, latencyMs }: ModelComparison): [string, string][] {
  return [
    ["pass rate", arrow(passRate, percent)],
    ["score", arrow(score, (value) => value.toFixed(2))],
    ["cost", arrow(costMicros, formatCost)],
    ["latency", arrow(latencyMs, formatDuration)],
  ];
}

function arrow(side: { before: number | null; after: number | null }, format: (value: number) => string): string {
  return `${side.before === null ? "–" : format(side.before)} → ${side.after === null ? "–" : format(side.after)}`;
}

function worstFirst(cases: readonly CaseComparison[]): CaseComparison[] {
  const order = ["regressed", "fixed", "edited", "added", "removed"];
  return cases
    .filter(({ change }) => change !== "same")
    .toSorted((left, right) => order.indexOf(left.change) - order.indexOf(right.change));
}

function percent(rate: number | null): string {
  return rate === null ? "–" : `${(rate * 100).toFixed(rate === 0 || rate === 1 ? 0 : 1)} %`;
}
