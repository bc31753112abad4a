import { BenchtopError, type EventInput, type EventOf } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { decideGates, holdsOutput, refusedBy, type GatedRun } from "./decide.ts";
import { allow, ask, deny, redact, type Gate, type GateSubject, type Verdict } from "./gate.ts";

/** A run as far as gates see it: what they journal, in order. */
function gatedRun(past: EventOf<"GateDecided">[] = []): GatedRun & { events: EventInput[]; abort: AbortController } {
  const abort = new AbortController();
  const events: EventInput[] = [];
  return {
    runId: "run_1",
    abort,
    signal: abort.signal,
    events,
    write: (event) => void events.push(event),
    past: { take: () => past.shift() },
    emit: async (event) => {
      events.push(event);
    },
  };
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
    const place = { runId: "run_1", seq: 3, at: "2026-11-01T00:00:00.000Z", traceId: "t", spanId: "s" };
    const past: EventOf<"GateDecided">[] = [
      {
        type: "GateDecided",
        ...place,
        gate: "one",
        point: "input",
        mode: "enforcing",
        decision: "redact",
        replacement: "hidden",
        durationMs: 1,
      },
    ];
    const run = gatedRun(past);
    const gates = [gate("one", broken, { mode: "shadow" }), gate("two", allow)];
    expect(await decideGates(run, gates, input)).toEqual({ decision: "allow", text: "hidden" });
    expect(run.events).toMatchObject([{ gate: "two" }]);
  });

  test("find that the journal holds the decision of another gate", async () => {
    const place = { runId: "run_1", seq: 3, at: "", traceId: "t", spanId: "s", durationMs: 1 };
    const past: EventOf<"GateDecided">[] = [
      { type: "GateDecided", ...place, gate: "other", point: "input", mode: "enforcing", decision: "allow" },
    ];
    await expect(decideGates(gatedRun(past), [gate("one", allow)], input)).rejects.toMatchObject({
      info: { error_code: "REPLAY_DIVERGED", detail: { seq: 3, expected: "other", actual: "one" } },
    });
  });

  test("hold output back when one of them enforces there", () => {
    expect(holdsOutput([gate("a", allow, { mode: "shadow" }), gate("b", allow, { points: ["input"] })])).toBe(false);
    expect(holdsOutput([gate("a", allow)])).toBe(true);
  });
});
