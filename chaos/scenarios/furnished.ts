import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import { differences, sha256, treeOf } from "../examine.ts";
import { scriptedAdapter, type ScriptedCall } from "../model-script.ts";
import { scriptedModel, startUp, type Product } from "../product.ts";
import type { Found, FoundWorkbench, Say } from "../scenario.ts";

/** The workbench that scenarios work on: what is in it, what an agent's Draft makes of it, and what publishing that gives. */

export const before: Readonly<Record<string, string>> = {
  "notes.md": "# Notes\n\nrent 1000\nfood 300\n",
  "data.csv": "month,total\n1,1300\n2,1299\n",
  "empty.txt": "",
  "reports/2025/january.md": "January: 1300\n",
  "reports/2025/february.md": "February: 1299\n",
  "reports/overview.md": "All months.\n",
  "größe/maß.txt": "ä ö ü\n",
  "large.txt": "0123456789abcdef\n".repeat(6000),
};

export const draftCalls: readonly ScriptedCall[] = [
  { name: "write_file", arguments: { path: "summary.md", content: "Total: 2599\n" } },
  { name: "edit_file", arguments: { path: "data.csv", old_text: "1299", new_text: "1300" } },
  { name: "write_file", arguments: { path: "reports/2025/totals/all.md", content: "2600\n" } },
  { name: "delete_file", arguments: { path: "reports/overview.md" } },
  { name: "delete_file", arguments: { path: "größe/maß.txt" } },
];
const deletions = ["reports/overview.md", "größe/maß.txt"];

const { "reports/overview.md": _overview, "größe/maß.txt": _size, ...kept } = before;
const after = {
  ...kept,
  "summary.md": "Total: 2599\n",
  "data.csv": before["data.csv"]?.replace("1299", "1300") ?? "",
  "reports/2025/totals/all.md": "2600\n",
};

export type Tree = ReadonlyMap<string, string>;
const treeOfTexts = (files: Readonly<Record<string, string>>): Tree =>
  new Map(Object.entries(files).map(([path, text]) => [path, sha256(text)]));

export const trees = {
  empty: new Map<string, string>(),
  before: treeOfTexts(before),
  after: treeOfTexts(after),
  withExtra: treeOfTexts({ ...before, "notes.md": "replaced\n", "extra/one.txt": "one\n", "extra/two.txt": "two\n" }),
  removed: treeOfTexts(Object.fromEntries(Object.entries(before).filter(([path]) => !path.startsWith("reports/")))),
};

