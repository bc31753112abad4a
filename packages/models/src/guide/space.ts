import { neutralWords } from "./neutral-words.ts";
import { stemOf } from "./words.ts";

/**
 * The questions that the guide was trained on, as bags of stems, those of one subject together. It holds no answer, and does
 * not know which subject is which.
 */
export interface QuestionSpace {
  readonly stems: readonly string[];
  /** The numbers of the stems of each question. */
  readonly questions: readonly Uint16Array[];
  /** How many questions each subject has, in their order. */
  readonly subjects: readonly number[];
}

export function spaceOf(subjects: readonly (readonly (readonly string[])[])[]): QuestionSpace {
  const stems = [...new Set(subjects.flat(2))].sort();
  const numbers = new Map(stems.map((stem, number) => [stem, number]));
  const numbered = (question: readonly string[]): Uint16Array =>
    Uint16Array.from(new Set(question), (stem) => numbers.get(stem) ?? 0).sort();
  return {
    stems,
    questions: subjects.flat().map(numbered),
    subjects: subjects.map(({ length }) => length),
  };
}

/** How a question lies in the space. Weights are those of the stems: rare ones say much, `the` says next to nothing. */
export interface Nearness {
  /** The cosine of the nearest known question. */
  readonly nearest: number;
  /** The share of its weight that known stems have. */
  readonly known: number;
  /** The share that the stems of one subject have, of the subject that has most. */
  readonly subject: number;
  /** How many stems that say something are known, and how many are not. */
  readonly knownStems: number;
  readonly unknownStems: number;
}

export class SpaceIndex {
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #weights: readonly number[];
  readonly #norms: readonly number[];
  /** The questions of each stem, and the subjects. */
  readonly #questions: readonly (readonly number[])[];
  readonly #subjects: readonly (readonly number[])[];
  readonly #unknownWeight: number;
  readonly #byLength: ReadonlyMap<number, readonly string[]>;

  constructor(space: QuestionSpace) {
    this.#numbers = new Map(space.stems.map((stem, number) => [stem, number]));
    const questions: number[][] = space.stems.map(() => []);
    const subjects: number[][] = space.stems.map(() => []);
    // Plain loops: this is run once, before the first answer, and by nothing that was compiled yet.
    let question = 0;
    for (let subject = 0; subject < space.subjects.length; subject++) {
      const end = question + (space.subjects[subject] ?? 0);
      for (; question < end; question++) {
        const bag = space.questions[question] ?? new Uint16Array();
        for (let at = 0; at < bag.length; at++) {
          const stem = bag[at] ?? 0;
          questions[stem]?.push(question);
          const known = subjects[stem];
          if (known?.at(-1) !== subject) known?.push(subject);
        }
      }
    }
    this.#questions = questions;
    this.#subjects = subjects;
    this.#unknownWeight = Math.log(space.questions.length + 1);
    const weights = space.stems.map((stem, number) => {
      const weight = Math.log((space.questions.length + 1) / (questions[number]?.length ?? 1));
      return neutral.has(stem) ? Math.min(weight, mostOfNeutral) : weight;
    });
    this.#weights = weights;
    this.#norms = space.questions.map((bag) => {
      let squares = 0;
      for (let at = 0; at < bag.length; at++) squares += (weights[bag[at] ?? 0] ?? 0) ** 2;
      return Math.sqrt(squares);
    });
    this.#byLength = Map.groupBy(space.stems, ({ length }) => length);
  }

  near(stems: readonly string[]): Nearness {
    const sums = { all: 0, known: 0, squares: 0, knownStems: 0, unknownStems: 0 };
    const dots = new Map<number, number>();
    const shares = new Map<number, number>();
    for (const stem of new Set(stems)) {
      const number = this.#numbers.get(stem) ?? (sums.unknownStems < mostCorrected ? this.#misspelt(stem) : undefined);
      const isNeutral = neutral.has(stem);
      const weight = this.#weightOf(number, isNeutral);
      sums.all += weight;
      sums.squares += weight ** 2;
      if (number !== undefined || isNeutral) sums.known += weight;
      if (!isNeutral) sums[number === undefined ? "unknownStems" : "knownStems"] += 1;
      if (number === undefined) continue;
      for (const question of this.#questions[number] ?? []) dots.set(question, (dots.get(question) ?? 0) + weight ** 2);
      for (const subject of this.#subjects[number] ?? []) shares.set(subject, (shares.get(subject) ?? 0) + weight);
    }
    const norm = Math.sqrt(sums.squares) || 1;
    let nearest = 0;
    for (const [question, dot] of dots) nearest = Math.max(nearest, dot / (norm * (this.#norms[question] || 1)));
    const subject = Math.max(0, ...shares.values());
    const { all, known, knownStems, unknownStems } = sums;
    return { nearest, known: known / (all || 1), subject: subject / (all || 1), knownStems, unknownStems };
  }

  #weightOf(number: number | undefined, isNeutral: boolean): number {
    if (number !== undefined) return this.#weights[number] ?? 0;
    return isNeutral ? unknownNeutral : this.#unknownWeight;
  }

  /** The known stem that a longer one is but for one letter: changed, added, left out, or two that changed places. */
  #misspelt(stem: string): number | undefined {
    if (stem.length < shortestCorrected || stem.length > longestCorrected || neutral.has(stem)) return undefined;
    for (const length of [stem.length, stem.length - 1, stem.length + 1]) {
      const found = this.#byLength.get(length)?.find((known) => known[0] === stem[0] && isOneSlipAway(known, stem));
      if (found !== undefined) return this.#numbers.get(found);
    }
    return undefined;
  }
}

const neutral: ReadonlySet<string> = new Set(neutralWords.map(stemOf));
const mostOfNeutral = 1.5;
const unknownNeutral = 1;

/** Shorter stems are other words more often than slips. A question with many words that nobody knows is none about Benchtop. */
const shortestCorrected = 6;
const longestCorrected = 20;
const mostCorrected = 8;

function isOneSlipAway(left: string, right: string): boolean {
  let start = 0;
  while (start < left.length && left[start] === right[start]) start += 1;
  let end = 0;
  const shorter = Math.min(left.length, right.length);
  while (end < shorter - start && left.at(-1 - end) === right.at(-1 - end)) end += 1;
  const [ofLeft, ofRight] = [left.slice(start, left.length - end), right.slice(start, right.length - end)];
  if (ofLeft.length <= 1 && ofRight.length <= 1) return true;
  return ofLeft.length === 2 && ofRight.length === 2 && ofLeft[0] === ofRight[1] && ofLeft[1] === ofRight[0];
}
