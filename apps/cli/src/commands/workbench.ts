import type { Command } from "commander";
import { BenchtopError } from "@benchtop/protocol/errors";
import { addPaths } from "../adding.ts";
import type { Invocation } from "../invocation.ts";
import { formatAge, formatBytes, formatCount, printable } from "../output/format.ts";
import { withProgress } from "../output/progress.ts";
import { printFacts, printTable } from "../output/table.ts";
import { addCommand, addGroup, collect, positiveNumber } from "./command.ts";
import { addFileCommands } from "./files.ts";
import { quoted } from "./names.ts";

export function addWorkbenchCommands(program: Command, invocation: Invocation): void {
  const workbench = addGroup(
    program,
    "workbench",
    "Workbenches: copies of your files that agents may work on. A workbench is named by its name or id.",
  );

  addCommand(
    workbench,
    "create <name>",
    "Make a workbench, with files if you like. A folder's content lands at the root.",
    [
      "benchtop workbench create budget --add notes.md --add data.csv",
      "benchtop workbench create site --add ./website",
    ],
  )
    .option("--add <path>", "a file or folder to copy in; may be repeated", collect)
    .option("--skip-refused", "leave out what cannot be taken (links, reserved names) instead of refusing it all")
    .action((name: string, options: { add?: string[]; skipRefused?: boolean }) => create(invocation, name, options));

  addCommand(workbench, "list", "Workbenches, last changed first.")
    .option("--limit <number>", "at most so many", positiveNumber, 100)
    .option("--cursor <cursor>", "go on where the last page ended (nextCursor)")
    .action((options: { limit: number; cursor?: string }) => list(invocation, options));

  addCommand(workbench, "open <workbench>", "One workbench: its files, its Draft, where it lies.").action(
    (name: string) => open(invocation, name),
  );

  addFileCommands(workbench, invocation);

  addCommand(workbench, "rename <workbench> <name>", "Give a workbench another name.").action(
    (workbench: string, name: string) => rename(invocation, workbench, name),
  );

  addCommand(workbench, "delete <workbench>", "Delete a workbench, its files and its checkpoints.")
    .option("-y, --yes", "do not ask")
    .action((name: string, options: { yes?: boolean }) => remove(invocation, name, options.yes ?? false));

  addCommand(
    workbench,
    "changes <workbench>",
    "What another program changed in the published folder behind Benchtop's back.",
  ).action((name: string) => outsideChanges(invocation, name));

  addCommand(workbench, "adopt <workbench>", "Take those outside changes into the published files.").action(
    (name: string) => resolveOutsideChanges(invocation, name, "adopt"),
  );

  addCommand(workbench, "revert <workbench>", "Undo those outside changes. A checkpoint is made first.").action(
    (name: string) => resolveOutsideChanges(invocation, name, "revert"),
  );
}

/** With files it is all or nothing: when they cannot be added there is no workbench either. */
async function create(
  invocation: Invocation,
  name: string,
  options: { add?: string[]; skipRefused?: boolean },
): Promise<void> {
  invocation.about({ workbench: name });
  const client = await invocation.client();
  const { terminal } = invocation;
  const created = await client.call("workbenches.create", { name });
  const paths = options.add ?? [];
  if (paths.length === 0) {
    if (invocation.json) return invocation.printJson(created);
    terminal.line(`Created ${created.name}. Add files with \`benchtop workbench add ${quoted(created.name)} PATH\`.`);
    return;
  }
  const { added, refused } = await addPaths(invocation, created.workbenchId, paths, {
    replace: false,
    skipRefused: options.skipRefused ?? false,
  }).catch(async (error: unknown) => {
    await client.call("workbenches.delete", { workbenchId: created.workbenchId });
    throw error;
  });
  const workbench = await client.call("workbenches.open", { workbenchId: created.workbenchId });
  if (invocation.json) return invocation.printJson({ ...workbench, added, refused });
  terminal.line(
    `Created ${workbench.name} with ${formatCount(added.length, "file")} (${formatBytes(workbench.totalBytes)}).`,
  );
  for (const { path, reason } of refused) {
    terminal.errorLine(`${terminal.errorColours.yellow("!")} left out ${printable(path)}: ${printable(reason)}`);
  }
  terminal.line(`Ask for something: \`benchtop ask ${quoted(workbench.name)} TASK --model PROVIDER/MODEL\``);
}

