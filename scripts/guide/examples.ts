import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { plainQuestion } from "../../packages/models/src/guide/question.ts";

/** What the guide is made from. */
export const guideFolder = resolve(import.meta.dirname, "../../models/guide");

export interface Topic {
  readonly id: string;
  readonly answer: string;
  readonly questions: readonly string[];
}

export interface HeldOutQuestion {
  readonly question: string;
  readonly topic: string;
}

export interface OutsideQuestion {
  readonly question: string;
  readonly kind: string;
  /** `gate` may be fitted with, `test` is never. */
  readonly split: "gate" | "test";
}

export const readTopics = (): Topic[] => linesOf("topics.jsonl");
/** What the guide is scored by. */
export const readHeldOut = (): HeldOutQuestion[] => heldOut().filter((_, at) => at % 5 !== 0);
/** Every fifth: by them it was chosen how sure the model has to be of its first words. They are no part of the score. */
export const readTuning = (): HeldOutQuestion[] => heldOut().filter((_, at) => at % 5 === 0);
const heldOut = (): HeldOutQuestion[] => linesOf("held-out.jsonl");
export const readOutside = (): OutsideQuestion[] => linesOf("outside.jsonl");

/**
 * The examples that the guide is trained on, as JSON Lines: every question as it is, and in `variants` ways in which people differ when
 * they ask the same: words left out, mistyped, and some words of several questions in any order. The last is what matters most: it teaches
 * which words speak for a topic, whatever stands around them. The same topics and seed give the same lines.
 */
export function trainingExamples(topics: readonly Topic[], variants: number, seed: number): string {
  const random = generator(seed);
  const lines = topics.flatMap(({ answer, questions }) => {
    const asked = questions.map((question) => plainQuestion(question).split(" "));
    return asked.flatMap((words) => {
      const varied = Array.from({ length: variants }, (_, at) => varyWords(words, asked, at, random));
      return [
        conversation(words.join(" "), answer),
        ...varied.map((each) => conversation(each.join(" "), beginningOf(answer), { unfinished: true })),
      ];
    });
  });
  return `${shuffled(lines, random).join("\n")}\n`;
}

/** The words that tell which answer it is; the rest of it follows from them, and is learnt from the question as it is. */
function beginningOf(answer: string): string {
  return answer.split(" ").slice(0, 7).join(" ");
}

function conversation(question: string, answer: string, more: object = {}): string {
  const messages = [
    { role: "user", content: question },
    { role: "assistant", content: answer },
  ];
  return JSON.stringify({ messages, ...more });
}

function varyWords(
  words: readonly string[],
  siblings: readonly (readonly string[])[],
  variant: number,
  random: () => number,
): readonly string[] {
  switch (variant % 4) {
    case 0:
      return withoutSome(words, random);
    case 1:
      return mistyped(withoutSome(words, random), random);
    default:
      return gathered(words, siblings, random);
  }
}

/** Some words of three questions on one topic, in any order. */
function gathered(
  words: readonly string[],
  siblings: readonly (readonly string[])[],
  random: () => number,
): readonly string[] {
  const any = () => siblings[Math.floor(random() * siblings.length)] ?? words;
  const share = 0.2 + 0.4 * random();
  const kept = [...new Set([...words, ...any(), ...any()])].filter(() => random() < share);
  return kept.length === 0 ? words : shuffled(kept, random);
}

/** Each word has one chance in six to go; at least half of them stay. */
function withoutSome(words: readonly string[], random: () => number): readonly string[] {
  if (words.length < 3) return words;
  const kept = words.filter(() => random() > 1 / 6);
  return kept.length * 2 >= words.length ? kept : words;
}

/** One letter of one longer word is doubled, left out, or changes places with the next. */
function mistyped(words: readonly string[], random: () => number): readonly string[] {
  const long = words.flatMap((word, at) => (word.length >= 5 ? [at] : []));
  const at = long[Math.floor(random() * long.length)];
  if (at === undefined) return words;
  const word = words[at] ?? "";
  const letter = 1 + Math.floor(random() * (word.length - 2));
  const [before, one = "", other = "", after] = [
    word.slice(0, letter),
    word[letter],
    word[letter + 1],
    word.slice(letter + 2),
  ];
  const written = [one + one + other, other, other + one][Math.floor(random() * 3)];
  return words.with(at, `${before}${written}${after}`);
}

function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  const mixed = [...items];
  for (let at = mixed.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    [mixed[at], mixed[other]] = [mixed[other] as Item, mixed[at] as Item];
  }
  return mixed;
}

/** Mulberry32: the same numbers for the same seed. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function linesOf<Line>(file: string): Line[] {
  const lines = readFileSync(join(guideFolder, file), "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Line);
}
