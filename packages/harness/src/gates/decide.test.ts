import { BenchtopError, type EventInput, type EventOf, type RunEvent } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { decideGates, holdsOutput, refusedBy, type GatedRun, type GatesPast } from "./decide.ts";
import { RecordedPast } from "../replay/past.ts";
import { allow, ask, deny, redact, type Gate, type GateSubject, type Verdict } from "./gate.ts";

/** A run as far as gates see it: what they journal, in order. */
function gatedRun(past?: GatesPast): GatedRun & { events: EventInput[]; abort: AbortController } {
  const abort = new AbortController();
  const events: EventInput[] = [];
  return {
    runId: "run_1",
    abort,
    signal: abort.signal,
    events,
    write: (event) => void events.push(event),
    past,
    emit: async (event) => {
      events.push(event);
    },
  };
}

const place = (seq: number) => ({ runId: "run_1", seq, at: "2026-11-01T00:00:00.000Z", traceId: "t", spanId: "s" });

/** A run that is driven again from a journal with these decisions; `goesOn` with something else after them. */
function drivenAgain(
  decisions: readonly Pick<EventOf<"GateDecided">, "gate" | "decision" | "replacement" | "reason">[],
  options: { readonly goesOn?: boolean; readonly onDivergence?: "accept" | "refuse" } = {},
): ReturnType<typeof gatedRun> {
  const events: RunEvent[] = decisions.map((decision, index) => ({
    type: "GateDecided",
    ...place(index),
    point: "input",
    mode: "enforcing",
    durationMs: 1,
    ...decision,
  }));
  if (options.goesOn === true) events.push({ type: "StepStarted", ...place(events.length), step: 1 });
  const past = new RecordedPast(events, { onDivergence: options.onDivergence ?? "refuse" });
  const run = gatedRun();
  return Object.defineProperty(run, "past", { get: () => (past.isOver ? undefined : past) });
}

function gate(name: string, verdict: Verdict | Gate["check"], options: Partial<Gate> = {}): Gate {
  const check = typeof verdict === "function" ? verdict : async () => verdict;
  return { name, points: ["input", "tool-call", "tool-result", "output"], mode: "enforcing", check, ...options };
}

const append = (letter: string) =>
  gate(letter, async (subject) => redact("text" in subject ? subject.text + letter : "", [letter]));

async function broken(): Promise<Verdict> {
  throw new Error("secret text of the input");
}

const input: GateSubject = { point: "input", text: "hello", attachments: [] };
const call: GateSubject = {
  point: "tool-call",
  call: { callId: "call_1", name: "send", arguments: { to: "x" } },
  tool: { name: "send", effects: "external" },
};

