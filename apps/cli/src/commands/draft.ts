import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { buffer } from "node:stream/consumers";
import type { Command } from "commander";
import { BenchtopError } from "@benchtop/protocol/errors";
import { errorOf, followToEnd } from "../follow.ts";
import type { Invocation } from "../invocation.ts";
import { printDiff } from "../output/diff.ts";
import { printDocumentDiff } from "../output/document-diff.ts";
import { formatAge, formatBytes, formatCount, formatCounts, printable } from "../output/format.ts";
import { withProgress } from "../output/progress.ts";
import { printTable } from "../output/table.ts";
import { addCommand, addGroup, collect, wholeNumber } from "./command.ts";
import { allItems, quoted } from "./names.ts";
import { orderedMap } from "./ordered-map.ts";

export function addDraftCommands(program: Command, invocation: Invocation): void {
  const draft = addGroup(program, "draft", "The Draft of a workbench: what an agent changed, before it is real.");

  addCommand(draft, "status <workbench>", "Whether there is a Draft, and the files it changes.").action(
    (workbench: string) => draftStatus(invocation, workbench),
  );

  addCommand(
    draft,
    "diff <workbench> [paths...]",
    "What the Draft changes, as a unified diff that `git apply` takes.",
    [
      "benchtop draft diff budget",
      "benchtop draft diff budget summary.md --context 10",
      "benchtop draft diff budget > changes.patch",
    ],
  )
    .option("-U, --context <lines>", "unchanged lines around a change", wholeNumber, 3)
    .action((workbench: string, paths: string[], options: { context: number }) =>
      draftDiff(invocation, workbench, paths, options.context),
    );

  addCommand(
    draft,
    "accept <workbench> [paths...]",
    "Mark files of the Draft as looked at and right; without a path, all of them.",
    ["benchtop draft accept budget summary.md"],
  ).action((workbench: string, paths: string[]) => decide(invocation, workbench, paths, "accept"));

  addCommand(draft, "reject <workbench> <paths...>", "Take files out of the Draft: each is as it is published again.", [
    "benchtop draft reject budget old.csv notes.md",
  ])
    .option("-y, --yes", "do not ask")
    .action((workbench: string, paths: string[], options: { yes?: boolean }) =>
      reject(invocation, workbench, paths, options.yes ?? false),
    );

  addCommand(
    draft,
    "edit <workbench> <path>",
    "Change a file of the Draft by hand: in your editor, or with the content of a file.",
    ["benchtop draft edit budget summary.md", "benchtop draft edit budget logo.png --from ./logo.png"],
  )
    .option("--from <file>", "take this file's content; - reads standard input")
    .action((workbench: string, path: string, options: { from?: string }) =>
      editByHand(invocation, workbench, path, options.from),
    );

  addCommand(
    draft,
    "publish <workbench>",
    "Make the Draft the published files, all at once, with a checkpoint of what was there.",
    [
      'benchtop draft publish budget --message "totals checked"',
      "benchtop draft publish budget --confirm-deletions   # when the Draft deletes files",
    ],
  )
    .option("-m, --message <text>", "kept with the checkpoint")
    .option("--confirm-deletions", "agree to every deletion of the Draft")
    .action((workbench: string, options: PublishOptions) => publish(invocation, workbench, options));

  addCommand(
    draft,
    "confirm <workbench>",
    "Agree to deletions that the agent asked for; without a path, to all of them.",
    ["benchtop draft confirm budget --path old.csv"],
  )
    .option("--path <path>", "one deletion; may be repeated", collect)
    .action((workbench: string, options: { path?: string[] }) => confirm(invocation, workbench, options.path));

  addCommand(draft, "discard <workbench>", "Throw the Draft away. The published files stay as they are.")
    .option("-y, --yes", "do not ask")
    .action((workbench: string, options: { yes?: boolean }) => discard(invocation, workbench, options.yes ?? false));
}

