import type { EventInput, RunEvent } from "@benchtop/protocol";
import { expect, test } from "vitest";
import { TurnReader } from "./turn.ts";

const usage = { inputTokens: 10, outputTokens: 5 };
const totals = { steps: 1, toolCalls: 1, usage, queuedMs: 0, durationMs: 90 };

function journal(...inputs: EventInput[]): RunEvent[] {
  return inputs.map((input, seq) => ({
    runId: "run_1",
    traceId: "t",
    spanId: "s",
    at: new Date(seq).toISOString(),
    seq,
    ...input,
  }));
}
const finished = (content: string): EventInput => ({
  type: "ProviderCallFinished",
  callId: "c1",
  outcome: "success",
  message: { role: "assistant", content },
  usage,
  durationMs: 3,
});

test("deltas grow one block, and the finished call does not say them twice", () => {
  const events = journal(
    { type: "OutputDelta", callId: "c1", channel: "reasoning", text: "Hm." },
    { type: "OutputDelta", callId: "c1", channel: "text", text: "Hel" },
    { type: "OutputDelta", callId: "c1", channel: "text", text: "lo" },
    finished("Hello"),
  );
  const turn = new TurnReader().read(events);
  expect(turn.blocks.map((block) => "text" in block && block.text)).toEqual(["Hm.", "Hello"]);
  expect(turn.outputTokens).toBe(5);
});

test("a stored turn without deltas shows the text of the finished call", () => {
  const turn = new TurnReader().read(journal(finished("Hello")));
  expect(turn.blocks).toMatchObject([{ kind: "text", text: "Hello", live: false }]);
});

test("another attempt of a call replaces what the first one said", () => {
  const started: EventInput = {
    type: "ProviderCallStarted",
    callId: "c1",
    providerId: "p",
    modelId: "m",
    attempt: 2,
    requestHash: "h",
    messageCount: 1,
  };
  const turn = new TurnReader().read(
    journal({ type: "OutputDelta", callId: "c1", channel: "text", text: "Half" }, started, finished("Whole")),
  );
  expect(turn.blocks).toMatchObject([{ kind: "text", text: "Whole" }]);
});

test("a tool call gathers its result and the files it changed", () => {
  const turn = new TurnReader().read(
    journal(
      { type: "ToolCallRequested", callId: "t1", name: "write_file", arguments: { path: "a" }, idempotent: true },
      {
        type: "DraftChanged",
        draftId: "d",
        revision: 1,
        path: "a",
        change: "added",
        sha256: "x",
        previousSha256: null,
        bytes: 3,
        callId: "t1",
      },
      { type: "ToolCallFinished", callId: "t1", name: "write_file", outcome: "success", content: "ok", durationMs: 2 },
    ),
  );
  expect(turn.blocks).toMatchObject([{ kind: "tool", result: { outcome: "success" }, changes: [{ path: "a" }] }]);
  expect([...turn.changes]).toEqual([["a", "added"]]);
});

test("phases follow each other, and reading a growing list looks at each event once", () => {
  const events = journal(
    { type: "PhaseChanged", phase: "validating" },
    { type: "PhaseChanged", phase: "swap_directories", done: 1, total: 2 },
    { type: "PhaseChanged", phase: "swap_directories", done: 2, total: 2 },
    { type: "Completed", finishReason: "stop", output: "", totals },
  );
  const reader = new TurnReader();
  expect(reader.read(events.slice(0, 2)).status).toBe("running");
  const turn = reader.read(events);
  expect(turn.status).toBe("success");
  expect(turn.blocks).toMatchObject([
    {
      phases: [
        { phase: "validating", finished: true },
        { phase: "swap_directories", done: 2, finished: true },
      ],
    },
  ]);
});

test("H4 a model that is passed over at every turn is mentioned once, and a fallback by its name", () => {
  const skipped = [{ providerId: "far", modelId: "m", reason: "nobody agreed to send this to far.example" }];
  const turn = new TurnReader().read(
    journal(
      { type: "CandidatesSkipped", skipped },
      { type: "CandidatesSkipped", skipped, purpose: "gate" },
      { type: "CandidatesSkipped", skipped },
    ),
  );
  expect(turn.blocks).toMatchObject([
    { kind: "note", text: "far/m was passed over: nobody agreed to send this to far.example." },
  ]);
});

test("H5 what was recalled and remembered is said; a search that found nothing is not", () => {
  const retrieved = { type: "MemoryRetrieved", lane: "episodic", query: "rent", tokens: 3, durationMs: 1 } as const;
  const turn = new TurnReader().read(
    journal(
      { ...retrieved, items: [] },
      { ...retrieved, items: [{ id: "mem_1", text: "The rent is 700.", score: 1 }] },
      { type: "MemoryWritten", lane: "episodic", id: "mem_2", tokens: 4 },
    ),
  );
  expect(turn.blocks.map((block) => "text" in block && block.text)).toEqual([
    "Read 1 remembered text of this workbench.",
    "Remembered for this workbench.",
  ]);
});
