import { BenchtopError } from "@benchtop/protocol";

/** Far more than any input needs, and few enough that whatever walks a value can do so by recursion. */
const maxDepth = 200;

/** Parses JSON from outside. Throws `VALIDATION_FAILED` for what is none, or nested too deeply. */
export function parseJson(text: string): unknown {
  if (isTooDeep(text)) {
    throw new BenchtopError("VALIDATION_FAILED", `The JSON is nested more than ${maxDepth} levels deep.`, {
      phase: "settings",
      detail: { max_depth: maxDepth },
    });
  }
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, so it is not passed on.
    throw new BenchtopError("VALIDATION_FAILED", "This is not valid JSON.", { phase: "settings" });
  }
}

/** Read from the text, before anything is built of it. */
function isTooDeep(text: string): boolean {
  if (text.length <= maxDepth) return false;
  let depth = 0;
  for (let place = 0; place < text.length; place++) {
    const character = text.charCodeAt(place);
    if (character === quote) place = endOfString(text, place + 1);
    else if (character === openBracket || character === openBrace) {
      if (++depth > maxDepth) return true;
    } else if (character === closeBracket || character === closeBrace) depth--;
  }
  return false;
}

const [quote, backslash, openBracket, closeBracket, openBrace, closeBrace] = [34, 92, 91, 93, 123, 125];

function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === backslash) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return text.length;
}
