import { BenchtopError } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { ScriptedModels, ScriptedStart, type ScriptedLlama } from "../../../test/runtime-scripted-llama.ts";
import { Fleet } from "./fleet.ts";

const sizes: Readonly<Record<string, number>> = { a: 20, b: 35, c: 50, d: 80, e: 100 };
const names = Object.keys(sizes);

/** Numbers between 0 and 1 that a seed decides (Park and Miller). */
function random(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

const nameOf = ({ options }: ScriptedLlama): string => /(\w)\.gguf$/.exec(options.modelPath)?.[1] ?? "";
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Requests, aborts, crashes and unloads in any order. Gives how each request ended. */
async function play(seed: number): Promise<{ outcomes: string[]; processes: ScriptedStart }> {
  const next = random(seed);
  const pick = <Item>(items: readonly Item[]): Item | undefined => items[Math.floor(next() * items.length)];
  const models = new ScriptedModels();
  for (const name of names) models.add(name);
  const processes = new ScriptedStart();
  const fleet = new Fleet({
    id: "benchtop",
    models,
    start: processes.start,
    estimateMemory: ({ name }) => sizes[name] ?? 0,
    memory: { bytes: 100 },
    keepAliveSeconds: null,
    firstRetryDelayMs: 0,
    maxWaiting: 1000,
  });
  const requests: { ended: Promise<string>; abort: AbortController }[] = [];
  const ask = (model: string): void => {
    const abort = new AbortController();
    const request = { modelId: model, messages: [{ role: "user" as const, content: "go on" }] };
    const run = async (): Promise<string> => {
      try {
        let last = "";
        for await (const parts of fleet.adapter(model).stream(request, abort.signal)) last = parts.at(-1)?.type ?? last;
        return last;
      } catch (thrown) {
        return BenchtopError.is(thrown) ? thrown.code : String(thrown);
      }
    };
    requests.push({ ended: run(), abort });
  };
  const check = (): void => {
    const alive = processes.alive.map(nameOf);
    // One process a model, within the memory that there is.
    expect(new Set(alive).size).toBe(alive.length);
    expect(alive.reduce((sum, name) => sum + (sizes[name] ?? 0), 0)).toBeLessThanOrEqual(100);
  };
  try {
    for (let step = 0; step < 120; step += 1) {
      const what = next();
      const name = pick(names) ?? "a";
      if (what < 0.5) ask(name);
      else if (what < 0.8) pick(processes.alive)?.finish();
      else if (what < 0.88) pick(requests)?.abort.abort();
      else if (what < 0.92) pick(processes.alive)?.crash();
      else if (what < 0.96) void fleet.unload(name, AbortSignal.timeout(1000)).catch(() => {});
      await turn();
      check();
    }
    const outcomes = Promise.all(requests.map(({ ended }) => ended));
    const progress = { isDone: false };
    void outcomes.then(() => (progress.isDone = true));
    for (let rounds = 0; !progress.isDone && rounds < 5000; rounds += 1) {
      for (const process of processes.alive) process.finish();
      await turn();
      check();
    }
    expect(progress).toEqual({ isDone: true });
    expect((await fleet.metrics(AbortSignal.timeout(1000))).waiting).toBe(0);
    return { outcomes: await outcomes, processes };
  } finally {
    await fleet.close();
    models.remove();
  }
}

describe("P2.3 a fleet under requests, aborts, crashes and unloads in any order", () => {
  test.for([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])(
    "keeps to its memory, has one process a model, answers everybody and ends no answer by itself (seed %i)",
    async (seed) => {
      const { outcomes, processes } = await play(seed);
      expect(
        outcomes.filter((outcome) => !["finish", "USER_CANCELED", "PROVIDER_UNAVAILABLE"].includes(outcome)),
      ).toEqual([]);
      expect(outcomes).toContain("finish");
      expect(processes.alive).toEqual([]);
    },
  );
});
