import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyJournal, isEnded, renumbered } from "../test/any-journal.ts";
import { keepsEveryRule } from "../test/naive-invariants.ts";
import type { RunEvent, RunEventType } from "./events.ts";
import { checkInvariants } from "./invariants.ts";

/** None of these can be missing from a journal that has ended, or be in it twice. */
const paired: ReadonlySet<RunEventType> = new Set([
  "RunStarted",
  "StepStarted",
  "StepFinished",
  "ProviderCallStarted",
  "ProviderCallFinished",
  "ToolCallRequested",
  "ToolCallFinished",
  "SubRunStarted",
  "SubRunFinished",
  "Completed",
  "Error",
]);

const runs = { numRuns: Number(process.env["PROPERTY_RUNS"] ?? 3000) };

describe("H7 the rules of a journal", () => {
  test("are kept by every journal that a correct program may leave", () => {
    fc.assert(
      fc.property(anyJournal, (events) => {
        expect(checkInvariants(events, { ended: isEnded(events) })).toEqual([]);
      }),
      runs,
    );
  });

  test("are broken by an event that is missing or comes twice", () => {
    fc.assert(
      fc.property(anyJournal, fc.nat(), (journal, place) => {
        const ended = isEnded(journal);
        const places = journal.flatMap((event, index) => (paired.has(event.type) ? [index] : []));
        const index = places[place % places.length] ?? 0;
        const event = journal[index] as RunEvent;
        const twice = renumbered(journal.toSpliced(index, 0, event));
        const without = renumbered(journal.toSpliced(index, 1));
        expect(checkInvariants(twice, { ended })).not.toEqual([]);
        expect(checkInvariants(without, { ended }).length > 0 || !ended).toBe(true);
      }),
      runs,
    );
  });

  test("are broken by an event of another run or trace", () => {
    fc.assert(
      fc.property(anyJournal, fc.nat(), fc.constantFrom("runId", "traceId"), (journal, place, field) => {
        fc.pre(journal.length > 1);
        const index = place % journal.length;
        const changed = journal.with(index, { ...(journal[index] as RunEvent), [field]: "other" });
        expect(checkInvariants(changed, { ended: isEnded(journal) })).not.toEqual([]);
      }),
      runs,
    );
  });

  test("are judged as by the rules said plainly, whatever was changed", () => {
    let broken = 0;
    fc.assert(
      fc.property(
        anyJournal,
        fc.array(mutation, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        (journal, changes, ended) => {
          const events = renumbered(changes.reduce((all, change) => change(all), journal));
          const verdict = checkInvariants(events, { ended });
          broken += verdict.length > 0 ? 1 : 0;
          expect({ verdict, isKept: verdict.length === 0 }).toMatchObject({ isKept: keepsEveryRule(events, ended) });
        },
      ),
      runs,
    );
    expect(broken).toBeGreaterThan(0);
  });

  test("are reported with a bound, however long and wrong the journal", () => {
    const [first] = fc.sample(anyJournal, { numRuns: 1, seed: 1 })[0] as RunEvent[];
    const wrong = Array.from({ length: 10_000 }, () => first as RunEvent);
    expect(checkInvariants(wrong, { ended: true })).toHaveLength(1001);
  });
});

type Mutation = (events: readonly RunEvent[]) => RunEvent[];

const place = fc.nat(1_000_000);
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  place.map(
    (index): Mutation =>
      (events) =>
        events.toSpliced(index % Math.max(1, events.length), 1),
  ),
  fc.tuple(place, place).map(([from, to]): Mutation => (events) => {
    const event = events[from % Math.max(1, events.length)];
    return event ? events.toSpliced(to % events.length, 0, event) : [...events];
  }),
  fc.tuple(place, place).map(([from, to]): Mutation => (events) => {
    const [one, other] = [from % Math.max(1, events.length), to % Math.max(1, events.length)];
    const [left, right] = [events[one], events[other]];
    return left && right ? events.with(one, right).with(other, left) : [...events];
  }),
  fc.tuple(place, place).map(([from, to]): Mutation => (events) => {
    const ids = events.flatMap((event) => ("callId" in event && event.callId !== undefined ? [event.callId] : []));
    return changed(events, from, (event) => ("callId" in event ? { callId: ids[to % ids.length] } : {}));
  }),
  place.map(
    (index): Mutation =>
      (events) =>
        changed(events, index, flipped),
  ),
);

function changed(events: readonly RunEvent[], index: number, change: (event: RunEvent) => object): RunEvent[] {
  const at = index % Math.max(1, events.length);
  const event = events[at];
  return event ? events.with(at, { ...event, ...change(event) }) : [...events];
}

/** The event saying something else. */
function flipped(event: RunEvent): object {
  switch (event.type) {
    case "ProviderCallStarted":
      return { attempt: event.attempt + 1 };
    case "RetryScheduled":
      return event.reason === "retry" ? { reason: "fallback" } : { reason: "retry", attempt: event.attempt + 1 };
    case "ProviderCallFinished":
      return { outcome: event.outcome === "error" ? "success" : "error" };
    case "ToolCallFinished":
      return { outcome: event.outcome === "success" ? "denied" : "success" };
    case "ToolCallRequested":
      return { idempotent: !event.idempotent };
    case "Suspended":
      return { reason: event.reason === "approval" ? "outcome-unknown" : "approval" };
    case "Resumed":
      return event.reason === "decision"
        ? { decision: event.decision === "retry" ? "skip" : "deny" }
        : { reason: "fork" };
    case "GateDecided":
      return { decision: event.decision === "deny" ? "allow" : "deny" };
    case "StepStarted":
      return { step: event.step + 1 };
    default:
      return {};
  }
}