async function list(invocation: Invocation, options: { limit: number; cursor?: string }): Promise<void> {
  const answer = await (await invocation.client()).call("workbenches.list", options);
  if (invocation.json) return invocation.printJson(answer);
  if (answer.items.length === 0) {
    return invocation.terminal.line("No workbenches yet: `benchtop workbench create NAME --add PATH` makes one.");
  }
  printTable(invocation.terminal, answer.items, [
    { title: "NAME", value: ({ name }) => name, shrink: true },
    { title: "FILES", align: "right", value: ({ fileCount }) => fileCount.toLocaleString("en-US") },
    { title: "SIZE", align: "right", value: ({ totalBytes }) => formatBytes(totalBytes) },
    { title: "DRAFT", value: ({ hasDraft }) => (hasDraft ? "to review" : "") },
    { title: "CHANGED", value: ({ updatedAt }) => formatAge(updatedAt) },
    { title: "ID", value: ({ workbenchId }) => workbenchId },
  ]);
}

async function open(invocation: Invocation, name: string): Promise<void> {
  invocation.about({ workbench: name });
  const workbench = await (await invocation.client()).call("workbenches.open", { workbenchId: name });
  if (invocation.json) return invocation.printJson(workbench);
  printFacts(invocation.terminal, [
    ["Workbench", workbench.name],
    ["Id", workbench.workbenchId],
    ["Files", `${workbench.fileCount.toLocaleString("en-US")}, ${formatBytes(workbench.totalBytes)}`],
    ["Draft", workbench.hasDraft ? `to review: benchtop draft diff ${quoted(workbench.name)}` : "none"],
    ["Published", workbench.publishedDir],
    ["Conversation", workbench.sessionId],
    ["Created", formatAge(workbench.createdAt)],
    ["Changed", formatAge(workbench.updatedAt)],
  ]);
}

async function rename(invocation: Invocation, workbench: string, name: string): Promise<void> {
  invocation.about({ workbench });
  const answer = await (await invocation.client()).call("workbenches.rename", { workbenchId: workbench, name });
  if (invocation.json) return invocation.printJson(answer);
  invocation.terminal.line(`${workbench} is now ${answer.name}.`);
}

async function remove(invocation: Invocation, name: string, yes: boolean): Promise<void> {
  invocation.about({ workbench: name });
  const { terminal } = invocation;
  const client = await invocation.client();
  if (terminal.isInteractive && !yes) {
    const { fileCount, totalBytes } = await client.call("workbenches.open", { workbenchId: name });
    const what = `${formatCount(fileCount, "file")} (${formatBytes(totalBytes)}) and every checkpoint`;
    if (!(await terminal.confirm(`Delete ${name} with ${what}? It cannot be brought back.`))) {
      throw new BenchtopError("USER_CANCELED", "Nothing was deleted.");
    }
  }
  const answer = await withProgress(terminal, `Deleting ${name}`, () =>
    client.call("workbenches.delete", { workbenchId: name }),
  );
  if (invocation.json) return invocation.printJson(answer);
  terminal.line(`Deleted ${name}.`);
}

async function outsideChanges(invocation: Invocation, name: string): Promise<void> {
  invocation.about({ workbench: name });
  const { terminal } = invocation;
  const client = await invocation.client();
  const answer = await withProgress(terminal, "Comparing", () =>
    client.call("outsideChanges.list", { workbenchId: name }),
  );
  if (invocation.json) return invocation.printJson(answer);
  if (answer.items.length === 0) return terminal.line("Nothing: the published folder is as Benchtop left it.");
  printTable(terminal, answer.items, [
    { title: "CHANGE", value: ({ change }) => change },
    { title: "PATH", value: ({ path }) => path },
  ]);
  terminal.line(
    `Keep them with \`benchtop workbench adopt ${quoted(name)}\`, or undo them with \`benchtop workbench revert ${quoted(name)}\`.`,
  );
}

async function resolveOutsideChanges(
  invocation: Invocation,
  name: string,
  strategy: "adopt" | "revert",
): Promise<void> {
  invocation.about({ workbench: name });
  const client = await invocation.client();
  const answer = await client.call("outsideChanges.resolve", { workbenchId: name, strategy });
  if (invocation.json) return invocation.printJson(answer);
  const count = formatCount(answer.resolved.length, "outside change");
  invocation.terminal.line(strategy === "adopt" ? `Took ${count} into ${name}.` : `Undid ${count} in ${name}.`);
}
