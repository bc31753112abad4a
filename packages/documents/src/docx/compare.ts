import type { DocumentBlock, DocumentComparison, ReviewWarning } from "../comparison.ts";
import type { ComparisonInput } from "../format.ts";
import { align, markWords, similarity } from "../align.ts";
import type { Block } from "./blocks.ts";
import { readBlocks } from "./blocks.ts";
import type { Docx } from "./open.ts";
import { warningsOf } from "./warnings.ts";

const mostBlocks = 5000;
const mostCharacters = 2_000_000;
const blockCharacters = 20_000;

/** Compares two text documents block by block: by their words, and where those are the same, by their look. */
export function compareDocx({ before, after }: ComparisonInput): DocumentComparison {
  const old = before === null ? undefined : readBlocks(before);
  const fresh = after === null ? undefined : readBlocks(after);
  const compared = compareBlocks(old?.blocks ?? [], fresh?.blocks ?? []);
  const { blocks, truncated } = bounded(compared);
  const shown = fresh ?? old;
  const warnings = shown ? warningsOf(shown.docx, shown.blocks, fresh ? old?.docx : undefined) : [];
  if (old && fresh) warnings.push(...otherParts(old.docx, fresh.docx));
  return { kind: "document", blocks, warnings, truncated };
}

function compareBlocks(before: readonly Block[], after: readonly Block[]): DocumentBlock[] {
  const pairs = align(before.map(keyOf), after.map(keyOf), (left, right) => {
    const [old, fresh] = [before[left], after[right]];
    if (!old || !fresh || storyOf(old) !== storyOf(fresh)) return 0;
    return similarity(normalized(old.text), normalized(fresh.text));
  });
  return pairs.flatMap(([left, right]) => {
    const old = left === null ? undefined : before[left];
    const fresh = right === null ? undefined : after[right];
    // What the alignment paired only because both stand at the same place is two blocks.
    if (old && fresh && storyOf(old) !== storyOf(fresh)) return [blockOf(old, undefined), blockOf(undefined, fresh)];
    return [blockOf(old, fresh)];
  });
}

function blockOf(old: Block | undefined, fresh: Block | undefined): DocumentBlock {
  const shown = fresh ?? old;
  if (!shown) throw new Error("A pair has a side.");
  const before = old ? cut(old.text) : null;
  const after = fresh ? cut(fresh.text) : null;
  const same = before !== null && after !== null && normalized(before) === normalized(after);
  const marked = before !== null && after !== null && !same;
  return {
    change: before === null ? "added" : after === null ? "removed" : same ? "same" : "changed",
    before,
    after,
    ...(marked && markWords(before, after)),
    role: shown.role,
    level: shown.level,
    style: shown.style,
    formatChanged: old !== undefined && fresh !== undefined && looksDifferent(old, fresh, same),
  };
}

/** A look holds its words, so where those changed, only what stands beside them can tell. */
function looksDifferent(old: Block, fresh: Block, same: boolean): boolean {
  if (old.role !== fresh.role || old.level !== fresh.level || old.style !== fresh.style) return true;
  return same && old.look !== fresh.look;
}

/** Equal for blocks that say the same in the same place of the same story. */
function keyOf(block: Block): string {
  return `${storyOf(block)}\0${normalized(block.text)}`;
}

/** Headings, paragraphs and list items turn into one another; other blocks do not. */
function storyOf(block: Block): string {
  return block.role === "heading" || block.role === "list-item" ? "paragraph" : block.role;
}

/** Spaces of every kind and length are one to a reader. */
function normalized(text: string): string {
  return text
    .normalize("NFC")
    .replace(/[ \u00a0\u2002-\u200a\u202f]+/g, " ")
    .trim();
}

function cut(text: string): string {
  if (text.length <= blockCharacters) return text;
  return `${text.slice(0, blockCharacters).toWellFormed()}…`;
}

/** Changed blocks are never left out for unchanged ones: of a long document, what is the same goes first. */
function bounded(blocks: DocumentBlock[]): { blocks: DocumentBlock[]; truncated: boolean } {
  let kept = blocks;
  if (kept.length > mostBlocks) kept = nearChanges(kept);
  const shown: DocumentBlock[] = [];
  let room = mostCharacters;
  for (const block of kept.slice(0, mostBlocks)) {
    room -= (block.before?.length ?? 0) + (block.after?.length ?? 0);
    if (room < 0) break;
    shown.push(block);
  }
  const truncated = shown.length < blocks.length || blocks.some((block) => isCut(block.before) || isCut(block.after));
  return { blocks: shown, truncated };
}

const surroundings = 3;

function nearChanges(blocks: readonly DocumentBlock[]): DocumentBlock[] {
  const near = new Uint8Array(blocks.length);
  for (const [index, block] of blocks.entries()) {
    if (block.change !== "same" || block.formatChanged)
      near.fill(1, Math.max(0, index - surroundings), index + surroundings + 1);
  }
  return blocks.filter((_, index) => near[index] === 1);
}

function isCut(text: string | null): boolean {
  return text !== null && text.length > blockCharacters;
}

/** Parts that no block shows and that differ. Nobody should take a document for unchanged because its words are. */
function otherParts(old: Docx, fresh: Docx): ReviewWarning[] {
  const known = new Set([...old.stories, ...fresh.stories].map((story) => story.part));
  const names = new Set([...old.package.names, ...fresh.package.names]);
  const differing = [...names].filter((name) => {
    if (known.has(name) || isSaid(name)) return false;
    if (!old.package.has(name) || !fresh.package.has(name)) return true;
    return Buffer.compare(old.package.bytes(name), fresh.package.bytes(name)) !== 0;
  });
  return differing.slice(0, 20).map((name) => ({
    kind: "unreadable",
    message: old.package.has(name)
      ? fresh.package.has(name)
        ? "This part of the document changed. What it holds is not shown here."
        : "This part of the document was removed. What it held is not shown here."
      : "This part of the document is new. What it holds is not shown here.",
    where: name,
  }));
}

/** Parts that say how the others belong together, and what every program writes anew when it saves. */
function isSaid(name: string): boolean {
  return /(^|\/)_rels\/|^\[Content_Types\]\.xml$|^docProps\/|\/(fontTable|webSettings|settings)\.xml$|\/media\//.test(
    name,
  );
}
