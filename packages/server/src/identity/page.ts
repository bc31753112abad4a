import { BenchtopError } from "@benchtop/protocol";

export interface PageInput {
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export interface Page<Item> {
  readonly items: Item[];
  readonly nextCursor: string | null;
}

/** A page from one row more than it shows. `position` is where a row stands in the list's order. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  position: (row: Row) => readonly string[],
  item: (row: Row) => Item,
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const nextCursor =
    rows.length > limit && last !== undefined
      ? Buffer.from(JSON.stringify(position(last))).toString("base64url")
      : null;
  return { items: shown.map(item), nextCursor };
}

/** Where the page before ended, as strings; undefined for the first. Throws `VALIDATION_FAILED` for what no page gave. */
export function positionOf(cursor: string | undefined, length: 1): readonly [string] | undefined;
export function positionOf(cursor: string | undefined, length: 2): readonly [string, string] | undefined;
export function positionOf(cursor: string | undefined, length: number): unknown {
  if (cursor === undefined) return undefined;
  const position = parse(cursor);
  if (Array.isArray(position) && position.length === length && position.every(isText)) {
    return position;
  }
  throw new BenchtopError(
    "VALIDATION_FAILED",
    "This cursor is not one that the list gave. Start from the first page.",
    {
      phase: "settings",
    },
  );
}

/** PostgreSQL keeps no NUL in a text, so no list has given one. */
function isText(part: unknown): part is string {
  return typeof part === "string" && !part.includes("\0");
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}
