import { BenchtopError } from "@benchtop/protocol/errors";
import type { Subject } from "../next-steps.ts";

/** What a failure with this model would be about. */
export function modelOf(ref: string): Subject {
  const slash = ref.indexOf("/");
  return slash < 0 ? { model: ref } : { model: ref, provider: ref.slice(0, slash) };
}

/** True for a model that is installed on the daemon's machine. */
export function isOfMachine(ref: string): boolean {
  return ref.startsWith("benchtop/");
}

/** An installed model by its name, or by its reference as `--model` takes it. */
export function localName(word: string): string {
  return isOfMachine(word) ? word.slice("benchtop/".length) : word;
}

/** A word as a shell takes it, for commands that are shown to be typed. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * The one item that a word names. `namesOf` gives an item's names, the surest first: an id wins over a name that somebody
 * chose to look like it. Throws `NOT_FOUND`, and `VALIDATION_FAILED` when several items have the name.
 */
export function oneOf<Item>(
  items: readonly Item[],
  kind: string,
  word: string,
  namesOf: (item: Item) => readonly (string | null)[],
): Item {
  const named = items.map((item) => ({ item, names: namesOf(item) }));
  for (let rank = 0; rank < Math.max(0, ...named.map(({ names }) => names.length)); rank++) {
    const [first, ...others] = named.filter(({ names }) => names[rank] === word);
    if (first === undefined) continue;
    if (others.length === 0) return first.item;
    const ids = [first, ...others].map(({ names }) => names[0]).join(", ");
    throw new BenchtopError("VALIDATION_FAILED", `Several are called ${word}; name one by its id: ${ids}.`, settings);
  }
  throw new BenchtopError("NOT_FOUND", `There is no ${kind} ${word} here.`, settings);
}

/** Every item of a list operation, page after page. */
export async function allItems<Item>(
  readPage: (cursor: { readonly cursor?: string }) => Promise<{ items: Item[]; nextCursor: string | null }>,
): Promise<Item[]> {
  const items: Item[] = [];
  for (let cursor: { readonly cursor?: string } | undefined = {}; cursor !== undefined;) {
    const page = await readPage(cursor);
    items.push(...page.items);
    cursor = page.nextCursor === null ? undefined : { cursor: page.nextCursor };
  }
  return items;
}

const settings = { phase: "settings" } as const;
