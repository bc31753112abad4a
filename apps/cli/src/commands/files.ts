import { resolve } from "node:path";
import type { Command } from "commander";
import type { FileEntry } from "@benchtop/operations";
import { addPaths } from "../adding.ts";
import { exitCodes } from "../failure.ts";
import type { Invocation } from "../invocation.ts";
import { formatBytes, formatCount, printable } from "../output/format.ts";
import { withProgress } from "../output/progress.ts";
import { printTable } from "../output/table.ts";
import { addCommand } from "./command.ts";

/** Commands on the files of a workbench; they belong to `benchtop workbench`. */
export function addFileCommands(workbench: Command, invocation: Invocation): void {
  addCommand(
    workbench,
    "add <workbench> <paths...>",
    "Copy files and folders in. A folder's content lands at the root.",
    ["benchtop workbench add budget q4.csv", "benchtop workbench add site ./website --replace"],
  )
    .option("--replace", "replace files that are there already")
    .option("--skip-refused", "leave out what cannot be taken (links, reserved names) instead of refusing it all")
    .action((name: string, paths: string[], options: { replace?: boolean; skipRefused?: boolean }) =>
      add(invocation, name, paths, options),
    );

  addCommand(workbench, "files <workbench>", "The files of a workbench.")
    .option("--draft", "as the Draft would make them")
    .action((name: string, options: { draft?: boolean }) => listFiles(invocation, name, options.draft ?? false));

  addCommand(workbench, "cat <workbench> <path>", "One file's bytes, on standard output.")
    .option("--draft", "as the Draft would make it")
    .action((name: string, path: string, options: { draft?: boolean }) =>
      printFile(invocation, name, path, options.draft ?? false),
    );

  addCommand(workbench, "remove <workbench> <paths...>", "Remove files or folders. A checkpoint is made first.").action(
    (name: string, paths: string[]) => remove(invocation, name, paths),
  );

  addCommand(
    workbench,
    "extract <workbench> <folder> [paths...]",
    "Copy published files out, to a folder of this machine.",
    ["benchtop workbench extract budget ./out", "benchtop workbench extract budget ./out summary.md --overwrite"],
  )
    .option("--overwrite", "replace files that are there already")
    .action((name: string, folder: string, paths: string[], options: { overwrite?: boolean }) =>
      extract(invocation, name, folder, paths, options.overwrite ?? false),
    );

  addCommand(workbench, "origins <workbench>", "Where files were copied from, and what differs there.").action(
    (name: string) => listOrigins(invocation, name),
  );

  addCommand(
    workbench,
    "write-back <workbench> [paths...]",
    "Write published files back to where they were copied from. What was changed there since is left alone.",
    ["benchtop workbench origins budget", "benchtop workbench write-back budget totals.csv"],
  )
    .option("--overwrite", "replace what was changed there since, too")
    .action((name: string, paths: string[], options: { overwrite?: boolean }) =>
      writeBack(invocation, name, paths, options.overwrite ?? false),
    );
}

async function add(
  invocation: Invocation,
  name: string,
  paths: readonly string[],
  options: { replace?: boolean; skipRefused?: boolean },
): Promise<void> {
  invocation.about({ workbench: name });
  const { terminal } = invocation;
  const { replace = false, skipRefused = false } = options;
  const answer = await addPaths(invocation, name, paths, { replace, skipRefused });
  if (invocation.json) return invocation.printJson(answer);
  const bytes = answer.added.reduce((sum, file) => sum + file.bytes, 0);
  terminal.line(`Added ${formatCount(answer.added.length, "file")} (${formatBytes(bytes)}) to ${name}.`);
  for (const { path, reason } of answer.refused) {
    terminal.errorLine(`${terminal.errorColours.yellow("!")} left out ${printable(path)}: ${printable(reason)}`);
  }
}

async function listFiles(invocation: Invocation, name: string, draft: boolean): Promise<void> {
  invocation.about({ workbench: name });
  const client = await invocation.client();
  const items: FileEntry[] = [];
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page: { items: FileEntry[]; nextCursor: string | null } = await client.call("files.list", {
      workbenchId: name,
      side: draft ? "draft" : "published",
      limit: 1000,
      ...(cursor !== undefined && { cursor }),
    });
    items.push(...page.items);
    cursor = page.nextCursor;
  }
  if (invocation.json) return invocation.printJson({ items, nextCursor: null });
  if (items.length === 0) return invocation.terminal.line("No files.");
  printTable(invocation.terminal, items, [
    ...(draft ? [{ title: "", value: ({ change }: FileEntry) => (change ?? " ").charAt(0).toUpperCase() }] : []),
    { title: "SIZE", align: "right" as const, value: ({ bytes }: FileEntry) => formatBytes(bytes) },
    { title: "TYPE", value: ({ mediaType, opaque }: FileEntry) => (opaque ? `${mediaType} (opaque)` : mediaType) },
    { title: "PATH", value: ({ path }: FileEntry) => path },
  ]);
}

