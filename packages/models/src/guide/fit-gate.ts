import { featuresOf, probability, type GateParameters, type LogisticModel, type QuestionFeatures } from "./gate.ts";
import { fitLinear, piecesOf, type Example } from "./linear.ts";
import { fitLogistic, type Observation } from "./logistic.ts";
import { spaceOf, SpaceIndex } from "./space.ts";
import { wordsOf } from "./words.ts";

/** What a gate is fitted with. */
export interface GateQuestions {
  /** Questions of the guide's training, those of one subject together. */
  readonly inside: readonly (readonly string[])[];
  /** Questions that the guide must not answer. */
  readonly outside: readonly string[];
}

export interface FittedGate {
  readonly parameters: GateParameters;
  /** Of questions that were left out of what judged them, the shares that were judged right. */
  readonly accepted: number;
  readonly refused: number;
}

/**
 * Fits a gate; the same questions give the same parameters. Each question is judged by a model that has not seen it (the rest of
 * its subject it has), as a question of a person will be; from these judgements come the weights of the features and the threshold.
 */
export function fitGate({ inside, outside }: GateQuestions): FittedGate {
  const asked: Asked[] = [
    ...inside.flatMap((subject, number) =>
      subject.map((question, at) => ({ question, subject: number, fold: (at + number) % folds })),
    ),
    ...outside.map((question, at) => ({ question, subject: null, fold: at % folds })),
  ];
  const balance = asked.filter(isInside).length / Math.max(1, outside.length);
  const judged = Array.from({ length: folds }, (_, fold) => {
    const { index, linear } = fitParts(
      asked.filter((each) => each.fold !== fold),
      balance / 2,
    );
    return asked
      .filter((each) => each.fold === fold)
      .flatMap((each) => {
        const found = featuresOf(each.question, index, linear);
        return found === null || (isInside(each) && knowsNothing(found)) ? [] : { each, features: found.features };
      });
  }).flat();
  const decision = fitLogistic(judged.map(({ each, features }) => observation(each, features, balance)));
  const scored = judged.map(({ each, features }) => ({ each, score: probability(decision, features) }));
  const threshold = bestThreshold(scored);
  const { space, linear } = fitParts(asked, balance / 2);
  return {
    parameters: { space, linear, decision: roundedModel(decision), threshold },
    accepted: share(
      scored.filter(({ each }) => isInside(each)),
      ({ score }) => score >= threshold,
    ),
    refused: share(
      scored.filter(({ each }) => !isInside(each)),
      ({ score }) => score < threshold,
    ),
  };
}

interface Asked {
  readonly question: string;
  /** Null outside what the guide learnt. */
  readonly subject: number | null;
  readonly fold: number;
}

const folds = 10;

const isInside = ({ subject }: Asked): boolean => subject !== null;

/** A keyword of which no other question has a word cannot be told from anything else, so nothing is learnt from it. */
function knowsNothing({ knownStems, unknownStems }: QuestionFeatures): boolean {
  return knownStems === 0 && unknownStems > 0;
}

function fitParts(asked: readonly Asked[], outsideWeight: number) {
  const words = asked.map((each) => ({ ...each, words: wordsOf(each.question) }));
  const subjects = Map.groupBy(
    words.filter((each) => each.subject !== null),
    ({ subject }) => subject,
  );
  const space = spaceOf([...subjects.values()].map((subject) => subject.map(({ words }) => words.stems)));
  const examples = words.map(({ words, subject }): Example => {
    const inside = subject !== null;
    return { pieces: piecesOf(words), inside, weight: inside ? 1 : outsideWeight };
  });
  return { space, index: new SpaceIndex(space), linear: fitLinear(examples) };
}

function observation(asked: Asked, features: readonly number[], balance: number): Observation {
  return isInside(asked) ? { features, isOne: true, weight: 1 } : { features, isOne: false, weight: balance };
}

/**
 * The threshold at which most is right. A question that is wrongly let through may be answered with something wrong, and one that is
 * wrongly refused is asked again in other words: so the one counts for more than the other. Whole questions alone are counted, since
 * they are what people ask; a keyword that was left out of what judges it is a word that nobody knows.
 */
function bestThreshold(scored: readonly { readonly each: Asked; readonly score: number }[]): number {
  const inside = scored
    .filter(({ each }) => isInside(each) && wordsOf(each.question).words.length >= wholeQuestion)
    .map(({ score }) => score);
  const outside = scored.filter(({ each }) => !isInside(each)).map(({ score }) => score);
  let best = { threshold: 0.5, worth: 0 };
  for (let step = 1; step < 200; step++) {
    const threshold = step / 200;
    const worth =
      acceptedCounts * share(inside, (score) => score >= threshold) + share(outside, (score) => score < threshold);
    if (worth > best.worth) best = { threshold, worth };
  }
  return best.threshold;
}

const wholeQuestion = 4;
const acceptedCounts = 0.6;

function share<T>(all: readonly T[], isRight: (each: T) => boolean): number {
  return all.length === 0 ? 0 : all.filter(isRight).length / all.length;
}

function roundedModel({ weights, intercept }: LogisticModel): LogisticModel {
  return { weights: weights.map(rounded), intercept: rounded(intercept) };
}

function rounded(value: number): number {
  return Number(value.toPrecision(6));
}