export function writeTree(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** A folder beside the home to add files from. */
export const incoming = (home: string): string => join(dirname(home), "incoming");

export async function furnish(product: Product, home: string): Promise<string> {
  writeTree(incoming(home), before);
  const { workbenchId } = await product.workbenches.create({ name: "budget", userId: "owner", workspaceId: "default" });
  const sources = [incoming(home)];
  await product.workbenches.addFromHost({ workbenchId, sources, replace: false, skipRefused: false });
  return workbenchId;
}

/** Lets the agent write its Draft; `confirm` the deletions as a person would. */
export async function draft(product: Product, workbenchId: string, confirm: boolean): Promise<void> {
  const { runId } = await product.workbenches.runAgent({
    workbenchId,
    model: scriptedModel,
    userId: "owner",
    task: "tidy",
  });
  for await (const event of product.store.journal.follow(runId)) {
    if (event.type === "Error") throw new Error(`the prepared agent run failed: ${event.error.message}`);
  }
  if (confirm) await product.workbenches.confirmDeletions({ workbenchId, paths: deletions });
}

export const agentModel = scriptedAdapter(draftCalls);

/**
 * Works on an opened product and tells what came of it. A refusal is said, and after it what is published at that moment, in the
 * same process: a failed change must not need a restart to be undone.
 */
export async function working(
  home: string,
  say: Say,
  what: string,
  work: (product: Product) => Promise<unknown>,
  model = agentModel,
): Promise<void> {
  let product: Product;
  try {
    product = await startUp(home, model);
  } catch (error) {
    return say(failure("open", error));
  }
  try {
    say({ kind: "done", what, value: (await work(product)) ?? null });
  } catch (error) {
    say(failure(what, error));
    say({ kind: "done", what: "look", value: publishedNow(home) });
  }
  try {
    await product[Symbol.asyncDispose]();
  } catch (error) {
    say(failure("close", error));
  }
}

/** Every workbench's published tree as it lies on disk. */
function publishedNow(home: string): [string, [string, string][]][] {
  const root = join(home, "workbenches");
  if (!existsSync(root)) return [];
  return [...new Set([...treeOf(root).keys()].map((path) => path.split("/")[0] ?? ""))].map((id) => {
    return [id, safeTree(join(root, id, "published"))];
  });
}

function safeTree(folder: string): [string, string][] {
  try {
    return [...treeOf(folder)];
  } catch {
    return [["published", "is missing"]];
  }
}

export function failure(what: string, error: unknown): Parameters<Say>[0] {
  if (!BenchtopError.is(error)) return { kind: "failed", what, code: "none", message: String(error), actions: [] };
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : "";
  return {
    kind: "failed",
    what,
    code: error.code,
    message: error.message + cause,
    actions: error.info.actions,
  };
}

/**
 * Follows a run and says every event as soon as a subscriber sees it, until its terminal event. A run whose journal failed
 * has none before the next start; then there is nothing more to see once it is over.
 */
export async function followed(product: Product, runId: string, say: Say): Promise<void> {
  const over = new AbortController();
  const watch = setInterval(() => product.runs.active().includes(runId) || over.abort(), 100);
  try {
    for await (const event of product.store.journal.follow(runId, {}, over.signal)) {
      say({ kind: "event", runId, seq: event.seq, type: event.type, body: JSON.stringify(event) });
      if (event.type === "Error") throw new BenchtopError(event.error.error_code, event.error.message);
      if (event.type === "Completed") return;
    }
  } finally {
    clearInterval(watch);
  }
  throw new BenchtopError("DISK_FULL", "The run is over, and its journal could not be written to its end.");
}

export const codesOfADisk = new Set([
  "DISK_FULL",
  "FILE_WRITE_FAILED",
  "FILE_READ_FAILED",
  "CHECKPOINT_CREATE_FAILED",
  "CHECKPOINT_RESTORE_FAILED",
]);

/** Every failure speaks the taxonomy: a disk's failure is told as one, with what can be done. */
export function failuresSpeak(found: Found): string[] {
  return found.said.flatMap((item) => {
    if (item.kind !== "failed") return [];
    if (!codesOfADisk.has(item.code)) return [`${item.what} failed with ${item.code}: ${item.message}`];
    if (item.code === "DISK_FULL" && !item.actions.includes("free_disk_space"))
      return [`${item.what}: a full disk was told without the way out`];
    return item.actions.length > 0 ? [] : [`${item.what} failed with ${item.code}, and nothing can be done`];
  });
}

/** What is wrong with the published files once something was done again. */
export function publishedIs(home: string, workbenchId: string, expected: Tree): string[] {
  const found = treeOf(join(home, "workbenches", workbenchId, "published"));
  return differences(expected, found).map((text) => `done again, but ${text}`);
}

/** Exactly the old or the new tree; and acknowledged means new, refused means old. Returns which it is. */
export function oldOrNew(
  found: Found,
  workbench: FoundWorkbench,
  states: { readonly what: string; readonly old: Tree; readonly new: Tree },
): { readonly isNew: boolean; readonly violations: string[] } {
  const fromOld = differences(states.old, workbench.published);
  const fromNew = differences(states.new, workbench.published);
  const isNew = fromNew.length === 0;
  const violations: string[] = [];
  if (!isNew && fromOld.length > 0) {
    violations.push(`published is neither old (${fromOld.join(", ")}) nor new (${fromNew.join(", ")})`);
  }
  const done = found.said.some((item) => item.kind === "done" && item.what === states.what);
  const failed = found.said.some((item) => item.kind === "failed" && item.what === states.what);
  if (done && !isNew) violations.push(`${states.what} was acknowledged, but published is old`);
  if (failed && isNew) violations.push(`${states.what} was refused, but published is new`);
  for (const look of found.said) {
    if (look.kind !== "done" || look.what !== "look") continue;
    const seen = (look.value as [string, [string, string][]][]).find(([id]) => id === workbench.workbenchId)?.[1] ?? [];
    const changed = differences(workbench.published, new Map(seen));
    if (changed.length > 0) violations.push(`right after the failure, published was torn: ${changed.join(", ")}`);
  }
  return { isNew, violations };
}

export function workbenchNamed(found: Found, name: string): FoundWorkbench {
  const workbench = found.workbenches.find((candidate) => candidate.name === name);
  if (!workbench) throw new Error(`the workbench ${name} is gone`);
  return workbench;
}

/** The terminal event of a run of this kind tells what happened: completed if and only if published is new. */
export function runAgrees(found: Found, kind: string, isNew: boolean): string[] {
  return [...found.journals].flatMap(([runId, events]) => {
    const [first] = events;
    if (first?.type !== "RunStarted" || first.kind !== kind) return [];
    const completed = events.at(-1)?.type === "Completed";
    return completed === isNew
      ? []
      : [`${kind} ${runId} is ${completed ? "completed" : "failed"}, but published is ${isNew ? "new" : "old"}`];
  });
}
