import type { EvalCase, FinishReason, RunEvent, Usage, Verdict } from "@benchtop/protocol";
import type { OutputSchema } from "../provider/provider.ts";

/** One question to a model: a case of the suite, or a grader's look at the answer to one. */
export interface CaseRequest {
  readonly purpose: "answer" | "grading";
  readonly caseId: string;
  readonly repetition: number;
  /** `provider/model`. */
  readonly model: string;
  readonly instructions?: string;
  readonly prompt: string;
  readonly output?: OutputSchema;
  readonly maxOutputTokens?: number;
  readonly temperature?: number;
}

/** What came of a question. Times in milliseconds, money in micro-dollars. */
export interface CaseResult {
  readonly output: string;
  readonly finishReason?: FinishReason;
  readonly usage?: Usage;
  readonly costMicros?: number;
  readonly durationMs: number;
  readonly firstTokenMs?: number;
  /** The run in which it was asked. */
  readonly runId?: string;
  /** The journal of that run, where whoever asked has it. */
  readonly events?: readonly RunEvent[];
  /** There is no answer, and why; what was used until then is in the other fields. */
  readonly error?: { readonly code: string; readonly message: string };
  readonly cached?: boolean;
}

/** Asks a question. May reject, which counts as a result with that error; the signal aborts when nobody waits any more. */
export type RunCase = (request: CaseRequest, signal: AbortSignal) => Promise<CaseResult>;

/** What an evaluator looks at. */
export interface Judged {
  readonly case: EvalCase;
  readonly output: string;
  readonly result: CaseResult;
  readonly events: readonly RunEvent[];
  readonly repetition: number;
  /** What the model was asked. */
  readonly prompt: string;
  /** Asks a model on the evaluator's behalf, through the cache and the budget of the run. */
  readonly ask: (request: Omit<CaseRequest, "purpose" | "caseId" | "repetition">) => Promise<CaseResult>;
}

export type Judgement = Omit<Verdict, "evaluator">;

/**
 * Judges one answer. What it throws is an `ungraded` verdict, never a pass. Must give the same judgement for the same answer,
 * or say so in its documentation, because answers are cached and judged again.
 */
export interface Evaluator {
  /** Unique within a suite. */
  readonly name: string;
  evaluate(judged: Judged, signal: AbortSignal): Promise<Judgement> | Judgement;
}

/** An evaluator of the caller's own: a function that scores an answer between 0 and 1. */
export function customEvaluator(
  name: string,
  score: (judged: Judged, signal: AbortSignal) => Promise<CustomScore> | CustomScore,
  threshold = 1,
): Evaluator {
  return {
    name,
    async evaluate(judged, signal) {
      const said = await score(judged, signal);
      const value = typeof said === "number" ? said : typeof said === "boolean" ? Number(said) : said.score;
      const reason = typeof said === "object" ? said.reason : "";
      if (!Number.isFinite(value) || value < 0 || value > 1) return ungraded(`The score is not between 0 and 1.`);
      return scored(value, threshold, reason === "" ? `Scored ${value}.` : reason);
    },
  };
}
export type CustomScore = number | boolean | { readonly score: number; readonly reason: string };

export function scored(score: number, threshold: number, reason: string): Judgement {
  return { outcome: score >= threshold ? "passed" : "failed", score, reason };
}

export function verdict(isPassed: boolean, reason: string): Judgement {
  return { outcome: isPassed ? "passed" : "failed", score: isPassed ? 1 : 0, reason };
}

export function ungraded(reason: string): Judgement {
  return { outcome: "ungraded", score: null, reason };
}
