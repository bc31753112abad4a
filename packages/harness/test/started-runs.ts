import { newId, newTraceId, type Contract, type Journal, type RunEvent } from "@benchtop/protocol";
import { checkInvariants } from "@benchtop/protocol/invariants";
import { expect } from "vitest";
import {
  agentLoop,
  memoryJournal,
  startRun,
  type Candidate,
  type LoopConfig,
  type RunBody,
  type RunHandle,
  type RunResult,
} from "../src/index.ts";

/** Starts a run of a program with what a test does not care about filled in. */
export function startProgram(
  body: RunBody,
  options: { journal?: Journal; contract?: Contract } = {},
): Promise<RunHandle> {
  const { journal = memoryJournal(), contract = {} } = options;
  const init = { runId: newId("run"), traceId: newTraceId(), kind: "test", userId: "tester", contract, input: "go" };
  return startRun(journal, init, body);
}

/** An agent with one model, and the rest of its configuration. */
export type AgentUnderTest = Omit<LoopConfig, "candidates" | "input"> &
  Omit<Candidate, "modelId"> & { readonly input?: string };

export function agentUnderTest({ provider, prices, contextTokens, ...config }: AgentUnderTest): RunBody {
  const info = { ...(prices && { prices }), ...(contextTokens !== undefined && { contextTokens }) };
  // Waits between attempts are for the tests of retries.
  const reliability = { retry: { maxAttempts: 1 } };
  return agentLoop({ candidates: [{ provider, modelId: "model", ...info }], input: "go", reliability, ...config });
}

export function startAgent(
  config: AgentUnderTest,
  options: { journal?: Journal; contract?: Contract } = {},
): Promise<RunHandle> {
  return startProgram(agentUnderTest(config), options);
}

/** Everything in a run's journal, once it has ended; checks the invariants on the way. */
export async function finished(handle: RunHandle): Promise<{ events: RunEvent[]; result: RunResult }> {
  const events: RunEvent[] = [];
  for await (const event of handle) events.push(event);
  const result = await handle.result;
  expect(checkInvariants(events, { ended: result.recorded })).toEqual([]);
  return { events, result };
}

/** Types of events in order, runs of deltas as one. */
export function typesOf(events: readonly RunEvent[]): string[] {
  return events
    .map((event) => event.type)
    .filter((type, index, all) => type !== "OutputDelta" || all[index - 1] !== type);
}

export function eventOf<Type extends RunEvent["type"]>(
  events: readonly RunEvent[],
  type: Type,
): Extract<RunEvent, { type: Type }> {
  const found = events.find((event) => event.type === type);
  if (!found) throw new Error(`There is no ${type} among ${events.map((event) => event.type).join(", ")}.`);
  return found as Extract<RunEvent, { type: Type }>;
}
