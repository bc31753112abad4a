import { setTimeout as wait } from "node:timers/promises";
import { BenchtopError } from "@benchtop/protocol";
import { negotiate, type Candidate, type Needs } from "../model/candidates.ts";
import type { ModelConstraints } from "../model/model.ts";
import { callProvider, type Answer, type CallOutcome, type Prompt } from "../run/call-provider.ts";
import type { RunScope } from "../run/scope.ts";
import type { Past } from "../replay/past.ts";
import type { CircuitBreaker } from "./circuit-breaker.ts";
import { retryDelayMs, type RetryPolicy } from "./policy.ts";

type Candidates = readonly [Candidate, ...Candidate[]];

/** The models that may serve a run, as it goes: whoever answered last is asked first next time. */
export class Plan {
  readonly retry: RetryPolicy;
  readonly breaker: CircuitBreaker | undefined;
  readonly #constraints: ModelConstraints;
  #candidates: readonly Candidate[];

  constructor(parts: {
    readonly candidates: readonly Candidate[];
    readonly constraints?: ModelConstraints | undefined;
    readonly retry: RetryPolicy;
    readonly breaker?: CircuitBreaker | undefined;
  }) {
    this.#candidates = parts.candidates;
    this.#constraints = parts.constraints ?? {};
    this.retry = parts.retry;
    this.breaker = parts.breaker;
  }

  get candidates(): readonly Candidate[] {
    return this.#candidates;
  }

  /** Who can serve a request, best first; who cannot is journaled with the reason. Throws when nobody can. */
  async negotiate(run: RunScope, needs: Needs, purpose?: Prompt["purpose"]): Promise<Candidates> {
    const { past } = run;
    const { fit, skipped } = past ? this.#recorded(past, purpose) : this.#negotiate(needs);
    if (skipped.length > 0 && !past) {
      await run.emit({ type: "CandidatesSkipped", skipped: [...skipped], ...(purpose && { purpose }) });
    }
    const [first, ...others] = fit;
    if (!first) throw nobody(skipped);
    return [first, ...others];
  }

