import type { ConversationEntry } from "@benchtop/operations";
import type { RunEvent } from "@benchtop/protocol";
import { expect, test } from "vitest";
import { modelOf, takenBack } from "./entry.ts";

function entry(runId: string, kind: ConversationEntry["kind"], more: Partial<ConversationEntry> = {}) {
  const common = {
    status: "success",
    startedAt: "",
    task: null,
    model: null,
    outcome: null,
    regenerates: null,
  } as const;
  return { runId, kind, ...common, events: [], ...more };
}

function changed(...paths: string[]): RunEvent[] {
  return paths.map((path, seq) => ({
    type: "DraftChanged",
    draftId: "d",
    revision: 1,
    path,
    change: seq === 0 ? "added" : "modified",
    sha256: "x",
    previousSha256: null,
    bytes: 1,
    runId: "r",
    seq,
    at: "",
    traceId: "t",
    spanId: "s",
  }));
}

function checkpoint(checkpointId: string): RunEvent[] {
  const place = { runId: "r", seq: 0, at: "", traceId: "t", spanId: "s" };
  return [{ type: "CheckpointCreated", checkpointId, reason: "publish", manifestHash: "h", fileCount: 1, ...place }];
}

test("S3 taking a turn back takes everything after it, and every file that those turns changed", () => {
  const entries = [
    entry("r1", "message", { events: changed("kept.md") }),
    entry("r2", "agent", { events: changed("a.md", "b.md") }),
    entry("r3", "switch-model"),
    entry("r4", "message", { events: changed("b.md") }),
  ];
  const { turns, files, checkpointId } = takenBack(entries, "r2");
  expect(turns.map(({ runId }) => runId)).toEqual(["r2", "r4"]);
  expect([...files]).toEqual([
    ["a.md", "added"],
    ["b.md", "added"],
  ]);
  expect(checkpointId).toBeUndefined();
  expect(takenBack(entries, "nowhere").turns).toEqual([]);
});

test("S3 past a publish, the checkpoint is that of the first publish after the turn, and a failed one made none", () => {
  const entries = [
    entry("r1", "message"),
    entry("p0", "publish", { status: "error" }),
    entry("p1", "publish", { events: checkpoint("cp_1") }),
    entry("r2", "message"),
    entry("p2", "publish", { events: checkpoint("cp_2") }),
  ];
  expect(takenBack(entries, "r1").checkpointId).toBe("cp_1");
  expect(takenBack(entries, "r2").checkpointId).toBe("cp_2");
});

test("S3 the conversation's model is that of its newest turn or switch", () => {
  expect(modelOf([])).toBeUndefined();
  const turns = [entry("r1", "agent", { model: "a/1" }), entry("p", "publish", { model: "x/y" })];
  expect(modelOf(turns)).toBe("a/1");
  expect(modelOf([...turns, entry("s", "switch-model", { model: "b/2" })])).toBe("b/2");
});
