import type { RunEvent } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { JobReader } from "./read-job.ts";

const base = { runId: "run_1", at: "2026-11-02T10:00:00.000Z", traceId: "t", spanId: "s" };

const metric = (seq: number, step: number, value: number): RunEvent => ({
  ...base,
  seq,
  type: "MetricLogged",
  name: "loss",
  value,
  step,
});

describe("a job read from its journal", () => {
  test("curves grow by step, phases keep their order, and what is without a step stands for the whole", () => {
    const reader = new JobReader();
    const events: RunEvent[] = [
      { ...base, seq: 0, type: "RunStarted", kind: "train", userId: "u", contract: {}, input: { name: "answers" } },
      { ...base, seq: 1, type: "PhaseChanged", phase: "reading", done: 0, total: 1 },
      { ...base, seq: 2, type: "PhaseChanged", phase: "training", done: 0, total: 40, detail: { parameters: 900 } },
      { ...base, seq: 3, type: "MetricLogged", name: "loss", value: 5, step: 1 },
    ];
    const first = reader.read(events);
    expect(first.phases.map(({ phase }) => phase)).toEqual(["reading", "training"]);
    expect(first.curves.get("loss")).toEqual([{ x: 1, y: 5 }]);
    events.push(
      { ...base, seq: 4, type: "MetricLogged", name: "loss", value: 4, step: 10 },
      { ...base, seq: 5, type: "MetricLogged", name: "perplexity", value: 12.5 },
      { ...base, seq: 6, type: "PhaseChanged", phase: "training", done: 10, total: 40 },
    );
    const second = reader.read(events);
    expect(second.curves.get("loss")).toEqual([
      { x: 1, y: 5 },
      { x: 10, y: 4 },
    ]);
    // What was drawn from before is not changed under it.
    expect(first.curves.get("loss")).toHaveLength(1);
    expect(second.values.get("perplexity")).toBe(12.5);
    expect(second.phases.at(-1)).toEqual({ phase: "training", done: 10, total: 40 });
    expect(second.plan).toEqual({ parameters: 900 });
    expect(second.ended).toBe(false);
  });

  test("steps that are told once more replace what was told of them", () => {
    const reader = new JobReader();
    const { curves } = reader.read([metric(0, 1, 9), metric(1, 2, 8), metric(2, 3, 7), metric(3, 2, 6)]);
    expect(curves.get("loss")).toEqual([
      { x: 1, y: 9 },
      { x: 2, y: 6 },
    ]);
  });
});
