import { type Command, InvalidArgumentError } from "commander";
import type { Invocation } from "../invocation.ts";
import { formatBytes, formatCount } from "../output/format.ts";
import { addCommand, wholeNumber } from "./command.ts";

/** `runs delete` and `runs prune`. */
export function addRetentionCommands(runs: Command, invocation: Invocation): void {
  addCommand(
    runs,
    "delete <id>",
    "Delete the journal of a run that has ended. What it cost stays in the ledger; its id stays taken.",
    ["benchtop runs delete run_01k…"],
  )
    .option("--force", "although a checkpoint or another run names it")
    .action((id: string, options: { force?: boolean }) => deleteRun(invocation, id, options.force ?? false));

  addCommand(runs, "prune", "Delete the journals of old runs, and the stored content that nothing names any more.", [
    "benchtop runs prune --before 90d --dry-run",
    "benchtop runs prune --before 2026-01-01 --keep 5 --kind prompt",
  ])
    .requiredOption("--before <time>", "runs that ended before: an age (90d, 12h) or a date", timeBefore)
    .option("--keep <number>", "the newest runs of each conversation that stay, however old", wholeNumber)
    .option("--kind <kind...>", "only runs of these kinds")
    .option("--force", "also runs that a checkpoint or another run names")
    .option("--dry-run", "say what would go, and touch nothing")
    .action((options: PruneOptions) => prune(invocation, options));
}

interface PruneOptions {
  readonly before: string;
  readonly keep?: number;
  readonly kind?: string[];
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

async function deleteRun(invocation: Invocation, runId: string, force: boolean): Promise<void> {
  invocation.about({ runId });
  const answer = await (await invocation.client()).call("runs.delete", { runId, force });
  if (invocation.json) return invocation.printJson(answer);
  invocation.terminal.line(`Deleted the journal of ${runId}: ${formatCount(answer.events, "event")}.`);
}

async function prune(invocation: Invocation, options: PruneOptions): Promise<void> {
  const { before, keep, kind, force, dryRun = false } = options;
  const answer = await (
    await invocation.client()
  ).call("runs.prune", {
    before,
    dryRun,
    ...(keep !== undefined && { keepPerSession: keep }),
    ...(kind && { kinds: kind }),
    ...(force !== undefined && { force }),
  });
  if (invocation.json) return invocation.printJson(answer);
  const { terminal } = invocation;
  const journals = `${formatCount(answer.runs, "journal")} with ${formatCount(answer.events, "event")}`;
  terminal.line(dryRun ? `Would delete ${journals}.` : `Deleted ${journals}.`);
  if (answer.kept > 0) {
    terminal.line(
      `Kept ${formatCount(answer.kept, "run")} that a checkpoint or another run names (--force takes them).`,
    );
  }
  if (answer.blobs !== null && answer.blobs > 0) {
    terminal.line(`Removed stored content that nothing names any more: ${formatBytes(answer.bytes ?? 0)}.`);
  }
}

/** `90d` or `12h` ago, or a date; answers ISO 8601 UTC. */
function timeBefore(text: string): string {
  const [, amount, unit] = /^(\d{1,6})([dhm])$/.exec(text) ?? [];
  const milliseconds = { d: 86_400_000, h: 3_600_000, m: 60_000 }[unit ?? ""];
  if (milliseconds !== undefined) return new Date(Date.now() - Number(amount) * milliseconds).toISOString();
  const date = /^\d{4}-\d{2}-\d{2}/.test(text) ? new Date(text) : new Date(Number.NaN);
  if (Number.isNaN(date.getTime())) {
    throw new InvalidArgumentError("An age is needed, such as 90d or 12h, or a date such as 2026-01-31.");
  }
  return date.toISOString();
}
