import { type Command, Option } from "commander";
import type { Operations, OutputOf, Run } from "@benchtop/operations";
import type { RunEvent } from "@benchtop/protocol";
import { BenchtopError } from "@benchtop/protocol/errors";
import { exitCodes } from "../failure.ts";
import type { Invocation } from "../invocation.ts";
import { eventLine } from "../output/events.ts";
import { formatAge, formatCost, formatCount, formatDuration } from "../output/format.ts";
import { withProgress } from "../output/progress.ts";
import { printFacts, printTable } from "../output/table.ts";
import { addAgainCommands } from "./again.ts";
import { addCommand, addGroup, positiveNumber, wholeNumber } from "./command.ts";
import { orderedMap } from "./ordered-map.ts";
import { addRetentionCommands } from "./retention.ts";

const statuses = ["pending", "success", "error", "budget_exceeded", "replay"] as const;

export function addRunsCommands(program: Command, invocation: Invocation): void {
  const runs = addGroup(program, "runs", "Everything that was executed: its journal, what it cost, how it ended.");

  addCommand(runs, "list", "Runs, newest first.", [
    "benchtop runs list --status error",
    "benchtop runs list --workbench budget --limit 10 --json",
  ])
    .addOption(new Option("--status <status>", "only runs that ended so, or are still going").choices(statuses))
    .option("--workbench <workbench>", "only runs of this workbench")
    .option("--kind <kind>", "only this kind: prompt, agent, eval, publish, restore, replay, undo")
    .option("--session <id>", "only runs of this conversation")
    .option("--trace <id>", "only runs of this trace: one with its sub-runs")
    .option("--limit <number>", "at most so many", positiveNumber, 50)
    .option("--cursor <cursor>", "go on where the last page ended (nextCursor)")
    .action((options: ListOptions) => listRuns(invocation, options));

  addCommand(runs, "show <id>", "One run: status, model, times, tokens, cost, output.", [
    "benchtop runs show run_01k… --events",
  ])
    .option("--events", "its journal too")
    .action((id: string, options: { events?: boolean }) => showRun(invocation, id, options.events ?? false));

  addCommand(runs, "events <id>", "The journal of a run, and what is still to come, until it ends.", [
    "benchtop runs events run_01k… --json | jq -r 'select(.type == \"ToolCallRequested\") | .name'",
  ])
    .option("--after <seq>", "only events after this number", wholeNumber)
    .option("--no-follow", "only what is there now")
    .action((id: string, options: { after?: number; follow: boolean }) => printEvents(invocation, id, options));

  addCommand(
    runs,
    "verify [id]",
    "Prove that journals are whole and unchanged: hash chain, head and every invariant.",
    ["benchtop runs verify run_01k…", "benchtop runs verify --all"],
  )
    .option("--all", "every run there is")
    .action((id: string | undefined, options: { all?: boolean }) => verify(invocation, id, options.all ?? false));

  addCommand(runs, "abort [id]", "Stop a run. The request to the provider is canceled; what it said so far stays.")
    .option("--all", "every run that is going on")
    .option("--reason <text>", "kept in the journal")
    .action((id: string | undefined, options: { all?: boolean; reason?: string }) => abort(invocation, id, options));

  addAgainCommands(runs, invocation);

  addCommand(runs, "hint <id> <text>", "Tell a running agent something; it reads it before its next turn.", [
    'benchtop runs hint run_01k… "use euros, not dollars"',
  ]).action((id: string, text: string) => hint(invocation, id, text));

  addRetentionCommands(runs, invocation);
}

interface ListOptions {
  readonly status?: (typeof statuses)[number];
  readonly workbench?: string;
  readonly kind?: string;
  readonly session?: string;
  readonly trace?: string;
  readonly limit: number;
  readonly cursor?: string;
}

