import { BenchtopError } from "./errors.ts";
import { callerIdPattern } from "./identifiers.ts";
import type { ReplayPoint } from "./ports.ts";

/**
 * A point of a journal as one opaque word (base64url): the run, the event, and the hash of the chain there, so that
 * whoever holds it can be told when the journal is not the one that it was made of.
 */
export function replayToken({ runId, seq, hash }: ReplayPoint): string {
  return btoa(`${version}.${seq}.${hash}.${runId}`).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Reads what `replayToken` made. Throws `VALIDATION_FAILED` for every other text; says nothing of whether the run exists. */
export function parseReplayToken(text: string): ReplayPoint {
  const match = text.length <= maxLength && /^[A-Za-z0-9_-]+$/.test(text) ? form.exec(decoded(text)) : null;
  const [, seq, hash, runId] = match ?? [];
  if (seq === undefined || hash === undefined || runId === undefined || !callerIdPattern.test(runId)) {
    throw new BenchtopError("VALIDATION_FAILED", "That is not a replay token. Copy it whole, as Benchtop printed it.");
  }
  return { runId, seq: Number(seq), hash };
}

const version = "1";
const maxLength = 512;
/** Sequence numbers have no leading zeros, so that a point has one token only. */
const form = new RegExp(String.raw`^${version}\.(0|[1-9]\d{0,14})\.([0-9a-f]{64})\.(.+)$`);

function decoded(text: string): string {
  try {
    return atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    return "";
  }
}
