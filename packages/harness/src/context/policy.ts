import { BenchtopError } from "@benchtop/protocol";

/** What a prompt is made of, besides what the run itself adds, which always comes last. */
export type ContextPart = "instructions" | "memory" | "history" | "input";

/** How a conversation is fitted into what a model can read. */
export interface ContextPolicy {
  /** Tokens of prompt and answer together. The candidate's `contextTokens` when absent, or the smaller of the two; else 120,000. */
  readonly maxTokens?: number | undefined;
  /** Tokens kept free for the answer. What the candidate may say at most when absent, else 8,192; at most half the window. */
  readonly reservedOutputTokens?: number | undefined;
  /** Messages, the instructions not counted; 400 when absent. */
  readonly maxMessages?: number | undefined;
  /**
   * Order of the parts; each exactly once. Instructions, history, memory, input when absent: what changes from run to run
   * comes last, so that a provider's prompt cache knows what comes before.
   */
  readonly order?: readonly ContextPart[] | undefined;
  /** Parts that are never dropped. The instructions, the input, hints and working notes never are. */
  readonly pinned?: readonly ContextPart[] | undefined;
  /** What becomes of the oldest messages when not all fit: dropped, or told in a summary that a model writes. `drop` when absent. */
  readonly overflow?: "drop" | "summarize" | undefined;
  /**
   * Part of the limit that a prompt is brought down to once it is over it, so that the next calls only append and a
   * provider's prompt cache keeps its worth; 0.75 when absent.
   */
  readonly targetRatio?: number | undefined;
}

/** Whom the conversation is shown to. A candidate of a plan is one. */
export interface ContextTarget {
  readonly providerId: string;
  readonly modelId: string;
  /** Tokens of prompt and answer that the model can hold. */
  readonly contextTokens?: number | undefined;
  readonly maxOutputTokens?: number | undefined;
  /** What tools, and whatever else is sent beside the messages, are estimated to take. */
  readonly extraTokens?: number | undefined;
  /** Tokens that the provider reports for each one that is counted here, where that is known from before. */
  readonly tokenRatio?: number | undefined;
}

/** A policy applied to one target. */
export interface ContextLimits {
  /** Tokens of everything that is sent. */
  readonly tokenLimit: number;
  /** What it is brought down to once it is over the limit. */
  readonly tokenTarget: number;
  readonly maxMessages: number;
}

export const defaultOrder = ["instructions", "history", "memory", "input"] as const satisfies readonly ContextPart[];

/** Throws `VALIDATION_FAILED` for a policy that nothing can satisfy. */
export function checkPolicy(policy: ContextPolicy): void {
  for (const name of ["maxTokens", "reservedOutputTokens", "maxMessages"] as const) {
    const value = policy[name];
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0))
      refuse(`${name} must be a positive integer`);
  }
  const { maxTokens, reservedOutputTokens, targetRatio = 1, order = defaultOrder } = policy;
  if (maxTokens !== undefined && reservedOutputTokens !== undefined && reservedOutputTokens >= maxTokens) {
    refuse("reservedOutputTokens must be less than maxTokens");
  }
  if (!(targetRatio > 0 && targetRatio <= 1)) refuse("targetRatio must be above 0 and at most 1");
  if (order.length !== defaultOrder.length || !defaultOrder.every((part) => order.includes(part))) {
    refuse(`order must name ${defaultOrder.join(", ")}, each once`);
  }
}

export function contextLimits(policy: ContextPolicy, target: Partial<ContextTarget> = {}): ContextLimits {
  const window = Math.min(
    policy.maxTokens ?? target.contextTokens ?? defaultWindow,
    target.contextTokens ?? Number.POSITIVE_INFINITY,
  );
  const wanted = policy.reservedOutputTokens ?? target.maxOutputTokens ?? usualAnswer;
  const tokenLimit = window - Math.min(wanted, Math.floor(window / 2));
  return {
    tokenLimit,
    tokenTarget: Math.floor(tokenLimit * (policy.targetRatio ?? 0.75)),
    maxMessages: policy.maxMessages ?? 400,
  };
}

/** Window of a model that says nothing of its own. */
const defaultWindow = 120_000;
const usualAnswer = 8192;

function refuse(why: string): never {
  throw new BenchtopError("VALIDATION_FAILED", `The context policy cannot be kept: ${why}.`);
}
