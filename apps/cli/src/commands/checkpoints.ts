import { BenchtopError } from "@benchtop/protocol/errors";
import type { Command } from "commander";
import type { Invocation } from "../invocation.ts";
import { formatAge, formatBytes, formatCount } from "../output/format.ts";
import { printTable } from "../output/table.ts";
import { addCommand, addGroup, positiveNumber } from "./command.ts";
import { showTransition } from "./draft.ts";
import { quoted } from "./names.ts";

export function addCheckpointCommands(program: Command, invocation: Invocation): void {
  const checkpoints = addGroup(program, "checkpoints", "Snapshots of the published files that can be brought back.");

  addCommand(checkpoints, "list <workbench>", "Checkpoints, newest first.")
    .option("--limit <number>", "at most so many", positiveNumber, 100)
    .option("--cursor <cursor>", "go on where the last page ended (nextCursor)")
    .action((workbench: string, options: { limit: number; cursor?: string }) =>
      listCheckpoints(invocation, workbench, options),
    );

  addCommand(checkpoints, "create <workbench>", "Keep the published files as they are now.")
    .option("-m, --message <text>", "what this state is")
    .action((workbench: string, options: { message?: string }) =>
      createCheckpoint(invocation, workbench, options.message),
    );

  addCommand(
    checkpoints,
    "restore <workbench> [checkpoint]",
    "Bring the files and the conversation of a checkpoint back (the newest unless told). What is there now becomes a checkpoint first.",
    ["benchtop checkpoints list budget", "benchtop checkpoints restore budget cp_01k…"],
  ).action((workbench: string, checkpoint: string | undefined) => restore(invocation, workbench, checkpoint));

  addCommand(checkpoints, "remove <workbench> <checkpoint>", "Forget a checkpoint; it cannot be brought back then.")
    .option("-y, --yes", "do not ask")
    .action((workbench: string, checkpoint: string, options: { yes?: boolean }) =>
      remove(invocation, workbench, checkpoint, options.yes ?? false),
    );
}

async function remove(invocation: Invocation, workbench: string, checkpointId: string, yes: boolean): Promise<void> {
  invocation.about({ workbench });
  const { terminal } = invocation;
  if (terminal.isInteractive && !yes && !(await terminal.confirm(`Forget the checkpoint ${checkpointId} for good?`))) {
    throw new BenchtopError("USER_CANCELED", "The checkpoint is kept.");
  }
  await (await invocation.client()).call("checkpoints.remove", { workbenchId: workbench, checkpointId });
  if (invocation.json) return invocation.printJson({ checkpointId });
  terminal.line(`Removed ${checkpointId}.`);
}

async function listCheckpoints(
  invocation: Invocation,
  workbench: string,
  options: { limit: number; cursor?: string },
): Promise<void> {
  invocation.about({ workbench });
  const answer = await (await invocation.client()).call("checkpoints.list", { workbenchId: workbench, ...options });
  if (invocation.json) return invocation.printJson(answer);
  if (answer.items.length === 0) return invocation.terminal.line("No checkpoints yet; publishing makes one.");
  printTable(invocation.terminal, answer.items, [
    { title: "CHECKPOINT", value: ({ checkpointId }) => checkpointId },
    { title: "MADE", value: ({ createdAt }) => formatAge(createdAt) },
    { title: "BECAUSE", value: ({ reason }) => reason },
    { title: "FILES", align: "right", value: ({ fileCount }) => String(fileCount) },
    { title: "SIZE", align: "right", value: ({ totalBytes }) => formatBytes(totalBytes) },
    { title: "MESSAGE", value: ({ message }) => message ?? "" },
  ]);
}

async function createCheckpoint(invocation: Invocation, workbench: string, message: string | undefined): Promise<void> {
  invocation.about({ workbench });
  const checkpoint = await (
    await invocation.client()
  ).call("checkpoints.create", { workbenchId: workbench, ...(message !== undefined && { message }) });
  if (invocation.json) return invocation.printJson(checkpoint);
  const size = `${formatCount(checkpoint.fileCount, "file")}, ${formatBytes(checkpoint.totalBytes)}`;
  invocation.terminal.line(`Checkpoint ${checkpoint.checkpointId} keeps ${size}.`);
}

async function restore(invocation: Invocation, workbench: string, checkpoint: string | undefined): Promise<void> {
  invocation.about({ workbench });
  const client = await invocation.client();
  const request = { workbenchId: workbench, ...(checkpoint !== undefined && { checkpointId: checkpoint }) };
  if (invocation.json) return invocation.printJson(await client.call("checkpoints.restore", request));
  const { runId } = await client.call("checkpoints.restore", { ...request, wait: false });
  const kept = await showTransition(invocation, runId, "Restoring");
  const { terminal } = invocation;
  terminal.line(`${terminal.colours.green("✓")} Restored ${workbench}.`);
  if (kept !== undefined) {
    terminal.line(
      `  What was there is checkpoint ${kept}; \`benchtop checkpoints restore ${quoted(workbench)} ${kept}\` brings it back.`,
    );
  }
}
