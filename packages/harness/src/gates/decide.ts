import { BenchtopError, type EventInput, type EventOf } from "@benchtop/protocol";
import type { RunScope } from "../run/scope.ts";
import { round } from "../run/totals.ts";
import type { Gate, GateAsk, GateMode, GatePoint, GateSubject, Verdict } from "./gate.ts";

/** What gates need of a run: a `RunScope` is one. */
export interface GatedRun extends Pick<RunScope, "runId" | "signal" | "emit" | "write"> {
  readonly past?: { take(type: "GateDecided"): EventOf<"GateDecided"> | undefined } | undefined;
}

/** What all gates together say. `text` is there when it was redacted, and stands in the place of the subject's own. */
export type GateDecision =
  | { readonly decision: "allow"; readonly text?: string }
  | { readonly decision: "deny"; readonly gate: string; readonly reason: string }
  | { readonly decision: "ask"; readonly gate: string; readonly question: string };

/**
 * Asks every gate of this point, in order, and journals what each says; what an enforcing gate says before the next thing
 * happens. What the journal already says is not asked again.
 *
 * The first refusal of an enforcing gate ends it: no later gate is asked. A question waits until all were asked, for a
 * person is asked only about what no gate refuses. Redactions chain: each gate sees what the ones before it left.
 * Rejects when the run is canceled, when the journal fails, and with `REPLAY_DIVERGED` when the journal holds the decision of
 * another gate at this place.
 */
export async function decideGates(
  run: GatedRun,
  gates: readonly Gate[],
  subject: GateSubject,
  askModel?: GateAsk,
): Promise<GateDecision> {
  let current = subject;
  const questions: { readonly gate: string; readonly question: string }[] = [];
  for (const gate of gates) {
    if (!gate.points.includes(subject.point)) continue;
    const decided = recorded(run, gate, current) ?? (await decide(run, gate, current, askModel));
    if (decided.mode === "shadow") continue;
    const { decision, reason = "", replacement } = decided;
    if (decision === "deny") return { decision, gate: gate.name, reason };
    if (decision === "ask") questions.push({ gate: gate.name, question: reason });
    if (decision === "redact" && replacement !== undefined) current = withText(current, replacement);
  }
  if (questions.length > 0) {
    return {
      decision: "ask",
      gate: questions.map(({ gate }) => gate).join(", "),
      question: questions.map(({ question }) => question).join("\n"),
    };
  }
  return { decision: "allow", ...("text" in current && current !== subject && { text: current.text }) };
}

/**
 * True when what a model says must be held back until the gates have decided: no delta may be written before, since a delta
 * that is committed has been seen. The journal then gets the decision, the text that passed and the end of the call.
 */
export function holdsOutput(gates: readonly Gate[]): boolean {
  return gates.some(({ mode, points }) => mode === "enforcing" && points.includes("output"));
}

/** The error that a run ends with when its input or its output was refused. */
export function refusedBy(decision: Extract<GateDecision, { decision: "deny" }>, point: GatePoint): BenchtopError {
  const { gate, reason } = decision;
  return new BenchtopError("POLICY_DENIED", `The gate "${gate}" refused the ${point}: ${reason}`, {
    detail: { gate, point },
  });
}

type Decided = Pick<EventOf<"GateDecided">, "gate" | "mode" | "decision" | "reason" | "replacement">;

function recorded(run: GatedRun, gate: Gate, subject: GateSubject): Decided | undefined {
  // What the model was told of a finished call is in its end; one without an end is executed, and judged, once more.
  if (subject.point === "tool-result") return undefined;
  const event = run.past?.take("GateDecided");
  if (event === undefined) return undefined;
  if (event.gate === gate.name && event.point === subject.point && event.callId === callIdOf(subject)) return event;
  throw new BenchtopError(
    "REPLAY_DIVERGED",
    `The gate "${gate.name}" was to decide where the journal has a decision of "${event.gate}".`,
    { detail: { seq: event.seq, expected: event.gate, actual: gate.name } },
  );
}

const defaultTimeoutMs = 10_000;
const maxFindings = 50;
const maxReasonCharacters = 1000;

async function decide(run: GatedRun, gate: Gate, subject: GateSubject, askModel?: GateAsk): Promise<Decided> {
  run.signal.throwIfAborted();
  const started = performance.now();
  const verdict = await judge(run, gate, subject, askModel);
  run.signal.throwIfAborted();
  const callId = callIdOf(subject);
  const event: EventInput<"GateDecided"> = {
    type: "GateDecided",
    gate: gate.name,
    point: subject.point,
    mode: gate.mode,
    ...fitting(verdict, subject, gate.mode),
    ...(callId !== undefined && { callId }),
    durationMs: round(performance.now() - started),
  };
  // Nothing waits for what changes nothing; should a crash lose it, the gate is asked again.
  if (gate.mode === "shadow") run.write(event);
  else await run.emit(event);
  return event;
}

type Judgement = Pick<EventInput<"GateDecided">, "decision" | "reason" | "findings" | "replacement" | "error">;

async function judge(run: GatedRun, gate: Gate, subject: GateSubject, askModel?: GateAsk): Promise<Verdict | Failed> {
  const { timeoutMs = defaultTimeoutMs } = gate;
  const time = new AbortController();
  const timeUp = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = new BenchtopError("POLICY_DENIED", `The gate took longer than its ${timeoutMs / 1000} seconds.`, {
      retryable: true,
      detail: { gate: gate.name, limit_ms: timeoutMs },
    });
    timeUp.reject(error);
    time.abort(error);
  }, timeoutMs);
  const signal = AbortSignal.any([run.signal, time.signal]);
  const canceled = () => timeUp.reject(run.signal.reason);
  run.signal.addEventListener("abort", canceled, { once: true });
  try {
    const context = { runId: run.runId, signal, ...(askModel && { ask: askModel }) };
    return await Promise.race([gate.check(subject, context), timeUp.promise]);
  } catch (thrown) {
    run.signal.throwIfAborted();
    return { failed: BenchtopError.from(thrown) };
  } finally {
    clearTimeout(timer);
    run.signal.removeEventListener("abort", canceled);
  }
}

interface Failed {
  readonly failed: BenchtopError;
}

/** The verdict as it is journaled: a gate that failed has refused, and so has one whose verdict does not fit its subject. */
function fitting(verdict: Verdict | Failed, subject: GateSubject, mode: GateMode): Judgement {
  if ("failed" in verdict) {
    const { message, info } = verdict.failed;
    return {
      decision: "deny",
      reason: "The gate failed, and nothing passes a gate that fails.",
      error: { message, ...info },
    };
  }
  const findings = verdict.findings && { findings: verdict.findings.slice(0, maxFindings) };
  const { decision } = verdict;
  if (decision === "allow") return { decision, ...findings };
  if (decision === "deny") return { decision, reason: shortened(verdict.reason), ...findings };
  const isCall = subject.point === "tool-call";
  if (decision === "ask")
    return { decision: isCall ? "ask" : "deny", reason: shortened(verdict.question), ...findings };
  if (isCall) return { decision: "deny", reason: "The arguments hold what may not be passed on.", ...findings };
  return { decision, ...(mode === "enforcing" && { replacement: verdict.replacement }), ...findings };
}

function shortened(text: string): string {
  return text.length <= maxReasonCharacters ? text : `${text.slice(0, maxReasonCharacters)}…`;
}

function callIdOf(subject: GateSubject): string | undefined {
  return "call" in subject ? subject.call.callId : undefined;
}

function withText(subject: GateSubject, text: string): GateSubject {
  if (!("text" in subject)) return subject;
  return { ...subject, text };
}
