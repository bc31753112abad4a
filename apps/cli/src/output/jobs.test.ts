import type { RunEvent } from "@benchtop/protocol";
import { expect, test } from "vitest";
import { recordedTerminal } from "../../test/recorded-terminal.ts";
import { JobLine } from "./jobs.ts";

const begin = Date.parse("2026-01-01T00:00:00.000Z");
let seq = 0;

function at(seconds: number) {
  const when = new Date(begin + seconds * 1000).toISOString();
  return { runId: "run_1", traceId: "t", spanId: "s", seq: seq++, at: when };
}

const phase = (seconds: number, name: string, done?: number, total?: number): RunEvent => ({
  ...at(seconds),
  type: "PhaseChanged",
  phase: name,
  ...(done !== undefined && { done }),
  ...(total !== undefined && { total }),
});

const metric = (seconds: number, name: string, value: number, step?: number): RunEvent => ({
  ...at(seconds),
  type: "MetricLogged",
  name,
  value,
  ...(step !== undefined && { step }),
});

test("outside a terminal a job has a line for each phase and one every five seconds, with what it measured", () => {
  const terminal = recordedTerminal();
  const line = new JobLine(terminal);
  for (const event of [
    phase(0, "training", 0, 100),
    metric(1, "loss", 4.5, 10),
    metric(1, "tokens per second", 1234.4, 10),
    metric(6, "loss", 2.25, 60),
    metric(6, "evaluation loss", 2.5, 60),
    phase(12, "writing_the_model", 0, 1),
  ]) {
    line.show(event);
  }
  expect(terminal.err.split("\n")).toEqual([
    "training · 0/100",
    "training · 60/100 · loss 2.250 · 1,234 tokens/s · 4 s left",
    "writing the model · loss 2.250 · evaluation loss 2.500 · 1,234 tokens/s",
    "",
  ]);
});

test("on a terminal one line is drawn over and taken away at the end", () => {
  const terminal = Object.assign(recordedTerminal({ width: 60 }), { isErrorTty: true });
  const line = new JobLine(terminal);
  line.show(phase(0, "quantizing", 3, 12));
  line.clear();
  expect(terminal.err).toBe("\r\u001B[K███░░░░░░░░░ quantizing · 3/12\r\u001B[K");
});

test("numbers of other events and names that would steer the terminal change nothing", () => {
  const terminal = recordedTerminal();
  const line = new JobLine(terminal);
  line.show({ ...at(0), type: "StepStarted", step: 1 });
  line.show(phase(0, "a\u001B[2J"));
  expect(terminal.err).toBe("a\\u{1b}[2J\n");
});
