import { BenchtopError } from "@benchtop/protocol";

/** Where a page ended: a time, and the id that tells things of the same time apart. */
export function cursorAfter({ started_at, id }: { readonly started_at: string; readonly id: string }): string {
  return Buffer.from(JSON.stringify([started_at, id])).toString("base64url");
}

/** Throws `VALIDATION_FAILED` for what no list gave. */
export function parseCursor(cursor: string): [string, string] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
    if (Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === "string")) {
      return value as [string, string];
    }
  } catch {
    // Not JSON: the same answer as for JSON of another shape.
  }
  throw new BenchtopError("VALIDATION_FAILED", "The cursor is not one that this list gave. Start without a cursor.");
}