async function draftStatus(invocation: Invocation, workbench: string): Promise<void> {
  invocation.about({ workbench });
  const { terminal } = invocation;
  const answer = await (await invocation.client()).call("review.getChangeSet", { workbenchId: workbench });
  if (invocation.json) return invocation.printJson(answer);
  if (!answer.draft.exists) return sayNoDraft(invocation, workbench);
  const { updatedAt, counts, unconfirmedDeletions } = answer.draft;
  terminal.line(
    `Draft of ${workbench}: ${formatCounts(counts)}${updatedAt === null ? "" : `, ${formatAge(updatedAt)}`}`,
  );
  if (answer.draftSummary !== undefined) terminal.line(terminal.colours.dim(printable(answer.draftSummary)));
  printTable(terminal, answer.changes, [
    {
      title: "",
      value: ({ change }) => change.charAt(0).toUpperCase(),
      paint: (cell, { change }) => terminal.colours[paintOf[change]](cell),
    },
    {
      title: "LINES",
      align: "right",
      value: ({ linesAdded, linesRemoved }) =>
        linesAdded === null || linesRemoved === null ? "–" : `+${linesAdded} −${linesRemoved}`,
    },
    {
      title: "SIZE",
      align: "right",
      value: ({ bytesAfter, bytesBefore }) => formatBytes(bytesAfter ?? bytesBefore ?? 0),
    },
    { title: "", value: ({ accepted }) => (accepted ? "✓" : "") },
    { title: "PATH", value: ({ path }) => path },
    { title: "WHAT", value: ({ summary }) => summary ?? "", shrink: true },
  ]);
  for (const { path, warnings } of answer.changes) {
    for (const { message } of warnings) {
      terminal.errorLine(`${terminal.errorColours.yellow("!")} ${printable(path)}: ${printable(message)}`);
    }
  }
  if (answer.draft.stale) terminal.errorLine("Nobody has touched this Draft for days: publish it, or discard it.");
  if (unconfirmedDeletions.length > 0) {
    terminal.line(`${formatCount(unconfirmedDeletions.length, "deletion")} must be confirmed before publishing.`);
  }
}

const paintOf = { added: "green", modified: "yellow", deleted: "red" } as const;

async function draftDiff(
  invocation: Invocation,
  workbench: string,
  paths: readonly string[],
  contextLines: number,
): Promise<void> {
  invocation.about({ workbench });
  const client = await invocation.client();
  const { draft, changes, draftSummary } = await client.call("review.getChangeSet", { workbenchId: workbench });
  if (!draft.exists && !invocation.json) return sayNoDraft(invocation, workbench);
  const missing = paths.find((path) => !changes.some((change) => change.path === path));
  if (missing !== undefined) {
    throw new BenchtopError("NOT_FOUND", `The Draft does not change ${missing}.`, { phase: "review" });
  }
  const wanted = paths.length === 0 ? changes : changes.filter(({ path }) => paths.includes(path));
  const diffs = orderedMap(wanted, 8, async ({ path, view, document }) => ({
    text: await client.call("review.getTextDiff", { workbenchId: workbench, path, contextLines }),
    ...(view !== "text" &&
      document !== null && { document: await client.call("review.getDocumentDiff", { workbenchId: workbench, path }) }),
  }));
  if (invocation.json) {
    const all = [];
    for await (const [, { text, document }] of diffs) all.push({ ...text, ...(document && { document }) });
    return invocation.printJson({ draft, draftSummary, changes: wanted, diffs: all });
  }
  for await (const [change, { text, document }] of diffs) {
    printDiff(invocation.terminal, change, text);
    if (document) printDocumentDiff(invocation.terminal, document);
  }
}

async function decide(
  invocation: Invocation,
  workbench: string,
  paths: readonly string[],
  decision: "accept" | "reject",
): Promise<void> {
  invocation.about({ workbench });
  const client = await invocation.client();
  const { draft, changes } = await client.call("review.getChangeSet", { workbenchId: workbench });
  if (!draft.exists && !invocation.json) return sayNoDraft(invocation, workbench);
  const missing = paths.find((path) => !changes.some((change) => change.path === path));
  if (missing !== undefined) {
    throw new BenchtopError("NOT_FOUND", `The Draft does not change ${missing}.`, { phase: "review" });
  }
  const wanted = paths.length === 0 ? changes : changes.filter(({ path }) => paths.includes(path));
  const decisions = wanted.map(({ path, sha256After }) => ({ path, sha256: sha256After, decision }));
  const about = { workbenchId: workbench, ...(draft.draftId !== null && { draftId: draft.draftId }) };
  const answer =
    decisions.length === 0 ? { draft, changes } : await client.call("draft.decide", { ...about, decisions });
  if (invocation.json) return invocation.printJson(answer);
  const files = formatCount(wanted.length, "file");
  invocation.terminal.line(
    decision === "accept"
      ? `Accepted ${files}.`
      : `Rejected ${files}. ${answer.draft.exists ? `The Draft: ${formatCounts(answer.draft.counts)}.` : "There is no Draft any more."}`,
  );
}