async function printFile(invocation: Invocation, name: string, path: string, draft: boolean): Promise<void> {
  invocation.about({ workbench: name });
  const client = await invocation.client();
  const file = await client.download({ workbenchId: name, path, side: draft ? "draft" : "published" });
  if (invocation.json) {
    const bytes = Buffer.from(await file.arrayBuffer());
    const text = bytes.toString("utf8");
    const isText = Buffer.from(text, "utf8").equals(bytes);
    return invocation.printJson({
      path,
      mediaType: file.mediaType,
      bytes: bytes.length,
      ...(isText ? { text } : { base64: bytes.toString("base64") }),
    });
  }
  for await (const chunk of file.body) {
    if (!process.stdout.write(chunk)) await new Promise((resolve) => process.stdout.once("drain", resolve));
  }
}

async function remove(invocation: Invocation, name: string, workbenchPaths: string[]): Promise<void> {
  invocation.about({ workbench: name });
  const client = await invocation.client();
  const answer = await client.call("files.remove", { workbenchId: name, workbenchPaths });
  report(invocation, answer, answer.removeResults, "Removed");
}

async function extract(
  invocation: Invocation,
  name: string,
  folder: string,
  paths: string[],
  overwrite: boolean,
): Promise<void> {
  invocation.about({ workbench: name });
  const client = await invocation.client();
  const answer = await withProgress(invocation.terminal, "Copying out", () =>
    client.call("files.extract", {
      workbenchId: name,
      destinationDir: resolve(folder),
      overwrite,
      ...(paths.length > 0 && { workbenchPaths: paths }),
    }),
  );
  report(invocation, answer, answer.extractResults, "Copied out");
}

interface Outcome {
  readonly path: string;
  readonly outcome: "done" | "refused";
  readonly code?: string | undefined;
  readonly reason?: string | undefined;
}

async function listOrigins(invocation: Invocation, name: string): Promise<void> {
  invocation.about({ workbench: name });
  const answer = await (await invocation.client()).call("files.origins", { workbenchId: name });
  if (invocation.json) return invocation.printJson(answer);
  if (answer.items.length === 0) return invocation.terminal.line("No file was copied from a folder of this machine.");
  printTable(invocation.terminal, answer.items, [
    { title: "STATE", value: ({ state }) => state.replaceAll("-", " ") },
    { title: "PATH", value: ({ path }) => path },
    { title: "COPIED FROM", value: ({ hostPath }) => hostPath },
  ]);
}

async function writeBack(invocation: Invocation, name: string, paths: string[], overwrite: boolean): Promise<void> {
  invocation.about({ workbench: name });
  const client = await invocation.client();
  const answer = await withProgress(invocation.terminal, "Writing back", () =>
    client.call("files.writeBack", {
      workbenchId: name,
      overwrite,
      ...(paths.length > 0 && { workbenchPaths: paths }),
    }),
  );
  report(invocation, answer, answer.writeBackResults, "Wrote back");
}

/** Refused files are named, and make the command fail. */
function report(invocation: Invocation, answer: unknown, outcomes: readonly Outcome[], verb: string): void {
  const refused = outcomes.filter(({ outcome }) => outcome === "refused");
  if (refused.length > 0) {
    const isSandbox = refused.some(({ code }) => code === "SANDBOX_VIOLATION");
    process.exitCode = isSandbox ? exitCodes.tool : exitCodes.runtime;
  }
  if (invocation.json) return invocation.printJson(answer);
  const { terminal } = invocation;
  for (const { path, reason, code } of refused) {
    terminal.errorLine(
      `${terminal.errorColours.red("✗")} ${printable(path)}: ${printable(reason ?? "refused")} [${code ?? ""}]`,
    );
  }
  terminal.line(`${verb} ${formatCount(outcomes.length - refused.length, "file")}.`);
}
