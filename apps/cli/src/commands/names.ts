import type { Subject } from "../next-steps.ts";

/** What a failure with this model would be about. */
export function modelOf(ref: string): Subject {
  const slash = ref.indexOf("/");
  return slash < 0 ? { model: ref } : { model: ref, provider: ref.slice(0, slash) };
}

/** A word as a shell takes it, for commands that are shown to be typed. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
