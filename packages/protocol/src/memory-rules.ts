import { createHash } from "node:crypto";
import { BenchtopError } from "./errors.ts";
import type { MemoryEntry, MemoryItem, MemoryLane, MemoryLimits, MemoryQuestion } from "./memory.ts";

/** What holds for every memory, wherever it keeps its texts. */
export const defaultMemoryLimits: Readonly<Record<MemoryLane, MemoryLimits>> = {
  working: { maxItems: 50, maxCharacters: 8000, maxItemCharacters: 2000 },
  episodic: { maxItems: 10_000, maxCharacters: 20_000_000, maxItemCharacters: 20_000 },
};

/** An entry as it is kept, with the id that it gets. */
export interface CheckedEntry extends MemoryEntry {
  readonly id: string;
  readonly key: string | undefined;
}

/** Throws `VALIDATION_FAILED` as `Memory.write` says. */
export function checkedEntry(entry: MemoryEntry, limits: MemoryLimits): CheckedEntry {
  const { lane } = entry;
  const scope = checkedScope(entry.scope);
  const text = bounded("text", entry.text.trim(), Math.min(limits.maxItemCharacters, limits.maxCharacters));
  if (lane === "episodic") {
    if (entry.key !== undefined) throw refused("an episodic text has no key", {});
    return { lane, scope, text, key: undefined, id: idOf(lane, scope, text) };
  }
  const key = bounded("key", entry.key ?? "", maxKeyCharacters);
  return { lane, scope, text, key, id: idOf(lane, scope, key) };
}

export function checkedScope(scope: string): string {
  return bounded("scope", scope, maxScopeCharacters);
}

/** A text that every database can hold. */
export function storable(text: string): string {
  return text.replaceAll("\0", "\uFFFD").toWellFormed();
}

/** What a question gets of what was found, best first: items that do not fit its tokens are passed over. */
export function withinQuestion<Item extends Pick<MemoryItem, "text">>(
  found: Iterable<Item>,
  { lane, limit = lane === "working" ? Number.POSITIVE_INFINITY : usualItems, maxTokens }: MemoryQuestion,
): Item[] {
  const items: Item[] = [];
  let left = maxTokens ?? Number.POSITIVE_INFINITY;
  for (const item of found) {
    if (items.length >= limit) break;
    const tokens = Math.ceil(Buffer.byteLength(item.text) / 4);
    if (tokens > left) continue;
    left -= tokens;
    items.push(item);
  }
  return items;
}

const maxScopeCharacters = 200;
const maxKeyCharacters = 200;
const usualItems = 8;

/** Ids are made of what they name, so that writing the same twice is writing it once. */
function idOf(lane: MemoryLane, scope: string, keyOrText: string): string {
  const hash = createHash("sha256").update(JSON.stringify([lane, scope, keyOrText]));
  return `mem_${hash.digest("hex").slice(0, 32)}`;
}

function bounded(name: string, value: string, maxCharacters: number): string {
  if (value.length === 0) throw refused(`it has no ${name}`, { field: name });
  if (value.length > maxCharacters) {
    throw refused(`its ${name} is longer than ${maxCharacters} characters`, { field: name, maxCharacters });
  }
  return storable(value);
}

function refused(why: string, detail: Record<string, string | number>): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `This cannot be remembered: ${why}.`, { detail });
}
