import type { ScriptedAnswer, ScriptedToolCall } from "../../src/provider/conformance/dialect.ts";
import type { Random } from "./random.ts";

/** Tools that a fault run offers. Each counts how often it was executed, call by call. */
export const toolNames = ["look", "charge", "linger", "break", "report"] as const;

const words = [
  "one ",
  "zwei ",
  "三 ",
  "👩‍👩‍👧 ",
  "naïve ",
  'quote " ',
  "line\n",
  "\\slash ",
  "e\u0301 ",
  "\u2028",
  "x".repeat(300),
  "\ud83d ",
  "\u0000",
];

/**
 * What the model says at one point of a conversation, decided by the numbers alone. The longer the conversation, the likelier it is the
 * last answer. `ids` name its tool calls, so that two answers of a conversation never use the same.
 */
export function answerOf(random: Random, turns: number, ids: string): ScriptedAnswer {
  const wantsTools = turns < 6 && random.chance(0.75 - turns * 0.1);
  const text = some(random, wantsTools ? 3 : 12, () => random.pick(words));
  return {
    ...(random.chance(0.3) && { reasoning: some(random, 4, () => random.pick(words)) }),
    ...(!wantsTools && random.chance(0.05) ? { refusal: ["I would ", "rather not."] } : { text }),
    ...(wantsTools && { toolCalls: toolCalls(random, ids) }),
    usage: {
      inputTokens: random.below(400),
      outputTokens: random.below(100),
      ...(random.chance(0.3) && { cachedInputTokens: 1 + random.below(20) }),
    },
    ...(!wantsTools && random.chance(0.1) && { finish: random.pick(["length", "content-filter", "stop"] as const) }),
  };
}

function toolCalls(random: Random, ids: string): ScriptedToolCall[] {
  return Array.from({ length: 1 + random.below(3) }, (_, index) => {
    const text = JSON.stringify({ amount: random.below(100), note: random.pick(words) });
    return { id: `${ids}_${index}`, name: random.pick(toolNames), pieces: cutUp(random, text) };
  });
}

/** The text in pieces that follow each other, at times inside a character. */
export function cutUp(random: Random, text: string): string[] {
  const pieces: string[] = [];
  for (let rest = text; rest !== "";) {
    const length = 1 + random.below(12);
    pieces.push(rest.slice(0, length));
    rest = rest.slice(length);
  }
  return pieces;
}

function some<Item>(random: Random, most: number, item: () => Item): Item[] {
  return Array.from({ length: random.below(most + 1) }, item);
}
