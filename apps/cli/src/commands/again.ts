import { type Command } from "commander";
import type { InputOf, Operations, Run } from "@benchtop/operations";
import type { Decision } from "@benchtop/protocol";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { ConsentMode } from "../consent.ts";
import { exitCodes } from "../failure.ts";
import { showRun } from "../follow.ts";
import type { Invocation } from "../invocation.ts";
import { formatAge, formatCount, printable } from "../output/format.ts";
import { printTable } from "../output/table.ts";
import { addCommand, addGroup, consentOption, wholeNumber } from "./command.ts";

/** What can be done with a run that has been: `runs resume|replay|fork|undo`, and the points to fork from. */
export function addAgainCommands(runs: Command, invocation: Invocation): void {
  addCommand(runs, "resume <id>", "Decide what a run waits for, and let it go on.", [
    "benchtop runs resume run_01k… --approve",
    'benchtop runs resume run_01k… --deny --note "keep the old file"',
  ])
    .option("--approve", "let the tool call be made")
    .option("--deny", "do not; the model is told so")
    .option("--retry", "execute a call of unknown outcome once more")
    .option("--skip", "do not; the model is told that nobody knows")
    .option("--note <text>", "what the model is told beside the decision")
    .option("--accept-changes", "go on although instructions, tools or gates were changed since the run began")
    .option("--no-follow", "do not wait for the run's end")
    .addOption(consentOption())
    .action((id: string, options: ResumeOptions) => resume(invocation, id, options));

  addCommand(
    runs,
    "replay <id>",
    "Drive a run again from its journal, without models, tools or clock. Exit code 1 names the first difference.",
    ["benchtop runs replay run_01k…"],
  ).action((id: string) => replay(invocation, id));

  addCommand(runs, "fork <id>", "Start a run that begins with what this one did, and then goes its own way.", [
    'benchtop runs fork run_01k… --at 12 --hint "use euros"',
    'benchtop runs fork run_01k… --at 0 --input "the same in German" --model openai/gpt-5.2 --consent once',
    "benchtop runs fork run_01k… --at before-the-rewrite        # a point named by `runs checkpoint`",
  ])
    .option("--at <seq>", "the last event that both share, or the name of a point; the end when left out")
    .option("--input <text>", "asked in place of the task or prompt")
    .option("--hint <text>", "told to the fork before its next turn")
    .option("--model <ref>", "another model, PROVIDER/MODEL")
    .option("--no-follow", "do not wait for the run's end")
    .addOption(consentOption())
    .action((id: string, options: ForkOptions) => fork(invocation, id, options));

  addCommand(runs, "undo <id>", "Take back what a run changed in the Draft, its newest change first.", [
    "benchtop runs undo run_01k…",
    "benchtop runs undo run_01k… --after 40     # what it did up to event 40 stays",
  ])
    .option("--after <seq>", "changes up to this event stay", wholeNumber)
    .action((id: string, options: { after?: number }) => undo(invocation, id, options));

  const points = addGroup(runs, "checkpoint", "Named points of a run's journal, to fork from.");
  addCommand(points, "save <id> <name>", "Name a point. The run is kept from then on.")
    .option("--at <seq>", "the event; the newest when left out", wholeNumber)
    .action((id: string, name: string, options: { at?: number }) => savePoint(invocation, id, name, options));
  addCommand(points, "list <id>", "The named points of a run.").action((id: string) => listPoints(invocation, id));
  addCommand(points, "remove <id> <name>", "Forget a named point.").action((id: string, name: string) =>
    removePoint(invocation, id, name),
  );
}

/** Everything that waits for a person. */
export function addApprovalsCommand(program: Command, invocation: Invocation): void {
  addCommand(program, "approvals", "Runs that wait for your decision.", [
    "benchtop approvals",
    "benchtop approvals --json | jq -r '.items[].runId'",
  ]).action(() => approvals(invocation));
}

interface ResumeOptions {
  readonly approve?: boolean;
  readonly deny?: boolean;
  readonly retry?: boolean;
  readonly skip?: boolean;
  readonly note?: string;
  readonly acceptChanges?: boolean;
  readonly follow: boolean;
  readonly consent?: ConsentMode;
}

interface ForkOptions {
  readonly at?: string;
  readonly input?: string;
  readonly hint?: string;
  readonly model?: string;
  readonly follow: boolean;
  readonly consent?: ConsentMode;
}

async function resume(invocation: Invocation, runId: string, options: ResumeOptions): Promise<void> {
  invocation.about({ runId });
  const decision = decisionOf(options);
  const client = await invocation.client();
  const { eventCount } = await client.call("runs.get", { runId });
  const answer = await client.call("runs.resume", {
    runId,
    ...(decision && { decision }),
    ...(options.note !== undefined && { note: options.note }),
    ...(options.acceptChanges === true && { acceptChanges: true }),
    ...(options.consent !== undefined && { consent: { mode: options.consent } }),
  });
  if (options.follow) return await showRun(invocation, runId, { after: eventCount - 1 });
  if (invocation.json) return invocation.printJson(answer);
  invocation.terminal.line(`${runId} goes on.`);
}

const decisions = ["approve", "deny", "retry", "skip"] as const satisfies readonly Decision[];