async function reject(
  invocation: Invocation,
  workbench: string,
  paths: readonly string[],
  yes: boolean,
): Promise<void> {
  const { terminal } = invocation;
  if (terminal.isInteractive && !yes) {
    const question = `Take ${formatCount(paths.length, "file")} out of the Draft? What was changed there is lost.`;
    if (!(await terminal.confirm(question))) throw new BenchtopError("USER_CANCELED", "The Draft is kept.");
  }
  await decide(invocation, workbench, paths, "reject");
}

/** What the file is now, as far as the Draft says; null where there is none. */
async function draftFile(invocation: Invocation, workbench: string, path: string): Promise<string | null> {
  const client = await invocation.client();
  const files = await allItems((page) =>
    client.call("files.list", { workbenchId: workbench, side: "draft", limit: 1000, ...page }),
  );
  return files.find((file) => file.path === path)?.sha256 ?? null;
}

async function editByHand(
  invocation: Invocation,
  workbench: string,
  path: string,
  from: string | undefined,
): Promise<void> {
  invocation.about({ workbench });
  const client = await invocation.client();
  const sha256 = await draftFile(invocation, workbench, path);
  const content = from === undefined ? await inEditor(invocation, workbench, path, sha256) : await contentOf(from);
  if (content === undefined) return invocation.terminal.line("Nothing was changed.");
  const { sha256: upload } = await client.upload(content);
  const answer = await client.call("draft.edit", { workbenchId: workbench, path, sha256, upload });
  if (invocation.json) return invocation.printJson(answer);
  invocation.terminal.line(`${printable(path)} is ${answer.change?.change ?? "as it is published"} in the Draft.`);
}

async function contentOf(from: string): Promise<Uint8Array> {
  if (from === "-") return await buffer(process.stdin);
  try {
    return await readFile(from);
  } catch (cause) {
    throw new BenchtopError("FILE_READ_FAILED", `${from} cannot be read.`, { cause });
  }
}

