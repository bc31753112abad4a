import { BenchtopError } from "@benchtop/protocol";

export interface PageInput {
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export interface Page<Item> {
  readonly items: Item[];
  readonly nextCursor: string | null;
}

/** A cursor is opaque to callers: the JSON of where the last page ended, in base64url. */
export function encodeCursor(position: readonly string[]): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

/** Undefined for no cursor. Throws `VALIDATION_FAILED` for one that this list did not give. */
export function decodeCursor(cursor: string | undefined, length: number): readonly string[] | undefined {
  if (cursor === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch (thrown) {
    throw invalid(thrown);
  }
  const isPosition =
    Array.isArray(parsed) && parsed.length === length && parsed.every((part) => typeof part === "string");
  if (!isPosition) throw invalid();
  return parsed as string[];
}

function invalid(cause?: unknown): BenchtopError {
  return new BenchtopError(
    "VALIDATION_FAILED",
    "This cursor is not one that the list gave. Start from the first page.",
    {
      cause,
    },
  );
}