function decisionOf(options: ResumeOptions): Decision | undefined {
  const [decision, another] = decisions.filter((one) => options[one] === true);
  if (another === undefined) return decision;
  throw new BenchtopError("VALIDATION_FAILED", `--${decision} and --${another} contradict each other. Give one.`);
}

async function replay(invocation: Invocation, runId: string): Promise<void> {
  invocation.about({ runId });
  const { terminal } = invocation;
  const answer = await (await invocation.client()).call("runs.replay", { runId });
  const { outcome, events, divergence } = answer.report;
  if (outcome === "diverged") process.exitCode = exitCodes.runtime;
  if (invocation.json) return invocation.printJson(answer);
  if (!divergence) {
    return terminal.line(
      `${terminal.colours.green("✓")} Identical: ${formatCount(events, "event")} passed, nothing was asked or executed.`,
    );
  }
  terminal.line(`${terminal.colours.red("✗")} ${printable(divergence.message)}`);
  if (divergence.expected !== "") terminal.line(`  recorded: ${printable(divergence.expected)}`);
  if (divergence.actual !== "") terminal.line(`  now:      ${printable(divergence.actual)}`);
}

async function fork(invocation: Invocation, origin: string, options: ForkOptions): Promise<void> {
  invocation.about({ runId: origin });
  const client = await invocation.client();
  const request: InputOf<Operations["runs.fork"]> = {
    runId: origin,
    ...(options.at !== undefined && { seq: await pointOf(invocation, origin, options.at) }),
    ...(options.input !== undefined && { input: options.input }),
    ...(options.hint !== undefined && { hint: options.hint }),
    ...(options.model !== undefined && { model: options.model }),
    ...(options.consent !== undefined && { consent: { mode: options.consent } }),
  };
  const answer = await client.call("runs.fork", request);
  if (options.follow) return await showRun(invocation, answer.runId);
  if (invocation.json) return invocation.printJson(answer);
  invocation.terminal.line(answer.runId);
}

/** An event by its number, or by the name that somebody gave it. */
async function pointOf(invocation: Invocation, runId: string, at: string): Promise<number> {
  if (/^\d{1,15}$/.test(at)) return Number(at);
  const { items } = await (await invocation.client()).call("runs.checkpoints", { runId });
  const point = items.find(({ name }) => name === at);
  if (point) return point.seq;
  throw new BenchtopError(
    "NOT_FOUND",
    `${runId} has no point named "${at}". \`benchtop runs checkpoint list ${runId}\` shows them.`,
  );
}

async function undo(invocation: Invocation, target: string, { after }: { after?: number }): Promise<void> {
  invocation.about({ runId: target });
  const client = await invocation.client();
  const { runId } = await client.call("runs.undo", { runId: target, ...(after !== undefined && { after }) });
  await showRun(invocation, runId);
}

async function savePoint(invocation: Invocation, runId: string, name: string, { at }: { at?: number }): Promise<void> {
  invocation.about({ runId });
  const client = await invocation.client();
  const seq = at ?? (await client.call("runs.get", { runId })).eventCount - 1;
  const point = await client.call("runs.saveCheckpoint", { runId, seq, name });
  if (invocation.json) return invocation.printJson(point);
  invocation.terminal.line(`Event ${point.seq} of ${runId} is named "${printable(point.name)}".`);
}

async function listPoints(invocation: Invocation, runId: string): Promise<void> {
  invocation.about({ runId });
  const answer = await (await invocation.client()).call("runs.checkpoints", { runId });
  if (invocation.json) return invocation.printJson(answer);
  if (answer.items.length === 0) return invocation.terminal.line("No point of this run has a name.");
  printTable(invocation.terminal, answer.items, [
    { title: "NAME", value: ({ name }) => name, shrink: true },
    { title: "EVENT", align: "right", value: ({ seq }) => String(seq) },
    { title: "NAMED", value: ({ createdAt }) => formatAge(createdAt) },
  ]);
}

async function removePoint(invocation: Invocation, runId: string, name: string): Promise<void> {
  invocation.about({ runId });
  const answer = await (await invocation.client()).call("runs.removeCheckpoint", { runId, name });
  if (invocation.json) return invocation.printJson(answer);
  invocation.terminal.line(answer.removed ? "Forgotten." : "There was no such point.");
}

async function approvals(invocation: Invocation): Promise<void> {
  const { terminal } = invocation;
  const answer = await (await invocation.client()).call("runs.list", { waiting: true, limit: 200 });
  if (invocation.json) return invocation.printJson(answer);
  if (answer.items.length === 0) return terminal.line("Nothing waits for you.");
  printTable(terminal, answer.items, [
    { title: "RUN", value: ({ runId }) => runId },
    { title: "TOOL", value: ({ suspension }) => suspension?.tool ?? "" },
    { title: "WAITS", value: ({ suspension }) => (suspension ? formatAge(suspension.at) : "") },
    { title: "TASK", value: ({ title }) => title, shrink: true },
    { title: "QUESTION", value: questionOf, shrink: true },
  ]);
  terminal.errorLine(
    "Decide: `benchtop runs resume RUN --approve` or `--deny`; `--retry` or `--skip` where an outcome is unknown.",
  );
}

function questionOf({ suspension }: Run): string {
  return suspension === null ? "" : printable(suspension.question);
}
