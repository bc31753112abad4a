import type { Json } from "@benchtop/protocol";

/** What the models of all servers of tests say, whatever protocol they are asked by. */
export interface Thought {
  readonly words: readonly string[];
  readonly reasoning?: string;
  readonly calls?: readonly { readonly name: string; readonly arguments: { readonly [name: string]: Json } }[];
  readonly isEndless?: boolean;
  readonly isCut?: boolean;
}

export interface Question {
  readonly model: string;
  readonly text: string;
  readonly hasTools: boolean;
  readonly schema: unknown;
  readonly grammar: unknown;
  readonly maxTokens: number | undefined;
}

export function think({ model, text, hasTools, schema, grammar, maxTokens }: Question): Thought {
  if (hasTools) {
    return {
      words: [],
      calls: [
        { name: "look_up", arguments: { word: "é\n" } },
        { name: "look_up", arguments: { word: "b" } },
      ],
    };
  }
  if (schema !== undefined) return { words: ['{"ans', 'wer":"y', 'es"}'] };
  if (typeof grammar === "string") return { words: ["yes"] };
  if (text.includes("endless")) return { words: ["again "], isEndless: true };
  const words = `Hello from ${model}, says the wörld 🌍.`.split(/(?<= )/);
  if (maxTokens !== undefined && maxTokens < words.length) return { words: words.slice(0, maxTokens), isCut: true };
  return { words, ...(text.includes("think") && { reasoning: "Hm. " }) };
}

export const tokensOf = (thought: Thought): { readonly input: number; readonly output: number } => ({
  input: 11,
  output: Math.max(1, thought.words.length),
});

export const embeddingDimensions = 4;
/** Texts with more characters are too long for the model. */
export const longestEmbedded = 2000;

export function vectorFor(text: string): number[] {
  const codes = Array.from(text, (character) => character.codePointAt(0) ?? 0);
  return [codes[0] ?? 0, text.length, codes.reduce((sum, code) => sum + code, 0) % 97, 1];
}
