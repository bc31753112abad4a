import type { Json } from "@benchtop/protocol";

/** JSON as a whole; undefined when the text is none. */
export function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}

/** What stands between the only pair of code fences; the text itself where there is none. */
export function insideFence(text: string): string {
  const lines = text.trim().split("\n");
  if (!/^```[\w-]*\s*$/.test(lines[0] ?? "") || lines.at(-1)?.trim() !== "```") return text;
  return lines.slice(1, -1).join("\n");
}
