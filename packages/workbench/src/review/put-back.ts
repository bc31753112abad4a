import { compareSides, stretchId, type Sides, type SidesInput } from "./sides.ts";

export interface PutBackInput extends SidesInput {
  /** Ids of stretches, or `first..last` for all from one to another. */
  readonly ids: readonly (readonly string[])[];
  /** Which of `ids` say what is put back; none where the stretches are only to be named. */
  readonly putBack: number | null;
}

export type PutBack =
  | {
      /** All stretches, in order. */
      readonly all: readonly string[];
      /** For each list of `ids`, the stretches that it names. */
      readonly named: readonly (readonly string[])[];
      /** The text without what was put back, and the stretches that it has still. Undefined where nothing was asked for. */
      readonly text?: Uint8Array;
    }
  /** An id that names nothing here. */
  | { readonly unknown: string }
  | { readonly view: "opaque" | "too-large" };

/**
 * The new text with some stretches as they are in the old one: exact in every byte, whatever ends the lines. Refuses ids that
 * are not of these two texts.
 */
export function putBack(input: PutBackInput): PutBack {
  const sides = compareSides(input);
  if ("view" in sides) return { view: sides.view };
  const changed = sides.stretches.filter((stretch) => !stretch.equal);
  const all = changed.map((stretch) => stretchId(stretch, sides));
  const places = new Map(all.map((id, place) => [id, place]));
  const named: string[][] = [];
  for (const ids of input.ids) {
    // How many ranges begin and end at each place: any number of overlapping ones takes one walk.
    const edges = new Int32Array(all.length + 1);
    for (const id of ids) {
      const [first, last] = rangeOf(id, places);
      if (first === undefined || last === undefined || first > last) return { unknown: id };
      edges[first] = (edges[first] ?? 0) + 1;
      edges[last + 1] = (edges[last + 1] ?? 0) - 1;
    }
    let open = 0;
    named.push(all.filter((_, place) => (open += edges[place] ?? 0) > 0));
  }
  if (input.putBack === null) return { all, named };
  return { all, named, text: textWithout(sides, new Set(named[input.putBack])) };
}

function rangeOf(id: string, places: ReadonlyMap<string, number>): [number | undefined, number | undefined] {
  const [first = "", last = first, ...more] = id.split("..");
  return more.length > 0 ? [undefined, undefined] : [places.get(first), places.get(last)];
}

function textWithout(sides: Sides, rejected: ReadonlySet<string>): Uint8Array {
  const lines: string[] = [];
  for (const stretch of sides.stretches) {
    const isOld = !stretch.equal && rejected.has(stretchId(stretch, sides));
    const [from, start, end] = isOld
      ? [sides.oldLines, stretch.oldStart, stretch.oldEnd]
      : [sides.newLines, stretch.newStart, stretch.newEnd];
    for (let at = start; at < end; at++) lines.push(from[at] ?? "");
  }
  return Buffer.from(lines.join(""));
}
