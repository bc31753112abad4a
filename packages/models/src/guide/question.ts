import { wordsOf } from "./words.ts";

/**
 * A question as the guide is asked it, and was taught it: its words in lower case, without punctuation, contractions written out.
 * A model of its size has no strength to spare for telling "What's" from "what is".
 */
export function plainQuestion(question: string): string {
  return wordsOf(question).words.join(" ");
}
