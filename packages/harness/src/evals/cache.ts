import { createHash } from "node:crypto";
import { canonicalJson } from "../provider/canonical-json.ts";
import type { CaseRequest, CaseResult } from "./evaluator.ts";

/** Answers to questions that were asked before. Only whole answers are kept, never failures. */
export interface EvalCache {
  get(key: string): Promise<CaseResult | undefined>;
  set(key: string, result: CaseResult): Promise<void>;
}

/** For one process. */
export function memoryCache(): EvalCache {
  const kept = new Map<string, CaseResult>();
  return {
    get: async (key) => kept.get(key),
    set: async (key, result) => void kept.set(key, result),
  };
}

/**
 * sha256 of everything that the answer depends on: model, texts, parameters, and which repetition it is. A grader's question
 * holds the rubric and the version of the grader's words.
 */
export function cacheKey(request: CaseRequest): string {
  const { purpose, model, instructions, prompt, output, maxOutputTokens, temperature, repetition } = request;
  const content = {
    version: 1,
    purpose,
    model,
    instructions,
    prompt,
    output,
    maxOutputTokens,
    temperature,
    repetition,
  };
  return createHash("sha256").update(canonicalJson(content)).digest("hex");
}
