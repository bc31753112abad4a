import { checkInvariants } from "@benchtop/protocol/invariants";
import { isTerminal, type EventInput } from "@benchtop/protocol";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStore, type Store } from "../store.ts";
import { callFinished, callStarted, completed, delta, failed, runInit, textOf } from "@benchtop/harness/journal-suite";
import { removeHome, temporaryHome } from "../../test/suite/index.ts";

/** What a program may do with its writer. Each is legal at any point, so any sequence is a run. */
type Move =
  | {
      readonly do: "call";
      readonly deltas: readonly (readonly [text: string, reasoning: boolean])[];
      readonly pause: number;
    }
  | { readonly do: "tool"; readonly content: string }
  | { readonly do: "phase"; readonly name: string }
  | { readonly do: "commit" }
  | { readonly do: "tick" }
  | { readonly do: "hand over" };

const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({
    do: fc.constant("call" as const),
    deltas: fc.array(fc.tuple(fc.string({ unit: "binary" }), fc.boolean()), { maxLength: 30 }),
    pause: fc.nat(10),
  }),
  fc.record({ do: fc.constant("tool" as const), content: fc.string({ unit: "binary" }) }),
  fc.record({ do: fc.constant("phase" as const), name: fc.string() }),
  fc.record({ do: fc.constantFrom("commit" as const, "tick" as const, "hand over" as const) }),
);

describe("any sequence of writes", () => {
  let home: string;
  let store: Store;
  beforeAll(async () => {
    home = await temporaryHome();
    store = await openStore({ home });
  });
  afterAll(async () => {
    await store.close();
    await removeHome(home);
  });

  test("is a journal that keeps every invariant, every text, and verifies", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(move, { maxLength: 25 }), fc.boolean(), async (moves, succeeds) => {
        const { runId, text, last } = await drive(moves, succeeds ? completed() : failed("INTERNAL"));
        const events = await store.journal.read(runId, { limit: 100_000 });
        expect(checkInvariants(events, { ended: true })).toEqual([]);
        expect(textOf(events)).toBe(text);
        expect(isTerminal(events.at(-1)!)).toBe(true);
        expect(events.at(-1)!.type).toBe(last);
        const { ok, violations, eventCount } = await store.journal.verify(runId);
        expect({ ok, violations, eventCount }).toEqual({ ok: true, violations: [], eventCount: events.length });
      }),
      { numRuns: 60 },
    );
  });

  async function drive(
    moves: readonly Move[],
    end: EventInput<"Completed"> | EventInput<"Error">,
  ): Promise<{ runId: string; text: string; last: string }> {
    let writer = await store.journal.create(runInit());
    let text = "";
    for (const [place, move] of moves.entries()) {
      const callId = `call_${place}`;
      switch (move.do) {
        case "call":
          writer.write(callStarted(callId));
          for (const [index, [piece, reasoning]] of move.deltas.entries()) {
            text += piece;
            writer.write(delta(piece, reasoning ? "reasoning" : "text", callId));
            if (index === move.pause) await new Promise(setImmediate);
          }
          writer.write(callFinished(callId));
          break;
        case "tool":
          writer.write({
            type: "ToolCallRequested",
            callId,
            name: "t",
            arguments: { a: move.content },
            idempotent: true,
          });
          writer.write({
            type: "ToolCallFinished",
            callId,
            name: "t",
            outcome: "success",
            content: move.content,
            durationMs: 1,
          });
          break;
        case "phase":
          writer.write({ type: "PhaseChanged", phase: move.name });
          break;
        case "commit":
          await writer.committed();
          break;
        case "tick":
          await new Promise(setImmediate);
          break;
        case "hand over":
          await writer.close();
          writer = await store.journal.acquire(writer.runId);
      }
    }
    writer.write(end);
    await writer.close();
    return { runId: writer.runId, text, last: end.type };
  }
});
