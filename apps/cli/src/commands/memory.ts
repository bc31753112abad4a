import type { KeptMemory } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { Command } from "commander";
import type { Invocation } from "../invocation.ts";
import { formatAge, formatCount } from "../output/format.ts";
import { printTable } from "../output/table.ts";
import { addCommand, addGroup, positiveNumber } from "./command.ts";
import { quoted } from "./names.ts";

/** What the agents of a workbench remember: seen, and taken away. */
export function addMemoryCommands(program: Command, invocation: Invocation): void {
  const memory = addGroup(program, "memory", "What the agents of a workbench remember. They do not unless you say so.");

  addCommand(memory, "on <workbench>", "Let its agents remember, in runs that start from now on.", [
    "benchtop memory on budget      # a model elsewhere asks for your consent again",
  ]).action((workbench: string) => set(invocation, workbench, true));
  addCommand(memory, "off <workbench>", "Do not. What is remembered stays until you forget it.").action(
    (workbench: string) => set(invocation, workbench, false),
  );

  addCommand(memory, "list <workbench>", "What is remembered, newest first.", ["benchtop memory list budget"])
    .option("--limit <number>", "at most so many", positiveNumber, 100)
    .option("--cursor <cursor>", "go on where the last page ended (nextCursor)")
    .action((workbench: string, options: { limit: number; cursor?: string }) => list(invocation, workbench, options));

  addCommand(memory, "forget <workbench> [memory...]", "Forget some things, or all of them.", [
    "benchtop memory forget budget mem_3f…",
    "benchtop memory forget budget --all",
  ])
    .option("--all", "everything that is remembered in the workbench")
    .option("-y, --yes", "do not ask")
    .action((workbench: string, ids: string[], options: { all?: boolean; yes?: boolean }) =>
      forget(invocation, workbench, ids, options),
    );
}

async function set(invocation: Invocation, workbench: string, enabled: boolean): Promise<void> {
  invocation.about({ workbench });
  const answer = await (await invocation.client()).call("memory.set", { workbenchId: workbench, enabled });
  if (invocation.json) return invocation.printJson(answer);
  invocation.terminal.line(
    enabled
      ? `The agents of ${workbench} remember from now on. See what: \`benchtop memory list ${quoted(workbench)}\`.`
      : `The agents of ${workbench} remember nothing more, and are told nothing of before.`,
  );
}

async function list(
  invocation: Invocation,
  workbench: string,
  options: { limit: number; cursor?: string },
): Promise<void> {
  invocation.about({ workbench });
  const answer = await (await invocation.client()).call("memory.list", { workbenchId: workbench, ...options });
  if (invocation.json) return invocation.printJson(answer);
  const { terminal } = invocation;
  if (!answer.enabled) terminal.errorLine("Memory is off; agents do not see what is listed.");
  if (answer.items.length === 0) return terminal.line("Nothing is remembered.");
  printTable(terminal, answer.items, [
    { title: "MEMORY", value: ({ id }) => id },
    { title: "WRITTEN", value: ({ writtenAt }) => formatAge(writtenAt) },
    { title: "TEXT", value: textOf, shrink: true },
  ]);
  if (answer.nextCursor !== null) terminal.errorLine(`There are more: --cursor ${answer.nextCursor}`);
}

/** On one line; a note begins with its key. */
function textOf({ key, text }: KeptMemory): string {
  return (key === null ? text : `${key}: ${text}`).replaceAll(/\s+/g, " ");
}

async function forget(
  invocation: Invocation,
  workbench: string,
  ids: readonly string[],
  { all = false, yes = false }: { all?: boolean; yes?: boolean },
): Promise<void> {
  invocation.about({ workbench });
  const { terminal } = invocation;
  if (all === ids.length > 0) {
    throw new BenchtopError("VALIDATION_FAILED", "Name what is to be forgotten, or say --all.");
  }
  const client = await invocation.client();
  if (all && terminal.isInteractive && !yes) {
    const question = `Forget everything that the agents of ${workbench} remember?`;
    if (!(await terminal.confirm(question))) throw new BenchtopError("USER_CANCELED", "Nothing was forgotten.");
  }
  const forgotten = all
    ? (await client.call("memory.clear", { workbenchId: workbench })).forgotten
    : await forgetEach(invocation, workbench, ids);
  if (invocation.json) return invocation.printJson({ forgotten });
  terminal.line(`Forgot ${formatCount(forgotten, "thing")}.`);
}

/** Throws `NOT_FOUND` for the first that is not there; those before it are forgotten. */
async function forgetEach(invocation: Invocation, workbench: string, ids: readonly string[]): Promise<number> {
  const client = await invocation.client();
  for (const memoryId of ids) {
    const { forgotten } = await client.call("memory.forget", { workbenchId: workbench, memoryId });
    if (!forgotten) throw new BenchtopError("NOT_FOUND", `${workbench} remembers nothing named ${memoryId}.`);
  }
  return ids.length;
}
