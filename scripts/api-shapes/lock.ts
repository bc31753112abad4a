import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { changesBetween, type Change, type Shapes } from "./shape.ts";

/** What is kept of the API: `docs/api-shapes.json`. */
interface Locked {
  readonly version: string;
  readonly operations: Shapes;
}

/** What stands between the API as it is and its last version note; empty when nothing does. */
export function problemsOf(root: string, shapes: Shapes): string[] {
  const locked = readLocked(root);
  if (locked === undefined) return ["docs/api-shapes.json is missing"];
  const changes = changesBetween(locked.operations, shapes).map(describe);
  if (changes.length > 0) return changes;
  const note = topNote(root);
  return [
    ...(JSON.stringify(locked.operations) === JSON.stringify(shapes) ? [] : ["shapes are written differently"]),
    ...(note?.version === locked.version ? [] : [`docs/api-changes.md does not begin with ${locked.version}`]),
    ...(note?.digest === digestOf(shapes) ? [] : [`the note of ${locked.version} is for other shapes`]),
    ...(versionInCode(root) === locked.version ? [] : [`apiVersion is not ${locked.version}`]),
  ];
}

/**
 * Takes the API as it is for the one of the version that stands first in `docs/api-changes.md`. Throws when that note does
 * not name every operation that changed, or when its number is not high enough for how they did.
 */
export function lock(root: string, shapes: Shapes): Change[] {
  const locked = readLocked(root);
  const note = topNote(root);
  if (note === undefined) throw new Error("docs/api-changes.md has no version: begin it with `## 1.0`");
  const changes = locked === undefined ? [] : changesBetween(locked.operations, shapes);
  if (locked !== undefined && changes.length > 0) demandNote(locked.version, note, changes);
  writeFileSync(shapesFile(root), `${JSON.stringify({ version: note.version, operations: shapes }, undefined, 1)}\n`);
  writeFileSync(changesFile(root), withDigest(readFileSync(changesFile(root), "utf8"), digestOf(shapes)));
  writeFileSync(
    versionFile(root),
    readFileSync(versionFile(root), "utf8").replace(versionLine, `export const apiVersion = "${note.version}";`),
  );
  return changes;
}

function demandNote(before: string, note: Note, changes: readonly Change[]): void {
  const [major = 0, minor = 0] = before.split(".").map(Number);
  const [noteMajor = 0, noteMinor = 0] = note.version.split(".").map(Number);
  const isBreaking = changes.some(({ kind }) => kind === "breaking");
  const enough = noteMajor > major || (!isBreaking && noteMajor === major && noteMinor > minor);
  const unnamed = changes.filter(({ operation }) => !note.text.includes(`\`${operation}\``));
  if (enough && unnamed.length === 0) return;
  const needed = isBreaking ? `${major + 1}.0` : `${major}.${minor + 1}`;
  const lines = (enough ? unnamed : changes).map((change) => `  ${describe(change)}`);
  throw new Error(
    enough
      ? `The note of ${note.version} in docs/api-changes.md does not name these operations:\n${lines.join("\n")}`
      : `docs/api-changes.md needs a note for version ${needed}, above ${before}, that names these operations:\n${lines.join("\n")}`,
  );
}

export function describe({ kind, operation, what }: Change): string {
  return `${kind}: \`${operation}\` ${what}`;
}

interface Note {
  readonly version: string;
  readonly text: string;
  readonly digest: string | undefined;
}

/** The first section of the changes: what the present version is about. */
function topNote(root: string): Note | undefined {
  const [, first = ""] = existsSync(changesFile(root)) ? readFileSync(changesFile(root), "utf8").split(/^## /m) : [];
  const version = /^(\d+\.\d+)\b/.exec(first)?.[1];
  return version === undefined ? undefined : { version, text: first, digest: digestLine.exec(first)?.[1] };
}

const digestLine = /^Shapes: `(\w+)`$/m;
const versionLine = /^export const apiVersion = "[^"]*";$/m;

function withDigest(document: string, digest: string): string {
  const line = `Shapes: \`${digest}\``;
  const [intro = "", first = "", ...rest] = document.split(/^(?=## )/m);
  const signed = digestLine.test(first) ? first.replace(digestLine, line) : `${first.trimEnd()}\n\n${line}\n`;
  return [intro, rest.length > 0 && !signed.endsWith("\n\n") ? `${signed}\n` : signed, ...rest].join("");
}

/** Ties a note to what it was written for. */
function digestOf(shapes: Shapes): string {
  return createHash("sha256").update(JSON.stringify(shapes)).digest("hex").slice(0, 16);
}

function readLocked(root: string): Locked | undefined {
  return existsSync(shapesFile(root)) ? (JSON.parse(readFileSync(shapesFile(root), "utf8")) as Locked) : undefined;
}

function versionInCode(root: string): string | undefined {
  return /"([^"]*)"/.exec(versionLine.exec(readFileSync(versionFile(root), "utf8"))?.[0] ?? "")?.[1];
}

function shapesFile(root: string): string {
  return join(root, "docs", "api-shapes.json");
}

function changesFile(root: string): string {
  return join(root, "docs", "api-changes.md");
}

function versionFile(root: string): string {
  return join(root, "packages", "operations", "src", "version.ts");
}
