import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  BenchtopError,
  isTerminal,
  type Decision,
  type EventInput,
  type Journal,
  type RunEvent,
} from "@benchtop/protocol";
import { checkInvariants } from "@benchtop/protocol/invariants";
import { openStore, type Store } from "@benchtop/store";
import { afterAll, beforeAll, describe, test } from "vitest";
import {
  agentLoop,
  endRun,
  initOf,
  interruption,
  memoryJournal,
  replayRun,
  resumeRun,
  startRun,
  type RunResult,
} from "../../src/index.ts";
import { initOf as startOf, play } from "./fault-run.ts";
import { Random } from "./random.ts";
import { askingGate, scenarioOf, type Scenario } from "./scenario.ts";
import { ownEvents, seedsAtOnce } from "./seeds.ts";
import { FaultServer } from "./server.ts";
import type { Executions } from "./tools.ts";

const runCount = Math.ceil(Number(process.env["FAULT_RUNS"] ?? 1500) / 15);
const firstSeed = Number(process.env["FAULT_SEED"] ?? 1) + 2_000_000;

let server: FaultServer;
let nowhere: string;
let home: string;
let store: Store;
beforeAll(async () => {
  const gone = await FaultServer.start();
  nowhere = gone.urlOf({ seed: 0, dialect: "chat", faulty: 0 });
  await gone.close();
  server = await FaultServer.start();
  home = await mkdtemp(join(tmpdir(), "benchtop-resume-"));
  store = await openStore({ home });
});
afterAll(async () => {
  await server.close();
  await store.close();
  await rm(home, { recursive: true });
});

describe("H7 a run whose process was killed", { timeout: 600_000 }, () => {
  test("goes on from any event, executes nothing twice, and comes to what it would have come to", async () => {
    await seedsAtOnce(firstSeed, runCount, async (seed) => {
      const whole = await untilEnded(memoryJournal(), calmly(seed), "yes");
      await crashing(seed, whole.events, async (crashed) => {
        const { result } = await crashedAndResumed(memoryJournal(), calmly(seed), "yes", crashed);
        assert.deepEqual(outcomeOf(result), outcomeOf(whole.result));
      });
    });
  });

  test("can be ended where it was cut off: everything open is closed", async () => {
    await seedsAtOnce(firstSeed + 3 * runCount, runCount, async (seed) => {
      const among = (executions: Executions): Scenario => asking(scenarioOf(seed, { server, executions, nowhere }));
      const { events } = await untilEnded(memoryJournal(), among, "any");
      await crashing(seed, events, async (crashed) => {
        const journal = memoryJournal();
        const runId = await written(journal, crashed);
        assert.equal(await endRun(journal, runId, interruption()), true);
        assert.deepEqual(checkInvariants(await journal.read(runId), { ended: true }), []);
      });
    });
  });

  test("or whose journal took nothing more at any commit, goes on once it does again", async () => {
    await seedsAtOnce(firstSeed + 4 * runCount, runCount, async (seed) => {
      const program = calmly(seed);
      const whole = await untilEnded(memoryJournal(), program, "yes");
      const random = Random.of(seed, "full disk");
      for (let nth = 0; nth < 3; nth += 1) {
        const journal = memoryJournal();
        const executions: Executions = new Map();
        const full = filledUp(journal, 1 + random.below(ownEvents(whole.events)));
        const handle = await startRun(full, startOf(program(executions)), agentLoop(program(executions).config));
        const failed = await handle.result;
        assertLeg([], await journal.read(handle.runId), executions);
        if (failed.recorded && failed.status !== "suspended") continue;
        if (!failed.recorded) assert.equal(failed.error?.code, "DISK_FULL");
        const { result } = await untilEnded(journal, program, "yes", handle.runId);
        assert.deepEqual(outcomeOf(result), outcomeOf(whole.result));
      }
    });
  });

  test("goes on from the durable journal, which verifies afterwards", async () => {
    await seedsAtOnce(firstSeed + runCount, Math.ceil(runCount / 10), async (seed) => {
      const whole = await untilEnded(memoryJournal(), calmly(seed), "yes");
      await crashing(seed, whole.events, async (crashed, nth) => {
        const runId = `run_${seed}_${nth}`;
        const { result } = await crashedAndResumed(store.journal, calmly(seed), "yes", crashed, runId);
        assert.deepEqual(outcomeOf(result), outcomeOf(whole.result));
        assert.deepEqual((await store.journal.verify(runId)).violations, []);
      });
    });
  });

  test("goes on among faulty providers and keeps every rule, whatever a person decides", async () => {
    await seedsAtOnce(firstSeed + 2 * runCount, runCount, async (seed) => {
      const among = (executions: Executions): Scenario => asking(scenarioOf(seed, { server, executions, nowhere }));
      const first = await untilEnded(memoryJournal(), among, "any");
      await crashing(seed, first.events, async (crashed) => {
        const { events } = await crashedAndResumed(memoryJournal(), among, "any", crashed);
        assert.ok(events.length > crashed.length);
      });
    });
  });
});

/** The program of a run, with a record of what its tools did. */
type Program = (executions: Executions) => Scenario;

function calmly(seed: number): Program {
  return (executions) => {
    const scenario = scenarioOf(seed, { server, executions, nowhere, calm: true });
    return seed % 2 === 0 ? scenario : asking(scenario);
  };
}

function asking(scenario: Scenario): Scenario {
  const { config } = scenario;
  return { ...scenario, config: { ...config, gates: [...(config.gates ?? []), askingGate] } };
}

