import assert from "node:assert/strict";
import { isTerminal, type Journal, type RunEvent } from "@benchtop/protocol";
import { checkInvariants } from "@benchtop/protocol/invariants";
import { afterAll, beforeAll, describe, test } from "vitest";
import { agentLoop, forkRun, memoryJournal, replayRun, type RunResult } from "../../src/index.ts";
import { play } from "./fault-run.ts";
import { Random } from "./random.ts";
import { scenarioOf } from "./scenario.ts";
import { ownEvents, seedsAtOnce } from "./seeds.ts";
import { FaultServer } from "./server.ts";

const runCount = Math.ceil(Number(process.env["FAULT_RUNS"] ?? 1500) / 15);
const firstSeed = Number(process.env["FAULT_SEED"] ?? 1) + 3_000_000;
const nowhere = "http://127.0.0.1:1";

let server: FaultServer;
beforeAll(async () => {
  server = await FaultServer.start();
});
afterAll(() => server.close());

describe("H7 a fork", { timeout: 600_000 }, () => {
  test("of any run at any event repeats nothing that had ended there, and comes to the same by the same program", async () => {
    await seedsAtOnce(firstSeed, runCount, async (seed) => {
      const journal = memoryJournal();
      const calm = (executions: Map<string, number>) => scenarioOf(seed, { server, executions, nowhere, calm: true });
      const origin = await play(calm(new Map()), journal);
      for (const at of placesIn(origin.events, seed)) {
        const executions = new Map<string, number>();
        const forked = await forkedAt(journal, origin.events, at, calm(executions).config);
        assertNothingRepeated(origin.events, at, executions);
        // A fork is not charged for what it was given, so it may get further than a run that its budget ended.
        if (origin.result.status === "budget_exceeded") continue;
        assert.deepEqual({ at, ...outcomeOf(forked.result) }, { at, ...outcomeOf(origin.result) });
        const { divergence } = await replayRun(forked.events, agentLoop(calm(new Map()).config));
        assert.deepEqual({ at, divergence }, { at, divergence: undefined });
      }
      assert.deepEqual(await journal.read(origin.result.runId), origin.events);
    });
  });

  test("of runs that faulty providers served keeps every rule", async () => {
    await seedsAtOnce(firstSeed + runCount, runCount, async (seed) => {
      const journal = memoryJournal();
      const faulty = (executions: Map<string, number>) => scenarioOf(seed, { server, executions, nowhere });
      const origin = await play(faulty(new Map()), journal);
      for (const at of placesIn(origin.events, seed)) {
        const executions = new Map<string, number>();
        await forkedAt(journal, origin.events, at, faulty(executions).config);
        assertNothingRepeated(origin.events, at, executions);
      }
      assert.equal(origin.events.filter(isTerminal).length, 1);
    });
  });
});

async function forkedAt(
  journal: Journal,
  events: readonly RunEvent[],
  at: number,
  config: Parameters<typeof agentLoop>[0],
): Promise<{ events: RunEvent[]; result: RunResult }> {
  const handle = await forkRun(journal, events, agentLoop(config), { at });
  const result = await handle.result;
  const forked = await journal.read(handle.runId);
  const violations = checkInvariants(forked, { ended: true });
  assert.deepEqual({ at, violations }, { at, violations: [] });
  return { events: forked, result };
}

function placesIn(events: readonly RunEvent[], seed: number): number[] {
  const random = Random.of(seed, "forks");
  return Array.from({ length: 3 }, () => random.below(ownEvents(events)));
}

function assertNothingRepeated(events: readonly RunEvent[], at: number, executions: Map<string, number>): void {
  for (const event of events.slice(0, at + 1)) {
    if (event.type === "ToolCallFinished") assert.ok(!executions.has(event.callId), `${event.callId} was repeated.`);
  }
  for (const count of executions.values()) assert.equal(count, 1);
}

function outcomeOf({ status, output, finishReason, error }: RunResult): object {
  return { status, output, finishReason, code: error?.code };
}
