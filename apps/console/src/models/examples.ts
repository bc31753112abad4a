export interface ExamplesCheck {
  readonly count: number;
  /** The first line that cannot be learnt from, in words. */
  readonly problem: string | undefined;
}

/**
 * Looks at training examples before they are sent: how many there are, and the first line that is none. The trainer checks
 * every one again.
 */
export function checkExamples(text: string): ExamplesCheck {
  let count = 0;
  let problem: string | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    count++;
    const wrong = problem === undefined ? whatIsWrong(line) : undefined;
    if (wrong !== undefined) problem = `Line ${index + 1} ${wrong}.`;
  }
  return { count, problem };
}

function whatIsWrong(line: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return "is no JSON: each line has to be one JSON object";
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "is no JSON object";
  if ("messages" in value) return Array.isArray(value.messages) ? undefined : "has `messages` that are no list";
  if ("prompt" in value || "completion" in value) {
    const isPair =
      "prompt" in value &&
      "completion" in value &&
      typeof value.prompt === "string" &&
      typeof value.completion === "string";
    return isPair ? undefined : "has to have `prompt` and `completion`, both texts";
  }
  if ("text" in value && typeof value.text === "string") return undefined;
  return "has neither `messages` nor `prompt` and `completion` nor `text`";
}