/** Cuts a journal at some of its events, each as a process that was killed there would leave it. */
async function crashing(
  seed: number,
  events: readonly RunEvent[],
  act: (crashed: readonly RunEvent[], nth: number) => Promise<void>,
): Promise<void> {
  const random = Random.of(seed, "crashes");
  const inTools = events.flatMap((event, index) => (event.type === "ToolCallRequested" ? [index + 1] : []));
  for (let nth = 0; nth < 4; nth += 1) {
    const anywhere = 1 + random.below(ownEvents(events));
    const length = inTools.length > 0 && nth === 0 ? random.pick(inTools) : anywhere;
    await act(events.slice(0, length), nth);
  }
}

/**
 * Runs a program to its end, from its start or on from a journal as a crash left it; whenever it waits for a person, they
 * decide. Checks after each process that nothing was executed that must not be.
 */
async function untilEnded(
  journal: Journal,
  program: Program,
  person: "yes" | "any",
  cutOff?: string,
): Promise<{ events: RunEvent[]; result: RunResult }> {
  const first = cutOff === undefined ? await started(journal, program) : undefined;
  const runId = cutOff ?? first?.runId ?? "";
  const random = Random.of((await journal.read(runId)).length, "person");
  let result = first ?? (await goOn(journal, runId, program, person, random));
  while (result.status === "suspended") result = await goOn(journal, runId, program, person, random);
  const events = await journal.read(runId);
  assert.deepEqual(checkInvariants(events, { ended: true }), []);
  assert.equal(events.filter(isTerminal).length, 1);
  await assertReplays(events, program);
  return { events, result };
}

async function started(journal: Journal, program: Program): Promise<RunResult> {
  const executions: Executions = new Map();
  const { result } = await play(program(executions), journal);
  assertLeg([], await journal.read(result.runId), executions);
  return result;
}

/** One process: takes the run over, with a decision where it waits for one. */
async function goOn(
  journal: Journal,
  runId: string,
  program: Program,
  person: "yes" | "any",
  random: Random,
): Promise<RunResult> {
  const executions: Executions = new Map();
  const before = await journal.read(runId);
  const decision = decisionOn(before, person, random);
  const { config } = program(executions);
  const handle = await resumeRun(journal, runId, agentLoop(config), decision === undefined ? {} : { decision });
  const result = await handle.result;
  assertLeg(before, await journal.read(runId), executions);
  return result;
}

async function crashedAndResumed(
  journal: Journal,
  program: Program,
  person: "yes" | "any",
  crashed: readonly RunEvent[],
  runId?: string,
): Promise<{ events: RunEvent[]; result: RunResult }> {
  return await untilEnded(journal, program, person, await written(journal, crashed, runId));
}

/** What several processes did one after the other is driven again as one run. */
async function assertReplays(events: readonly RunEvent[], program: Program): Promise<void> {
  const executions: Executions = new Map();
  const { outcome, divergence } = await replayRun(events, agentLoop(program(executions).config));
  assert.deepEqual({ outcome, divergence }, { outcome: "identical", divergence: undefined });
  assert.equal(executions.size, 0);
}

/** The journal that a killed process leaves: the same events, and nobody who writes. */
async function written(journal: Journal, events: readonly RunEvent[], runId?: string): Promise<string> {
  const init = initOf(events[0]);
  const writer = await journal.create({ ...init, runId: runId ?? init.runId });
  for (const { runId: _, seq, at: __, traceId: ___, ...event } of events) {
    if (seq > 0) writer.write(event);
    // A delta of its own commit, so that none is joined with the one before.
    if (event.type === "OutputDelta") await writer.committed();
  }
  await writer.close();
  return writer.runId;
}

/** A journal on a disk that has room for so many commits. What was written and not committed is gone. */
function filledUp(journal: Journal, commits: number): Journal {
  let left = commits;
  return {
    ...journal,
    async create(init) {
      const writer = await journal.create(init);
      const queue: EventInput[] = [];
      const full = new BenchtopError("DISK_FULL", "The disk is full.");
      return {
        runId: writer.runId,
        traceId: writer.traceId,
        get pending() {
          return writer.pending;
        },
        write: (event) => void queue.push(event),
        async committed() {
          if (queue.length === 0) return;
          if (left <= 0) throw full;
          left -= 1;
          for (const event of queue.splice(0)) writer.write(event);
          await writer.committed();
        },
        close: () => writer.close(),
      };
    },
  };
}

function decisionOn(events: readonly RunEvent[], person: "yes" | "any", random: Random): Decision | undefined {
  const last = events.at(-1);
  if (last?.type !== "Suspended") return undefined;
  if (last.reason === "approval") return person === "yes" ? "approve" : random.pick(["approve", "deny"] as const);
  return person === "yes" ? "retry" : random.pick(["retry", "skip"] as const);
}

/** What one process may have executed, given the journal that it found and the one that it left. */
function assertLeg(before: readonly RunEvent[], after: readonly RunEvent[], executions: Executions): void {
  const finished = new Set(before.flatMap((event) => (event.type === "ToolCallFinished" ? [event.callId] : [])));
  const inDoubt = new Set(
    before.flatMap((event) => (event.type === "ToolCallRequested" && !event.idempotent ? [event.callId] : [])),
  );
  const decision = after[before.length];
  for (const [callId, count] of executions) {
    assert.equal(count, 1, `${callId} was executed ${count} times.`);
    assert.ok(!finished.has(callId), `${callId} had ended and was executed again.`);
    const mayRepeat = decision?.type === "Resumed" && decision.callId === callId && decision.decision === "retry";
    assert.ok(!inDoubt.has(callId) || mayRepeat, `${callId} is not idempotent and was repeated unasked.`);
  }
}

/** What a person sees of a run. */
function outcomeOf({ status, output, finishReason, error, totals }: RunResult): object {
  const { steps, toolCalls, usage, costMicros } = totals;
  return { status, output, finishReason, code: error?.code, steps, toolCalls, usage, costMicros };
}