  /** This one answered: the run stays with it. */
  prefer(candidate: Candidate): void {
    if (this.#candidates[0] === candidate) return;
    this.#candidates = [candidate, ...this.#candidates.filter((other) => other !== candidate)];
  }

  /**
   * A prompt that is too long for everybody will be made shorter, so its length excludes nobody then. And a provider that is
   * left alone is asked all the same where nobody else is left: once, for it may be back, and there is nothing to lose.
   */
  #negotiate(needs: Needs): ReturnType<typeof negotiate> {
    const short = { ...needs, tokens: 0 };
    const found = negotiate(this.#candidates, needs, this.#constraints, this.breaker);
    if (found.fit.length > 0) return found;
    const shortened = negotiate(this.#candidates, short, this.#constraints, this.breaker);
    return shortened.fit.length > 0 ? shortened : negotiate(this.#candidates, short, this.#constraints);
  }

  #recorded(past: Past, purpose: Prompt["purpose"]): ReturnType<typeof negotiate> {
    const skipped = past.takeIf("CandidatesSkipped", (event) => event.purpose === purpose)?.skipped ?? [];
    const isSkipped = ({ provider, modelId }: Candidate): boolean =>
      skipped.some((one) => one.providerId === provider.id && one.modelId === modelId);
    return { fit: this.#candidates.filter((candidate) => !isSkipped(candidate)), skipped };
  }
}

/**
 * Asks one candidate after the other until one answers: each again after a failure that may pass, with a wait between, then
 * the next one. Every attempt is a provider call of its own in the journal, the text it gave before it failed included; what
 * finished before, tool calls above all, is not touched. Throws the last failure.
 */
export async function askModel(
  run: RunScope,
  plan: Plan,
  fit: Candidates,
  prompt: Prompt,
  tokensLeftFor: (candidate: Candidate) => Promise<number>,
): Promise<Answer> {
  for (let place = 0, attempt = 1; ;) {
    const candidate = fit[place] as Candidate;
    const tokensLeft = await tokensLeftFor(candidate);
    const isRecorded = run.past !== undefined;
    const outcome = await watched(run, plan, candidate, () =>
      callProvider(run, { candidate, attempt, tokensLeft }, prompt),
    );
    if ("answer" in outcome) {
      plan.prefer(candidate);
      return outcome.answer;
    }
    const { callId, error } = outcome;
    // The process ended while this call was going: it is made once more, and does not count.
    if (isRecorded && error.code === "RUN_INTERRUPTED" && !run.signal.aborted) continue;

    const next = run.past
      ? recordedAttempt(run.past, fit, place)
      : nextAttempt(plan, fit, place, attempt, error, run.signal.aborted);
    if (!next) throw error;
    const asked = fit[next.place] as Candidate;
    if (!next.isRecorded) {
      await run.emit({
        type: "RetryScheduled",
        callId,
        attempt: next.attempt,
        delayMs: next.delayMs,
        error: { message: error.message, ...error.info },
        reason: next.place === place ? "retry" : "fallback",
        providerId: asked.provider.id,
        modelId: asked.modelId,
      });
      await pause(next.delayMs, run.signal);
    }
    ({ place, attempt } = next);
  }
}

/** Lets the circuit breaker know how a call went. What is recorded says nothing of how the provider is now. */
async function watched(
  run: RunScope,
  { breaker }: Plan,
  { provider }: Candidate,
  call: () => Promise<CallOutcome>,
): Promise<CallOutcome> {
  if (!breaker || run.past) return await call();
  breaker.began(provider.id);
  try {
    const outcome = await call();
    if ("answer" in outcome) breaker.succeeded(provider.id);
    else breaker.failed(provider.id, outcome.error);
    return outcome;
  } catch (thrown) {
    breaker.failed(provider.id, BenchtopError.from(thrown));
    throw thrown;
  }
}

interface NextAttempt {
  readonly place: number;
  readonly attempt: number;
  readonly delayMs: number;
  readonly isRecorded?: boolean;
}

function recordedAttempt(past: Past, fit: readonly Candidate[], current: number): NextAttempt | undefined {
  const scheduled = past.takeIf("RetryScheduled");
  if (!scheduled) return undefined;
  const { attempt, delayMs, providerId, modelId } = scheduled;
  const place = fit.findIndex(({ provider, modelId: id }) => provider.id === providerId && id === modelId);
  if (place < 0) past.differs(scheduled, "modelId", `${providerId}/${modelId}`, "a plan without it");
  return { place: place < 0 ? current : place, attempt, delayMs, isRecorded: true };
}

function nextAttempt(
  plan: Plan,
  fit: readonly Candidate[],
  place: number,
  attempt: number,
  error: BenchtopError,
  aborted: boolean,
): NextAttempt | undefined {
  if (aborted || error.code === "USER_CANCELED") return undefined;
  const isResting = plan.breaker?.waitMs((fit[place] as Candidate).provider.id) !== undefined;
  const delayMs = isResting ? undefined : retryDelayMs(plan.retry, attempt, error);
  if (delayMs !== undefined) return { place, attempt: attempt + 1, delayMs };
  if (place + 1 < fit.length && mayAskAnother(error)) return { place: place + 1, attempt: 1, delayMs: 0 };
  return undefined;
}

/** What failed at one provider may work at another; a refusal of ours (consent, policy, budget) holds for all. */
function mayAskAnother(error: BenchtopError): boolean {
  return error.category === "provider" || error.code === "VALIDATION_FAILED";
}

async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  if (delayMs <= 0) return;
  try {
    await wait(delayMs, undefined, { signal });
  } catch {
    throw BenchtopError.from(signal.reason, "USER_CANCELED");
  }
}

function nobody(skipped: readonly { reason: string; modelId: string }[]): BenchtopError {
  const why = skipped.map(({ modelId, reason }) => `${modelId}: ${reason}`).join("; ");
  return new BenchtopError("VALIDATION_FAILED", `No model of the plan can be asked: ${why}.`, {
    actions: ["switch_model", "open_settings"],
  });
}
