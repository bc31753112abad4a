import type { Json } from "@benchtop/protocol";

/** Deeper values can be parsed, but then overflow the stack of whoever writes them down. */
const deepestNesting = 500;

/** What a model wrote, as JSON; undefined when it is none, or nested deeper than anybody means to. */
export function parseModelJson(text: string): Json | undefined {
  if (!isShallow(text)) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

function isShallow(text: string): boolean {
  let depth = 0;
  for (const bracket of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gs)) {
    if (bracket[0] === "[" || bracket[0] === "{") depth += 1;
    else if (bracket[0] === "]" || bracket[0] === "}") depth -= 1;
    if (depth > deepestNesting) return false;
  }
  return true;
}
