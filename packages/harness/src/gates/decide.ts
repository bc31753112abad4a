import { BenchtopError, type EventInput, type EventOf, type RunEvent, type RunEventType } from "@benchtop/protocol";
import type { RunScope } from "../run/scope.ts";
import { round } from "../run/totals.ts";
import type { Gate, GateAsk, GateMode, GatePoint, GateSubject, Verdict } from "./gate.ts";

/** What the journal of a run holds already, as far as gates ask for it: a `Past` is one. */
export interface GatesPast {
  readonly next: RunEventType | undefined;
  take(type: "GateDecided"): EventOf<"GateDecided">;
  takeIf(type: "GateDecided", isMeant: (event: EventOf<"GateDecided">) => boolean): EventOf<"GateDecided"> | undefined;
  differs(recorded: RunEvent | undefined, field: string, expected: unknown, actual: unknown): void;
}

/** What gates need of a run: a `RunScope` is one. */
export interface GatedRun extends Pick<RunScope, "runId" | "signal" | "emit" | "write"> {
  readonly past?: GatesPast | undefined;
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
 * Rejects when the run is canceled, when the journal fails, and with `REPLAY_DIVERGED` when other gates decided here than
 * are given now; where that is accepted, what was decided stands.
 */
export async function decideGates(
  run: GatedRun,
  gates: readonly Gate[],
  subject: GateSubject,
  askModel?: GateAsk,
): Promise<GateDecision> {
  const asked = gates.filter(({ points }) => points.includes(subject.point));
  const past = recorded(run, asked, subject);
  const left = past.isWhole ? past.decisions.length : Math.max(asked.length, past.decisions.length);
  const questions: { readonly gate: string; readonly question: string }[] = [];
  let current = subject;
  for (let place = 0; place < left; place += 1) {
    const gate = asked[place];
    const decided = past.decisions[place] ?? (gate && (await decide(run, gate, current, askModel)));
    if (!decided || decided.mode === "shadow") continue;
    const { gate: name, decision, reason = "", replacement } = decided;
    if (decision === "deny") return { decision, gate: name, reason };
    if (decision === "ask") questions.push({ gate: name, question: reason });
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

/** What the journal holds about a subject; `isWhole` when no gate is left to be asked about it. */
interface Recorded {
  readonly decisions: readonly EventOf<"GateDecided">[];
  readonly isWhole: boolean;
}

/**
 * The decisions of then: one for each gate, up to one that refused. After a crash in between there are fewer, and nothing comes
 * after them.
 */
function recorded(run: GatedRun, gates: readonly Gate[], subject: GateSubject): Recorded {
  const decisions: EventOf<"GateDecided">[] = [];
  // What the model was told of a finished call is in its end; one without an end is executed, and judged, once more.
  const { past } = run;
  if (!past || subject.point === "tool-result") return { decisions, isWhole: false };
  const isMeant = (event: EventOf<"GateDecided">) =>
    event.point === subject.point && event.callId === callIdOf(subject) && !isRefusal(decisions.at(-1));
  for (let event = past.takeIf("GateDecided", isMeant); event; event = past.takeIf("GateDecided", isMeant)) {
    const expected = gates[decisions.length]?.name;
    if (event.gate !== expected) past.differs(event, "gate", event.gate, expected ?? "no gate");
    decisions.push(event);
  }
  const isDecided = decisions.length >= gates.length || isRefusal(decisions.at(-1));
  if (isDecided || !run.past) return { decisions, isWhole: isDecided };
  // The run was ended here from outside: asking on says how.
  if (past.next === undefined) past.take("GateDecided");
  // It went on, so this gate was not asked then.
  past.differs(undefined, "gate", "no gate", gates[decisions.length]?.name);
  return { decisions, isWhole: true };
}

function isRefusal(event: EventOf<"GateDecided"> | undefined): boolean {
  return event?.mode === "enforcing" && event.decision === "deny";
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
  // Nothing waits for what changes nothing; should a crash lose it, the gate is asked again. What a call or an answer may do
  // begins with an event of its own that is waited for: on disk then, and so is all before it. An input has no such event.
  if (gate.mode === "shadow" || subject.point !== "input") run.write(event);
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
