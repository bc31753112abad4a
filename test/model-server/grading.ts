/**
 * What a careful grader answers to a question of the evaluations' own wording (`packages/harness/src/evals/grader.ts`): full
 * marks for an answer that holds what was expected, none otherwise. Undefined when the prompt is no such question.
 */
export function gradeFor(prompt: string): string | undefined {
  const [, mark = "", json = ""] = /<data-([0-9a-f]{16})>\n([\s\S]*?)\n<\/data-\1>/.exec(prompt) ?? [];
  if (mark === "") return undefined;
  const { expected, answer } = JSON.parse(json) as { expected?: unknown; answer: string };
  const isRight = answer.includes(String(expected));
  const reason = isRight ? "It says what was expected." : "It does not say what was expected.";
  return JSON.stringify({ mark, reason, score: isRight ? 1 : 0 });
}
