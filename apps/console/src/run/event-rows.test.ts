import type { RunEvent } from "@benchtop/protocol";
import { expect, test } from "vitest";
import { EventRows } from "./event-rows.ts";

const base = { runId: "r", traceId: "t", spanId: "s", at: "2026-01-01T00:00:00.000Z" };
const delta = (seq: number, callId = "c"): RunEvent => ({
  ...base,
  seq,
  type: "OutputDelta",
  callId,
  channel: "text",
  text: "x",
});
const step = (seq: number): RunEvent => ({ ...base, seq, type: "StepStarted", step: 1 });

test("adjacent deltas of one call are one row, across reads too", () => {
  const rows = new EventRows();
  const events = [step(0), delta(1), delta(2)];
  rows.read(events);
  events.push(delta(3), delta(4, "other"), step(5));
  const read = rows.read(events);
  expect(read.rows.map(({ first, last }) => [first, last])).toEqual([
    [0, 0],
    [1, 3],
    [4, 4],
    [5, 5],
  ]);
  expect(read.counts.get("OutputDelta")).toBe(4);
});
