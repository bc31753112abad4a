import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Journal } from "@benchtop/protocol";
import { openStore } from "@benchtop/store";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { memoryJournal } from "../../src/index.ts";
import { connect } from "./connect.ts";
import { assertSound, play } from "./fault-run.ts";
import { faultNames } from "./faults.ts";
import { scenarioOf } from "./scenario.ts";
import { seedsAtOnce } from "./seeds.ts";
import { dialectNames, FaultServer } from "./server.ts";

/** Runs against the memory journal; a tenth as many run against SQLite. */
const runCount = Number(process.env["FAULT_RUNS"] ?? 1500);
const firstSeed = Number(process.env["FAULT_SEED"] ?? 1);

let server: FaultServer;
let nowhere: string;
const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown): void => void unhandled.push(reason);

beforeAll(async () => {
  const gone = await FaultServer.start();
  nowhere = gone.urlOf({ seed: 0, dialect: "chat", faulty: 0 });
  await gone.close();
  server = await FaultServer.start();
  process.on("unhandledRejection", onUnhandled);
});
afterAll(async () => {
  process.off("unhandledRejection", onUnhandled);
  await server.close();
});

describe("H4 whatever providers do", { timeout: 600_000 }, () => {
  test(`${runCount} runs keep every rule of a journal, and leave nothing behind`, async () => {
    const timersBefore = activeTimers();
    const warmUp = Math.ceil(runCount / 3);
    await playAll(memoryJournal({ maxFinishedRuns: 50 }), firstSeed, warmUp);
    const heapBefore = collectedHeap();
    await playAll(memoryJournal({ maxFinishedRuns: 50 }), firstSeed + warmUp, runCount - warmUp);

    await eventually(() => server.openExchanges === 0);
    await eventually(() => {
      server.closeIdle();
      return server.openSockets === 0;
    });
    await eventually(() => activeTimers() <= timersBefore);
    expect(collectedHeap() - heapBefore).toBeLessThan(mostGrowth);
    expect(unhandled).toEqual([]);
    expect(server.trapped).toBe(0);
  });

  test.for(dialectNames.flatMap((dialect) => endless.map((fault) => [dialect, fault] as const)))(
    "one that speaks %s and %s costs no more memory than its budget allows",
    async ([dialect, fault]) => {
      const provider = connect(dialect, server.urlOf({ seed: 1, dialect, faulty: 1, among: [fault] }));
      const { config } = scenarioOf(1, { server, executions: new Map(), nowhere, calm: true });
      const { contextTokens: _, ...candidate } = { ...config.candidates[0], provider };
      const scenario = {
        seed: 1,
        config: {
          ...config,
          context: {},
          candidates: [candidate] as const,
          reliability: { retry: { maxAttempts: 1 } },
        },
        contract: { maxTotalTokens: 20_000 },
        abortAfter: undefined,
        hintAfter: undefined,
      };
      const { events, result } = await play(scenario, memoryJournal());
      assertSound(events, result, new Map());
      expect(["BUDGET_CAP_REACHED", "PROVIDER_UNAVAILABLE"]).toContain(result.error?.code);
      expect(JSON.stringify(events).length).toBeLessThan(mostKept);
    },
  );

  test("runs on the durable journal keep every rule, and the journal verifies", async () => {
    const home = await mkdtemp(join(tmpdir(), "benchtop-faults-"));
    const store = await openStore({ home });
    try {
      const runIds = await playAll(store.journal, firstSeed + runCount, Math.ceil(runCount / 10));
      for (const runId of runIds) {
        expect(await store.journal.verify(runId)).toMatchObject({ ok: true, violations: [] });
      }
    } finally {
      await store.close();
      await rm(home, { recursive: true });
    }
    expect(unhandled).toEqual([]);
  });
});

const endless = faultNames.filter((name) => name.endsWith("without end"));

/** Of an answer without end, eight characters a token are read, journaled as they come and once more as a whole. */
const mostKept = 20_000 * 8 * 2 + 512 * 1024;

/** Memory that the same number of runs may add once the process is warm: none grows with what was run. */
const mostGrowth = 8 * 1024 * 1024;

async function playAll(journal: Journal, first: number, count: number): Promise<string[]> {
  const runIds: string[] = [];
  await seedsAtOnce(first, count, async (seed) => {
    const executions = new Map<string, number>();
    const { events, result } = await play(scenarioOf(seed, { server, executions, nowhere }), journal);
    assertSound(events, result, executions);
    runIds.push(result.runId);
  });
  return runIds;
}

async function eventually(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: 20_000, interval: 20 }).toBe(true);
}

function activeTimers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
}

/** Bytes that are still in use after everything unused was collected. */
function collectedHeap(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}
