import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import type { EvalRun } from "@benchtop/operations";
import type { EvalComparison, EvalReport, EvalSuite, EvalSummary } from "@benchtop/protocol";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { ConsentMode } from "../consent.ts";
import { exitCodes } from "../failure.ts";
import { errorOf, followToEnd } from "../follow.ts";
import type { Invocation } from "../invocation.ts";
import { printComparison, printSamples, printSummary, SamplePrinter } from "../output/evals.ts";
import { formatAge, formatCost, formatCount, formatDuration } from "../output/format.ts";
import { printTable } from "../output/table.ts";
import { addCommand, addGroup, collect, dollars, positiveNumber } from "./command.ts";

export function addEvalCommands(program: Command, invocation: Invocation): void {
  const evals = addGroup(program, "eval", "Suites of cases: ask models, judge the answers, compare runs.");

  addCommand(evals, "run <suite>", "Run a suite file. Exits with 1 when one of its thresholds is missed.", [
    "benchtop eval run suite.yaml",
    "benchtop eval run suite.yaml --model ollama/qwen3 --model openai/gpt-5.2 --repeat 3 --consent once",
    "benchtop eval run suite.yaml --html report.html --compare last --fail-on-regression",
  ])
    .option("--model <ref>", "ask this model instead of those of the suite; several times for several models", collect)
    .option("--repeat <number>", "ask each case so often", positiveNumber)
    .option("--concurrency <number>", "ask so many at once", positiveNumber)
    .option("--no-cache", "ask everything again, also what was answered before")
    .option("--max-cost <usd>", "stop at this cost, in US dollars", dollars)
    .option("--html <file>", "write the report as one HTML file")
    .option("--report <file>", "write the report as JSON")
    .option("--compare <id>", "compare with an earlier run; `last` is the one before of the same name")
    .option("--fail-on-regression", "exit with 1 when a case got worse than in the compared run")
    .option("--quiet", "print the summary alone, no line for each answer")
    .option("--run-id <id>", "an id of your own; one that was used before is refused")
    .addOption(
      new Option(
        "--consent <mode>",
        "agree to send the cases to models elsewhere: for this run, or until it is taken back",
      ).choices(["once", "always"]),
    )
    .action((suite: string, options: RunOptions) => runSuite(invocation, suite, options));

  addCommand(evals, "list", "Runs of suites, newest first.", ["benchtop eval list --limit 5"])
    .option("--limit <number>", "at most so many", positiveNumber, 50)
    .option("--cursor <cursor>", "go on where the last page ended (nextCursor)")
    .action((options: { limit: number; cursor?: string }) => listEvals(invocation, options));

  addCommand(evals, "show <id>", "What a run found: numbers, thresholds, and the answers that did not pass.", [
    "benchtop eval show run_01k…",
    "benchtop eval show run_01k… --html report.html",
  ])
    .option("--all", "the answers that passed too")
    .option("--html <file>", "write the report as one HTML file")
    .option("--report <file>", "write the report as JSON")
    .action((id: string, options: ShowOptions) => showEval(invocation, id, options));

  addCommand(
    evals,
    "compare <before> <after>",
    "What changed between two runs: fixed, regressed, score, cost, latency.",
    [
      "benchtop eval compare run_01k… run_01m…",
      "benchtop eval compare run_01k… run_01k… --before-model openai/gpt-5.2 --after-model ollama/qwen3",
    ],
  )
    .option("--before-model <ref>", "a model of the first run …")
    .option("--after-model <ref>", "… and the one of the second to compare it with")
    .option("--fail-on-regression", "exit with 1 when a case got worse")
    .action((before: string, after: string, options: CompareOptions) =>
      compareEvals(invocation, before, after, options),
    );
}

interface RunOptions extends ReportFiles {
  readonly model?: string[];
  readonly repeat?: number;
  readonly concurrency?: number;
  readonly cache: boolean;
  readonly maxCost?: number;
  readonly compare?: string;
  readonly failOnRegression?: boolean;
  readonly quiet?: boolean;
  readonly runId?: string;
  readonly consent?: ConsentMode;
}

interface ReportFiles {
  readonly html?: string;
  readonly report?: string;
}

