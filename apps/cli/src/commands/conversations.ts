import { BenchtopError } from "@benchtop/protocol/errors";
import type { Command } from "commander";
import type { Invocation } from "../invocation.ts";
import { formatAge, formatCount } from "../output/format.ts";
import { printTable } from "../output/table.ts";
import { addCommand, addGroup, positiveNumber } from "./command.ts";

/** Runs that share history: seen, and deleted together. */
export function addConversationCommands(program: Command, invocation: Invocation): void {
  const conversations = addGroup(
    program,
    "conversations",
    "Runs that share history. `benchtop runs list --session ID` lists the runs of one.",
  );

  addCommand(conversations, "list", "Conversations, the one with the newest run first.", [
    "benchtop conversations list --limit 10",
  ])
    .option("--limit <number>", "at most so many", positiveNumber, 50)
    .option("--cursor <cursor>", "go on where the last page ended (nextCursor)")
    .action((options: { limit: number; cursor?: string }) => list(invocation, options));

  addCommand(
    conversations,
    "delete <session>",
    "Delete the journals of every run of a conversation, named checkpoints with them. What they cost stays in the ledger.",
    ["benchtop conversations delete ses_01k…"],
  )
    .option("-y, --yes", "do not ask")
    .action((sessionId: string, options: { yes?: boolean }) => remove(invocation, sessionId, options.yes ?? false));
}

async function list(invocation: Invocation, options: { readonly limit: number; readonly cursor?: string }) {
  const answer = await (await invocation.client()).call("conversations.list", options);
  if (invocation.json) return invocation.printJson(answer);
  const { terminal } = invocation;
  if (answer.items.length === 0) return terminal.line("There are no conversations yet.");
  printTable(terminal, answer.items, [
    { title: "CONVERSATION", value: ({ sessionId }) => sessionId },
    { title: "BEGAN WITH", value: ({ title }) => title, shrink: true },
    { title: "RUNS", value: ({ runs }) => String(runs) },
    { title: "LAST RUN", value: ({ lastRunAt }) => formatAge(lastRunAt) },
  ]);
}

async function remove(invocation: Invocation, sessionId: string, yes: boolean): Promise<void> {
  const client = await invocation.client();
  if (invocation.terminal.isInteractive && !yes) {
    const { runs } = await client.call("conversations.get", { sessionId });
    const asked = `Delete the journals of ${formatCount(runs, "run")}, with their named checkpoints? They cannot be brought back.`;
    if (!(await invocation.terminal.confirm(asked))) throw new BenchtopError("USER_CANCELED", "Nothing was deleted.");
  }
  const answer = await client.call("conversations.delete", { sessionId });
  if (invocation.json) return invocation.printJson(answer);
  invocation.terminal.line(
    `Deleted the journals of ${formatCount(answer.runs, "run")}: ${formatCount(answer.events, "event")}.`,
  );
}
