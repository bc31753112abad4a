import assert from "node:assert/strict";
import type { RunEvent } from "@benchtop/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { agentLoop, memoryJournal, replayRun, type LoopConfig, type Tool } from "../../src/index.ts";
import { play } from "./fault-run.ts";
import { scenarioOf } from "./scenario.ts";
import { FaultServer } from "./server.ts";
import { ownEvents, seedsAtOnce } from "./seeds.ts";

const runCount = Math.ceil(Number(process.env["FAULT_RUNS"] ?? 1500) / 5);
const firstSeed = Number(process.env["FAULT_SEED"] ?? 1) + 1_000_000;

let server: FaultServer;
let nowhere: string;
beforeAll(async () => {
  const gone = await FaultServer.start();
  nowhere = gone.urlOf({ seed: 0, dialect: "chat", faulty: 0 });
  await gone.close();
  server = await FaultServer.start();
});
afterAll(() => server.close());

describe("H7 a recorded run", { timeout: 600_000 }, () => {
  test("is driven again from its journal alone, whatever happened in it", async () => {
    await seedsAtOnce(firstSeed, runCount, async (seed) => {
      const { events, again, asked, executions } = await recorded(seed);
      const report = await replayRun(events, agentLoop(again));
      assert.deepEqual(report.divergence, undefined);
      assert.equal(report.outcome, "identical");
      assert.equal(executions.size, 0);
      assert.equal(asked(), 0, "The replay asked a provider.");
    });
  });

  test("is driven again as far as it goes, wherever its journal was cut", async () => {
    await seedsAtOnce(firstSeed + runCount, Math.ceil(runCount / 4), async (seed) => {
      const { events, again, executions } = await recorded(seed);
      for (let length = 1; length <= ownEvents(events); length += 1) {
        if (events[length - 1]?.type === "OutputDelta") continue;
        const report = await replayRun(events.slice(0, length), agentLoop(again));
        assert.deepEqual({ length, divergence: report.divergence }, { length, divergence: undefined });
      }
      assert.equal(executions.size, 0);
    });
  });

  test.for<[string, (config: LoopConfig) => LoopConfig]>([
    ["other instructions", (config) => ({ ...config, instructions: "Be verbose." })],
    ["another question", (config) => ({ ...config, input: "Something else." })],
    ["a changed tool schema", (config) => ({ ...config, tools: toolsOf(config).map(described) })],
    ["one more tool", (config) => ({ ...config, tools: [...toolsOf(config), extra] })],
    ["another temperature", (config) => ({ ...config, temperature: 0.123 })],
  ])("is not the same with %s: the report names the first request that differs", async ([, change]) => {
    await seedsAtOnce(firstSeed + 2 * runCount, Math.ceil(runCount / 10), async (seed) => {
      const { events, again, executions } = await recorded(seed);
      const first = events.find((event) => event.type === "ProviderCallStarted");
      if (!first) return;
      const report = await replayRun(events, agentLoop(change(again)));
      assert.equal(report.outcome, "diverged");
      assert.ok((report.divergence?.seq ?? 0) <= first.seq);
      assert.equal(executions.size, 0);
    });
  });
});

/** The journal of a seed's run, and the same program once more, whose providers and tools would betray that they were used. */
async function recorded(
  seed: number,
): Promise<{ events: RunEvent[]; again: LoopConfig; asked: () => number; executions: Map<string, number> }> {
  const { events } = await play(scenarioOf(seed, { server, executions: new Map(), nowhere }), memoryJournal());
  const executions = new Map<string, number>();
  const { config } = scenarioOf(seed, { server, executions, nowhere });
  let asked = 0;
  const [first, ...others] = config.candidates.map((candidate) => ({
    ...candidate,
    provider: {
      id: candidate.provider.id,
      async *stream() {
        asked += 1;
        yield [];
      },
    },
  }));
  if (!first) throw new Error("A plan has a candidate.");
  return { events, again: { ...config, candidates: [first, ...others] }, asked: () => asked, executions };
}

function toolsOf(config: LoopConfig): readonly Tool[] {
  return config.tools as readonly Tool[];
}

function described(tool: Tool): Tool {
  return { ...tool, inputSchema: { ...tool.inputSchema, description: "Changed." } };
}

const extra: Tool = {
  name: "extra",
  description: "One more.",
  inputSchema: { type: "object" },
  effects: "none",
  idempotent: true,
  execute: async () => ({ content: "" }),
};

test("H7 a journal that is none is refused", async () => {
  await expect(replayRun([], async () => ({ output: "" }))).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
});