async function listRuns(invocation: Invocation, options: ListOptions): Promise<void> {
  const { terminal } = invocation;
  const client = await invocation.client();
  const { workbench, session, trace, ...rest } = options;
  const answer = await client.call("runs.list", {
    ...rest,
    ...(workbench !== undefined && { workbenchId: await idOf(invocation, workbench) }),
    ...(session !== undefined && { sessionId: session }),
    ...(trace !== undefined && { traceId: trace }),
  });
  if (invocation.json) return invocation.printJson(answer);
  if (answer.items.length === 0) return terminal.line("No runs.");
  printTable(terminal, answer.items, [
    { title: "RUN", value: ({ runId }) => runId },
    {
      title: "STATUS",
      value: ({ status, suspension }) => (suspension ? "waiting" : status),
      paint: (cell, run) => terminal.colours[paintOf(run)](cell),
    },
    { title: "KIND", value: ({ kind }) => kind },
    { title: "STARTED", value: ({ startedAt }) => formatAge(startedAt) },
    {
      title: "TOOK",
      align: "right",
      value: ({ durationMs }) => (durationMs === null ? "" : formatDuration(durationMs)),
    },
    {
      title: "TOKENS",
      align: "right",
      value: ({ inputTokens, outputTokens }) => (inputTokens + outputTokens).toLocaleString("en-US"),
    },
    { title: "COST", align: "right", value: ({ costMicros }) => (costMicros === null ? "" : formatCost(costMicros)) },
    { title: "TITLE", value: ({ title }) => title, shrink: true },
  ]);
  if (answer.nextCursor !== null) terminal.errorLine("There are more: `--limit N`, or `--json` with `--cursor`.");
}

/** `runs.list` filters by id; people name workbenches. */
async function idOf(invocation: Invocation, workbench: string): Promise<string> {
  invocation.about({ workbench });
  return (await (await invocation.client()).call("workbenches.open", { workbenchId: workbench })).workbenchId;
}

function paintOf({ status }: Run): "green" | "red" | "yellow" | "cyan" {
  return ({ success: "green", error: "red", budget_exceeded: "yellow", replay: "yellow", pending: "cyan" } as const)[
    status
  ];
}

async function showRun(invocation: Invocation, runId: string, withEvents: boolean): Promise<void> {
  invocation.about({ runId });
  const client = await invocation.client();
  const { terminal } = invocation;
  const run = await client.call("runs.get", { runId });
  const events: RunEvent[] = [];
  if (run.deletedAt === null) for await (const event of storedEvents(invocation, runId, -1)) events.push(event);
  const last = events.at(-1);
  const output = last?.type === "Completed" ? last.output : undefined;
  if (invocation.json) return invocation.printJson(withEvents ? { ...run, events } : run);
  printFacts(terminal, [
    ["Run", run.runId],
    ["Title", run.title],
    [
      "Status",
      run.suspension
        ? `waiting: ${run.suspension.question}`
        : last?.type === "Error"
          ? `${run.status}: ${last.error.message} [${last.error.error_code}]`
          : run.status,
    ],
    ["Kind", run.kind],
    ["Model", run.modelId === null ? "none" : `${run.providerId}/${run.modelId}`],
    ["Started", `${run.startedAt} (${formatAge(run.startedAt)})`],
    ["Took", timesOf(run)],
    ["Tokens", `${run.inputTokens.toLocaleString("en-US")} in, ${run.outputTokens.toLocaleString("en-US")} out`],
    ["Cost", run.costMicros === null ? "unknown (the provider has no prices)" : formatCost(run.costMicros)],
    ["Steps", `${run.steps}, ${formatCount(run.toolCalls, "tool call")}`],
    ["Trace", run.traceId],
    [
      "Journal",
      `${formatCount(run.eventCount, "event")}, head ${run.headHash.slice(0, 16)}${run.deletedAt === null ? "" : `; deleted ${run.deletedAt}`}`,
    ],
  ]);
  if (withEvents) {
    terminal.line();
    for (const event of events) terminal.line(eventLine(event, run.startedAt));
  } else if (output !== undefined && output !== "") {
    terminal.line();
    terminal.line(output);
  }
}

function timesOf({ durationMs, firstTokenMs }: Run): string {
  if (durationMs === null) return "still going";
  return `${formatDuration(durationMs)}${firstTokenMs === null ? "" : `, first token after ${formatDuration(firstTokenMs)}`}`;
}

async function printEvents(
  invocation: Invocation,
  runId: string,
  options: { after?: number; follow: boolean },
): Promise<void> {
  invocation.about({ runId });
  const client = await invocation.client();
  const { startedAt } = await client.call("runs.get", { runId });
  const print = (event: RunEvent): void =>
    invocation.json ? invocation.printJson(event) : invocation.terminal.line(eventLine(event, startedAt));
  const after = options.after ?? -1;
  const source = options.follow ? client.follow(runId, { after }) : storedEvents(invocation, runId, after);
  for await (const event of source) print(event);
}