async function runSuite(invocation: Invocation, path: string, options: RunOptions): Promise<void> {
  // Loaded here, because every other command starts faster without it.
  const { loadSuite } = await import("@benchtop/harness/evals");
  const { model, repeat, concurrency, maxCost, runId: wantedId } = options;
  const loaded = await loadSuite(resolve(path), {
    ...(model !== undefined && { models: model }),
    ...(repeat !== undefined && { repeat }),
    ...(concurrency !== undefined && { concurrency }),
  });
  const suite: EvalSuite =
    maxCost === undefined ? loaded : { ...loaded, budget: { ...loaded.budget, costUsd: maxCost } };
  const client = await invocation.client();
  const consent = await consentForSuite(invocation, suite, options.consent);
  const { runId } = await client.call("evals.run", {
    suite,
    cache: options.cache,
    ...(wantedId !== undefined && { runId: wantedId }),
    ...(consent !== undefined && { consent: { mode: consent } }),
  });
  const printer = new SamplePrinter(invocation.terminal, suite);
  const last = await followToEnd(invocation, runId, (event) => {
    if (!invocation.json && options.quiet !== true) printer.print(event);
  });
  // A run that was stopped has a report of what it found until then.
  const { summary } = await client.call("evals.get", { runId });
  if (summary !== null) await writeReports(invocation, runId, options);
  if (last.type === "Error") {
    if (summary !== null && !invocation.json) printSummary(invocation.terminal, summary);
    throw errorOf(last);
  }
  if (summary === null) throw new BenchtopError("INTERNAL", "The evaluation ended without a summary.", { runId });
  const compared =
    options.compare === undefined ? undefined : await compareWith(invocation, runId, suite.name, options.compare);
  if (invocation.json) invocation.printJson({ runId, summary, comparison: compared ?? null });
  else finish(invocation, runId, summary, compared);
  const regressed = options.failOnRegression === true && hasRegression(compared);
  if (summary.outcome === "failed" || regressed) process.exitCode = exitCodes.runtime;
}

function finish(
  { terminal }: Invocation,
  runId: string,
  summary: EvalSummary,
  compared: EvalComparison | undefined,
): void {
  printSummary(terminal, summary);
  if (compared) {
    terminal.line();
    printComparison(terminal, compared);
  }
  terminal.errorLine(terminal.errorColours.dim(`${runId} · \`benchtop eval show ${runId}\` shows what did not pass`));
}

/** A script is never asked: without a flag the daemon refuses before a byte is sent. */
async function consentForSuite(
  invocation: Invocation,
  suite: EvalSuite,
  flag: ConsentMode | undefined,
): Promise<ConsentMode | undefined> {
  if (flag !== undefined || !invocation.terminal.isInteractive) return flag;
  const graders = suite.evaluators.flatMap((spec) => (spec.type === "model-graded" ? [spec.model] : []));
  const names = new Set([...suite.models, ...graders].map((model) => model.slice(0, model.indexOf("/"))));
  const { items } = await (await invocation.client()).call("providers.list", {});
  const far = items.filter(({ name, local }) => names.has(name) && !local);
  if (far.length === 0) return undefined;
  const { terminal } = invocation;
  const hosts = far.map(({ name, baseUrl }) => `${new URL(baseUrl).host} (${name})`).join(", ");
  terminal.errorLine(`This sends ${formatCount(suite.cases.length, "case")} to ${terminal.errorColours.bold(hosts)}.`);
  const answer = await terminal.choose("Agree? [o]nce or [n]o?", "on");
  if (answer === "o") return "once";
  throw new BenchtopError("EGRESS_CONSENT_REQUIRED", "Nothing was sent.", { phase: "workshop" });
}

async function compareWith(
  invocation: Invocation,
  runId: string,
  name: string,
  wanted: string,
): Promise<EvalComparison | undefined> {
  const client = await invocation.client();
  const earlier = wanted === "last" ? await lastOf(invocation, runId, name) : wanted;
  if (earlier !== undefined) return await client.call("evals.compare", { runId: earlier, otherRunId: runId });
  if (!invocation.json) invocation.terminal.errorLine(`There is no earlier run of "${name}" to compare with.`);
  return undefined;
}

async function lastOf(invocation: Invocation, runId: string, name: string): Promise<string | undefined> {
  const client = await invocation.client();
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page: { items: EvalRun[]; nextCursor: string | null } = await client.call("evals.list", {
      limit: 200,
      ...(cursor !== undefined && { cursor }),
    });
    const found = page.items.find((run) => run.name === name && run.runId !== runId && run.summary?.complete === true);
    if (found) return found.runId;
    cursor = page.nextCursor;
  }
  return undefined;
}

function hasRegression(compared: EvalComparison | undefined): boolean {
  return compared?.models.some(({ regressed }) => regressed > 0) ?? false;
}

