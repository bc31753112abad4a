import assert from "node:assert/strict";
import { newTraceId, RunEvent, type Journal, type RunInit } from "@benchtop/protocol";
import { checkInvariants } from "@benchtop/protocol/invariants";
import { agentLoop, startRun, type RunResult } from "../../src/index.ts";
import type { Scenario } from "./scenario.ts";
import type { Executions } from "./tools.ts";

export function initOf({ seed, contract }: Scenario, runId = `run_${seed}`): RunInit {
  return { runId, traceId: newTraceId(), kind: "agent", userId: "tester", contract, input: { seed } };
}

/** Runs a scenario to its end, with the people in it. */
export async function play(
  scenario: Scenario,
  journal: Journal,
  runId?: string,
): Promise<{ events: RunEvent[]; result: RunResult }> {
  const handle = await startRun(journal, initOf(scenario, runId), agentLoop(scenario.config));
  const events: RunEvent[] = [];
  for await (const event of handle) {
    events.push(event);
    if (event.seq === scenario.hintAfter) handle.control.inject("In metres, please.", "ada");
    if (event.seq === scenario.abortAfter) handle.control.abort("enough");
  }
  return { events, result: await handle.result };
}

/** What holds of every run, whatever happened to it. */
export function assertSound(events: readonly RunEvent[], result: RunResult, executions: Executions): void {
  assert.deepEqual(checkInvariants(events, { ended: true }), []);
  assert.equal(result.recorded, true);
  for (const event of events) assert.equal(RunEvent.safeParse(event).error, undefined);
  assert.equal(JSON.stringify(events).includes("sk-fault"), false, "The key is in the journal.");
  assertSingleExecutions(events, executions);
  assertTotals(events, result);
}

/** No call was executed twice; each that succeeded was executed, and none that nobody requested or that was denied. */
export function assertSingleExecutions(events: readonly RunEvent[], executions: Executions): void {
  const requested = new Set(events.flatMap((event) => (event.type === "ToolCallRequested" ? [event.callId] : [])));
  for (const [callId, count] of executions) {
    assert.equal(count, 1, `${callId} was executed ${count} times.`);
    assert.ok(requested.has(callId), `${callId} was executed and never requested.`);
  }
  for (const event of events) {
    if (event.type !== "ToolCallFinished") continue;
    if (event.outcome === "success") assert.ok(executions.has(event.callId), `${event.callId} was not executed.`);
    if (event.outcome === "denied")
      assert.ok(!executions.has(event.callId), `${event.callId} was denied and executed.`);
  }
}

function assertTotals(events: readonly RunEvent[], result: RunResult): void {
  const terminal = events.at(-1);
  if (terminal?.type !== "Completed" && terminal?.type !== "Error") assert.fail("The run has not ended.");
  const { totals } = terminal;
  const finished = events.filter((event) => event.type === "ProviderCallFinished");
  assert.deepEqual(totals, result.totals);
  assert.deepEqual(
    {
      steps: totals.steps,
      toolCalls: totals.toolCalls,
      inputTokens: totals.usage.inputTokens,
      outputTokens: totals.usage.outputTokens,
      costMicros: totals.costMicros ?? 0,
    },
    {
      steps: events.filter((event) => event.type === "StepStarted").length,
      toolCalls: events.filter((event) => event.type === "ToolCallRequested").length,
      inputTokens: sum(finished.map((event) => event.usage?.inputTokens)),
      outputTokens: sum(finished.map((event) => event.usage?.outputTokens)),
      costMicros: sum(finished.map((event) => event.costMicros)),
    },
  );
  if (terminal.type === "Completed") assert.equal(terminal.output, result.output);
  else assert.equal(terminal.error.error_code, result.error?.code);
}

function sum(values: readonly (number | undefined)[]): number {
  return values.reduce<number>((total, value) => total + (value ?? 0), 0);
}
