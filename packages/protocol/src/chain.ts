import { hash } from "node:crypto";

/** The head of a journal without events. */
export const emptyHead = "";

/** Each event's hash covers the one before it: hash = sha256(previous hash + the event's JSON text), in lower-case hex. */
export function linkHash(previous: string, body: string): string {
  return hash("sha256", previous + body, "hex");
}