/** The file in the person's editor; undefined where they left it as it was. */
async function inEditor(
  invocation: Invocation,
  workbench: string,
  path: string,
  sha256: string | null,
): Promise<Uint8Array | undefined> {
  const editor = process.env["VISUAL"] ?? process.env["EDITOR"];
  if (editor === undefined || !invocation.terminal.isInteractive) {
    throw new BenchtopError(
      "VALIDATION_FAILED",
      "There is no editor to open: set VISUAL or EDITOR at a terminal, or give the content with --from FILE.",
      { phase: "review" },
    );
  }
  const client = await invocation.client();
  const before =
    sha256 === null
      ? new Uint8Array()
      : new Uint8Array(await (await client.download({ workbenchId: workbench, path, side: "draft" })).arrayBuffer());
  const folder = await mkdtemp(join(tmpdir(), "benchtop-edit-"));
  try {
    const file = join(folder, basename(path));
    await writeFile(file, before, { mode: 0o600 });
    const [command = "", ...words] = editor.split(" ");
    const { status } = spawnSync(command, [...words, file], { stdio: "inherit" });
    if (status !== 0)
      throw new BenchtopError("USER_CANCELED", "The editor ended without success; nothing was changed.");
    const after = await readFile(file);
    return after.equals(before) ? undefined : after;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface PublishOptions {
  readonly message?: string;
  readonly confirmDeletions?: boolean;
}

async function publish(invocation: Invocation, workbench: string, options: PublishOptions): Promise<void> {
  invocation.about({ workbench });
  const { terminal } = invocation;
  const client = await invocation.client();
  let draft = await client.call("draft.getState", { workbenchId: workbench });
  if (draft.unconfirmedDeletions.length > 0) {
    const paths = draft.unconfirmedDeletions;
    await agreeToDeletions(invocation, workbench, paths, options.confirmDeletions ?? false);
    draft = await client.call("draft.confirmDeletions", { workbenchId: workbench, paths });
  }
  const { draftId, revision, counts } = draft;
  const request = {
    workbenchId: workbench,
    ...(draftId !== null && { draftId }),
    ...(revision > 0 && { revision }),
    ...(options.message !== undefined && { message: options.message }),
  };
  if (invocation.json) return invocation.printJson(await client.call("draft.publish", request));
  const { runId } = await client.call("draft.publish", { ...request, wait: false });
  const checkpointId = await showTransition(invocation, runId, "Publishing");
  const { green } = terminal.colours;
  terminal.line(`${green("✓")} Published ${workbench}: ${formatCounts(counts)}.`);
  if (checkpointId !== undefined) {
    terminal.line(
      `  What was there is checkpoint ${checkpointId}; \`benchtop checkpoints restore ${quoted(workbench)}\` brings it back.`,
    );
  }
}

/** Follows a publish or restore, phase by phase. Returns the checkpoint that it made. Throws the error it ended with. */
export async function showTransition(
  invocation: Invocation,
  runId: string,
  label: string,
): Promise<string | undefined> {
  const { terminal } = invocation;
  let checkpointId: string | undefined;
  const last = await withProgress(terminal, label, (progress) =>
    followToEnd(invocation, runId, (event) => {
      if (event.type === "CheckpointCreated") checkpointId = event.checkpointId;
      if (event.type !== "PhaseChanged") return;
      const phase = `${label}: ${event.phase.replaceAll("_", " ")}`;
      progress.label(phase);
      if (event.done !== undefined && event.total !== undefined) progress.update(event.done, event.total);
      if (!terminal.isErrorTty && event.done === undefined) terminal.errorLine(phase);
    }),
  );
  if (last.type === "Error") throw errorOf(last);
  return checkpointId;
}

/** Throws unless the person agrees, by flag or by answer. */
async function agreeToDeletions(
  invocation: Invocation,
  workbench: string,
  paths: readonly string[],
  agreed: boolean,
): Promise<void> {
  if (agreed) return;
  const { terminal } = invocation;
  const count = formatCount(paths.length, "file");
  if (terminal.isInteractive) {
    terminal.errorLine(`The Draft deletes ${count}:`);
    for (const path of paths.slice(0, 20)) terminal.errorLine(`  ${printable(path)}`);
    if (paths.length > 20) terminal.errorLine(`  … and ${paths.length - 20} more`);
    if (await terminal.confirm("Delete them when publishing?")) return;
  }
  throw new BenchtopError(
    "VALIDATION_FAILED",
    `The Draft deletes ${count} (${paths.slice(0, 3).map(printable).join(", ")}${paths.length > 3 ? ", …" : ""}), and nobody has confirmed that. ` +
      `\`benchtop draft publish ${quoted(workbench)} --confirm-deletions\` does.`,
    { phase: "publish", subphase: "deletions_unconfirmed" },
  );
}

async function confirm(invocation: Invocation, workbench: string, asked: readonly string[] | undefined): Promise<void> {
  invocation.about({ workbench });
  const client = await invocation.client();
  const before = await client.call("draft.getState", { workbenchId: workbench });
  const paths = [...(asked ?? before.unconfirmedDeletions)];
  const state =
    paths.length === 0 ? before : await client.call("draft.confirmDeletions", { workbenchId: workbench, paths });
  if (invocation.json) return invocation.printJson(state);
  invocation.terminal.line(
    paths.length === 0 ? "There is no deletion to confirm." : `Confirmed ${formatCount(paths.length, "deletion")}.`,
  );
}

async function discard(invocation: Invocation, workbench: string, yes: boolean): Promise<void> {
  invocation.about({ workbench });
  const { terminal } = invocation;
  const client = await invocation.client();
  const { exists, draftId, counts } = await client.call("draft.getState", { workbenchId: workbench });
  if (exists && terminal.isInteractive && !yes) {
    const question = `Throw away the Draft of ${workbench} (${formatCounts(counts)})? It cannot be brought back.`;
    if (!(await terminal.confirm(question))) throw new BenchtopError("USER_CANCELED", "The Draft is kept.");
  }
  const answer = await client.call("draft.discard", { workbenchId: workbench, ...(draftId !== null && { draftId }) });
  if (invocation.json) return invocation.printJson(answer);
  if (!answer.discarded) return sayNoDraft(invocation, workbench);
  terminal.line(`Discarded the Draft of ${workbench} (${formatCounts(counts)}).`);
}

function sayNoDraft(invocation: Invocation, workbench: string): void {
  invocation.terminal.errorLine(
    `${workbench} has no Draft. \`benchtop ask ${quoted(workbench)} TASK --model MODEL\` makes one.`,
  );
}