async function listEvals(invocation: Invocation, options: { limit: number; cursor?: string }): Promise<void> {
  const { terminal } = invocation;
  const answer = await (await invocation.client()).call("evals.list", options);
  if (invocation.json) return invocation.printJson(answer);
  if (answer.items.length === 0) return terminal.line("No evaluations yet. `benchtop eval run suite.yaml` makes one.");
  printTable(terminal, answer.items, [
    { title: "RUN", value: ({ runId }) => runId },
    { title: "RESULT", value: stateOf, paint: (cell, run) => terminal.colours[colourOf(run)](cell) },
    { title: "PASSED", align: "right", value: rateOf },
    {
      title: "CASES",
      align: "right",
      value: ({ cases, repeat }) => (repeat > 1 ? `${cases}×${repeat}` : String(cases)),
    },
    {
      title: "COST",
      align: "right",
      value: ({ summary }) => (summary?.spent.costMicros == null ? "" : formatCost(summary.spent.costMicros)),
    },
    {
      title: "TOOK",
      align: "right",
      value: ({ durationMs }) => (durationMs === null ? "" : formatDuration(durationMs)),
    },
    { title: "STARTED", value: ({ startedAt }) => formatAge(startedAt) },
    { title: "NAME", value: ({ name, models }) => `${name} (${models.join(", ")})`, shrink: true },
  ]);
  if (answer.nextCursor !== null) terminal.errorLine("There are more: `--limit N`, or `--json` with `--cursor`.");
}

function stateOf({ status, summary, progress }: EvalRun): string {
  if (status === "pending") return `${progress.done}/${progress.total}`;
  if (status === "success") return summary?.outcome ?? "done";
  return status === "budget_exceeded" ? "over budget" : "stopped";
}

function colourOf({ status, summary }: EvalRun): "green" | "red" | "yellow" | "cyan" {
  if (status === "pending") return "cyan";
  if (status !== "success") return "yellow";
  return summary?.outcome === "passed" ? "green" : "red";
}

function rateOf({ summary }: EvalRun): string {
  return (summary?.models ?? [])
    .map(({ passRate }) => (passRate === null ? "–" : `${(passRate * 100).toFixed(0)} %`))
    .join(", ");
}

interface ShowOptions extends ReportFiles {
  readonly all?: boolean;
}

async function showEval(invocation: Invocation, runId: string, options: ShowOptions): Promise<void> {
  invocation.about({ runId });
  const { terminal } = invocation;
  const client = await invocation.client();
  const evaluation = await client.call("evals.get", { runId });
  if (evaluation.summary === null) {
    if (invocation.json) return invocation.printJson(evaluation);
    const { done, total } = evaluation.progress;
    return terminal.line(
      evaluation.status === "pending"
        ? `${evaluation.name} is going on: ${done} of ${total} answers. \`benchtop runs abort ${runId}\` stops it.`
        : `${evaluation.name} ended before there was anything to report [${evaluation.errorCode ?? evaluation.status}].`,
    );
  }
  await writeReports(invocation, runId, options);
  const file = await client.downloadReport({ runId });
  const report = JSON.parse(new TextDecoder().decode(await file.arrayBuffer())) as EvalReport;
  if (invocation.json) return invocation.printJson(report);
  printSummary(terminal, evaluation.summary);
  terminal.line();
  printSamples(
    terminal,
    options.all === true ? report.samples : report.samples.filter(({ outcome }) => outcome !== "passed"),
  );
}

interface CompareOptions {
  readonly beforeModel?: string;
  readonly afterModel?: string;
  readonly failOnRegression?: boolean;
}

async function compareEvals(
  invocation: Invocation,
  before: string,
  after: string,
  options: CompareOptions,
): Promise<void> {
  const { beforeModel, afterModel } = options;
  const compared = await (
    await invocation.client()
  ).call("evals.compare", {
    runId: before,
    otherRunId: after,
    ...(beforeModel !== undefined && { beforeModel }),
    ...(afterModel !== undefined && { afterModel }),
  });
  if (invocation.json) invocation.printJson(compared);
  else printComparison(invocation.terminal, compared);
  if (options.failOnRegression === true && hasRegression(compared)) process.exitCode = exitCodes.runtime;
}

async function writeReports(invocation: Invocation, runId: string, { html, report }: ReportFiles): Promise<void> {
  const client = await invocation.client();
  for (const [path, format] of [
    [html, "html"],
    [report, "json"],
  ] as const) {
    if (path === undefined) continue;
    const { body } = await client.downloadReport({ runId, format });
    try {
      await writeFile(path, body);
    } catch (thrown) {
      throw BenchtopError.from(thrown, "FILE_WRITE_FAILED");
    }
    if (!invocation.json) invocation.terminal.errorLine(invocation.terminal.errorColours.dim(`Wrote ${path}`));
  }
}