async function* storedEvents(invocation: Invocation, runId: string, after: number): AsyncGenerator<RunEvent> {
  const client = await invocation.client();
  for (let cursor: number | null = after; cursor !== null;) {
    const page: { items: RunEvent[]; nextAfter: number | null } = await client.call("runs.eventPage", {
      runId,
      after: cursor,
      limit: 5000,
    });
    yield* page.items;
    cursor = page.nextAfter;
  }
}

async function verify(invocation: Invocation, id: string | undefined, all: boolean): Promise<void> {
  const { terminal } = invocation;
  const client = await invocation.client();
  const ids = all ? await allRunIds(invocation, {}) : [oneId(id, "verify")];
  const reports: OutputOf<Operations["runs.verify"]>[] = [];
  await withProgress(terminal, "Verifying", async (progress) => {
    for await (const [, report] of orderedMap(ids, 8, (runId) => client.call("runs.verify", { runId }))) {
      reports.push(report);
      progress.update(reports.length, ids.length);
    }
  });
  const broken = reports.filter(({ ok }) => !ok);
  if (broken.length > 0) process.exitCode = exitCodes.runtime;
  if (invocation.json) {
    return invocation.printJson(
      all ? { ok: broken.length === 0, verified: reports.length, items: reports } : reports[0],
    );
  }
  for (const { runId, violations } of broken) {
    terminal.line(`${terminal.colours.red("✗")} ${runId}: ${violations.join("; ")}`);
  }
  const events = reports.reduce((sum, { eventCount }) => sum + eventCount, 0);
  terminal.line(
    broken.length === 0
      ? `${terminal.colours.green("✓")} ${formatCount(reports.length, "journal")}, ${formatCount(events, "event")}: whole and unchanged.`
      : `${broken.length} of ${formatCount(reports.length, "journal")} are damaged.`,
  );
}

async function abort(
  invocation: Invocation,
  id: string | undefined,
  options: { all?: boolean; reason?: string },
): Promise<void> {
  const client = await invocation.client();
  const ids = options.all === true ? await allRunIds(invocation, { status: "pending" }) : [oneId(id, "abort")];
  if (id !== undefined) invocation.about({ runId: id });
  const results = [];
  for (const runId of ids) {
    const { aborted } = await client.call("runs.abort", {
      runId,
      ...(options.reason !== undefined && { reason: options.reason }),
    });
    results.push({ runId, aborted });
  }
  if (invocation.json) return invocation.printJson(options.all === true ? { items: results } : results[0]);
  for (const { runId, aborted } of results) {
    invocation.terminal.line(aborted ? `Aborted ${runId}.` : `${runId} was not running any more.`);
  }
  if (results.length === 0) invocation.terminal.line("No run is going on.");
}

async function hint(invocation: Invocation, runId: string, text: string): Promise<void> {
  invocation.about({ runId });
  const answer = await (await invocation.client()).call("runs.hint", { runId, text });
  if (invocation.json) return invocation.printJson(answer);
  if (!answer.accepted) {
    throw new BenchtopError("VALIDATION_FAILED", `${runId} has ended; it cannot take hints any more.`, { runId });
  }
  invocation.terminal.line("The agent reads it before its next turn.");
}

/** Ids of runs that have a journal of their own; refused repetitions have none. */
async function allRunIds(invocation: Invocation, filter: { status?: "pending" }): Promise<string[]> {
  const client = await invocation.client();
  const ids = new Set<string>();
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page: { items: Run[]; nextCursor: string | null } = await client.call("runs.list", {
      ...filter,
      questions: true,
      limit: 1000,
      ...(cursor !== undefined && { cursor }),
    });
    for (const { runId } of page.items) ids.add(runId);
    cursor = page.nextCursor;
  }
  return [...ids];
}

function oneId(id: string | undefined, command: string): string {
  if (id !== undefined) return id;
  throw new BenchtopError(
    "VALIDATION_FAILED",
    `Name a run (\`benchtop runs ${command} ID\`), or give --all. \`benchtop runs list\` shows them.`,
  );
}