describe("H6 gates", () => {
  test("let pass what none refuses, and every decision is journaled in order", async () => {
    const run = gatedRun();
    expect(await decideGates(run, [gate("one", allow), gate("two", allow)], call)).toEqual({ decision: "allow" });
    expect(run.events).toMatchObject([
      { type: "GateDecided", gate: "one", point: "tool-call", mode: "enforcing", decision: "allow", callId: "call_1" },
      { type: "GateDecided", gate: "two", callId: "call_1" },
    ]);
  });

  test("that enforce refuse, and no later gate is asked", async () => {
    const run = gatedRun();
    const decision = await decideGates(run, [gate("no", deny("not allowed", ["thing"])), gate("two", allow)], input);
    expect(decision).toEqual({ decision: "deny", gate: "no", reason: "not allowed" });
    expect(run.events).toHaveLength(1);
    expect(run.events[0]).toMatchObject({ decision: "deny", reason: "not allowed", findings: ["thing"] });
  });

  test("end a run with an error that names the gate and the point", () => {
    expect(refusedBy({ decision: "deny", gate: "no", reason: "not allowed" }, "input").info).toMatchObject({
      error_code: "POLICY_DENIED",
      detail: { gate: "no", point: "input" },
    });
  });

  test.each([deny("no"), redact("x", ["y"]), ask("may it?")])(
    "in shadow mode record %j and change nothing",
    async (verdict) => {
      const run = gatedRun();
      expect(await decideGates(run, [gate("shadow", verdict, { mode: "shadow" })], input)).toEqual({
        decision: "allow",
      });
      expect(run.events).toMatchObject([{ mode: "shadow", gate: "shadow" }]);
    },
  );

  test("chain their redactions: each sees what the one before left", async () => {
    const run = gatedRun();
    expect(await decideGates(run, [append("a"), append("b")], input)).toEqual({ decision: "allow", text: "helloab" });
    expect(run.events).toMatchObject([{ replacement: "helloa" }, { replacement: "helloab" }]);
  });

  test("ask about a call only what no other gate refuses, all questions at once", async () => {
    const asks = [gate("first", ask("One?")), gate("second", ask("Two?"))];
    expect(await decideGates(gatedRun(), asks, call)).toEqual({
      decision: "ask",
      gate: "first, second",
      question: "One?\nTwo?",
    });
    expect(await decideGates(gatedRun(), [...asks, gate("no", deny("never"))], call)).toMatchObject({
      decision: "deny",
      gate: "no",
    });
  });

  test("refuse where a verdict does not fit: nobody can be asked about an input, and no call is rewritten", async () => {
    expect(await decideGates(gatedRun(), [gate("asks", ask("May it?"))], input)).toMatchObject({ decision: "deny" });
    expect(await decideGates(gatedRun(), [gate("redacts", redact("{}", ["key"]))], call)).toMatchObject({
      decision: "deny",
    });
  });

  test("that throw refuse when enforcing; in shadow mode the failure is recorded", async () => {
    const enforcing = gatedRun();
    expect(await decideGates(enforcing, [gate("broken", broken)], input)).toMatchObject({ decision: "deny" });
    expect(enforcing.events).toMatchObject([{ decision: "deny", error: { error_code: "INTERNAL" } }]);
    expect(JSON.stringify(enforcing.events)).not.toContain("secret text");

    const shadow = gatedRun();
    expect(await decideGates(shadow, [gate("broken", broken, { mode: "shadow" })], input)).toEqual({
      decision: "allow",
    });
    expect(shadow.events).toMatchObject([{ mode: "shadow", error: { error_code: "INTERNAL" } }]);
  });

  test("that take too long refuse, and hear that their time is up", async () => {
    const run = gatedRun();
    let heard: AbortSignal | undefined;
    const slow = gate("slow", (_, { signal }) => (heard = signal) && new Promise<Verdict>(() => {}), { timeoutMs: 5 });
    expect(await decideGates(run, [slow], input)).toMatchObject({ decision: "deny", gate: "slow" });
    expect(heard?.aborted).toBe(true);
    expect(run.events).toMatchObject([{ error: { error_code: "POLICY_DENIED", detail: { limit_ms: 5 } } }]);
  });

  test("end with the run when it is canceled, and decide nothing then", async () => {
    const run = gatedRun();
    const reason = new BenchtopError("USER_CANCELED", "Canceled.");
    const slow = gate("slow", () => new Promise<Verdict>(() => run.abort.abort(reason)));
    await expect(decideGates(run, [slow], input)).rejects.toBe(reason);
    expect(run.events).toEqual([]);
  });

  test("are not asked again about what the journal says: neither the verdict nor the mode of then is changed", async () => {
    const run = drivenAgain([{ gate: "one", decision: "redact", replacement: "hidden" }]);
    const gates = [gate("one", broken, { mode: "shadow" }), gate("two", allow)];
    expect(await decideGates(run, gates, input)).toEqual({ decision: "allow", text: "hidden" });
    expect(run.events).toMatchObject([{ gate: "two" }]);
  });

  test("that were asked then and are gone, or are new, are a divergence", async () => {
    const gone = drivenAgain([{ gate: "other", decision: "allow" }]);
    await expect(decideGates(gone, [gate("one", broken)], input)).rejects.toMatchObject({
      info: { error_code: "REPLAY_DIVERGED", detail: { field: "gate", expected: "other", actual: "one" } },
    });
    const added = drivenAgain([{ gate: "one", decision: "allow" }], { goesOn: true });
    await expect(decideGates(added, [gate("one", broken), gate("new", broken)], input)).rejects.toMatchObject({
      info: { error_code: "REPLAY_DIVERGED", detail: { field: "gate", expected: "no gate", actual: "new" } },
    });
  });

  test("that changed, where that is accepted, leave what was decided then as it was", async () => {
    const accepted = { goesOn: true, onDivergence: "accept" } as const;
    const run = drivenAgain([{ gate: "gone", decision: "redact", replacement: "hidden" }], accepted);
    expect(await decideGates(run, [gate("new", broken), gate("newer", broken)], input)).toEqual({
      decision: "allow",
      text: "hidden",
    });
    const refused = drivenAgain([{ gate: "gone", decision: "deny", reason: "no" }], accepted);
    expect(await decideGates(refused, [], input)).toEqual({ decision: "deny", gate: "gone", reason: "no" });
    expect([...run.events, ...refused.events]).toEqual([]);
  });

  test("hold output back when one of them enforces there", () => {
    expect(holdsOutput([gate("a", allow, { mode: "shadow" }), gate("b", allow, { points: ["input"] })])).toBe(false);
    expect(holdsOutput([gate("a", allow)])).toBe(true);
  });
});
