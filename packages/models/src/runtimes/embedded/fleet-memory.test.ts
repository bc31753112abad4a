import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { failureOf } from "../../../test/runtime-failure.ts";
import { ScriptedFleet } from "../../../test/runtime-scripted-fleet.ts";
import type { FleetOptions } from "./fleet.ts";

const never = new AbortController().signal;
let fleet: ScriptedFleet;
beforeEach(() => {
  fleet = new ScriptedFleet();
});
afterEach(() => fleet.close());

async function reopen(options: Partial<FleetOptions>): Promise<void> {
  await fleet.close();
  fleet = new ScriptedFleet(options);
}

describe("P2.3 memory", () => {
  test("is made by unloading the idle model that was used longest ago", async () => {
    await fleet.answer("a-40");
    await fleet.answer("b-40");
    await fleet.answer("a-40");
    await fleet.answer("c-40");
    expect(await fleet.loaded()).toEqual(["a-40", "c-40"]);
    expect((await fleet.fleet.metrics(never)).counts).toMatchObject({ loads: 3, unloads: 1, evictions: 1, crashes: 0 });
  });

  test("of a model that answers is never taken: who needs it waits, and gets it next", async () => {
    const going = await fleet.begin("a-40");
    await fleet.answer("b-40");
    const waiting = fleet.answer("big-90");
    await expect.poll(() => fleet.waiting()).toBe(1);
    const late = fleet.answer("a-40");
    await expect.poll(() => fleet.waiting()).toBe(2);
    await wait(20);
    expect(await fleet.loaded()).toEqual(["a-40", "b-40"]);
    expect((await fleet.fleet.status("a-40", never)).state).toBe("unloading");
    fleet.processes.started[0]?.finish();
    expect((await going.rest()).at(-1)).toEqual({ type: "finish", reason: "stop" });
    expect(await waiting).toBe("hello");
    expect(await late).toBe("hello");
    expect(fleet.processes.started.map(({ options }) => options.modelPath.split("/").at(-1))).toEqual([
      "a-40.gguf",
      "b-40.gguf",
      "big-90.gguf",
      "a-40.gguf",
    ]);
    const { waitedMs } = await fleet.fleet.metrics(never);
    expect(waitedMs?.longest).toBeGreaterThanOrEqual(20);
  });

  test("is waited for in order, and who leaves the queue lets the others go on", async () => {
    const going = await fleet.begin("big-90");
    const abort = new AbortController();
    const order: string[] = [];
    const first = failureOf(fleet.answer("huge-500", abort));
    expect((await first).code).toBe("PROVIDER_UNAVAILABLE");
    const second = failureOf(fleet.answer("a-40", abort));
    const third = fleet.answer("b-40").then(() => order.push("b"));
    const fourth = fleet.answer("c-40").then(() => order.push("c"));
    await expect.poll(() => fleet.waiting()).toBe(3);
    abort.abort();
    expect((await second).code).toBe("USER_CANCELED");
    await going.leave();
    await Promise.all([third, fourth]);
    expect(order).toEqual(["b", "c"]);
    expect(await fleet.loaded()).toEqual(["b-40", "c-40"]);
  });

  test("that nobody waits for any more leaves a model that was to make room where it is", async () => {
    const going = await fleet.begin("a-40");
    const abort = new AbortController();
    const waiting = failureOf(fleet.answer("big-90", abort));
    await expect.poll(async () => (await fleet.fleet.status("a-40", never)).state).toBe("unloading");
    abort.abort();
    await waiting;
    expect((await fleet.fleet.status("a-40", never)).state).toBe("busy");
    expect(await fleet.answer("a-40")).toBe("hello");
    await going.leave();
    expect(fleet.processes.started).toHaveLength(1);
  });

  test("that a model can never have is refused at once, for good", async () => {
    const error = await failureOf(fleet.answer("huge-500"));
    expect(error.info).toMatchObject({ error_code: "PROVIDER_UNAVAILABLE", retryable: false, model_id: "huge-500" });
    expect(error.message).toBe(
      "huge-500 needs 500 bytes of memory, and models may take 100 bytes on this machine. " +
        "Take a smaller model or a shorter context, or raise the limit.",
    );
    expect(fleet.processes.started).toEqual([]);
  });

  test("of a pinned model is not taken, and who needs it is told", async () => {
    await fleet.fleet.load("a-40", { pinned: true }, never);
    await fleet.answer("b-40");
    await fleet.answer("c-40");
    expect(await fleet.loaded()).toEqual(["a-40", "c-40"]);
    const error = await failureOf(fleet.answer("big-90"));
    expect([error.code, error.info.retryable]).toEqual(["PROVIDER_UNAVAILABLE", false]);
    expect(error.message).toContain("pinned");
    await fleet.fleet.unload("a-40", never);
    expect(await fleet.answer("big-90")).toBe("hello");
  });

  test("that other programs hold for now may be free later", async () => {
    let freeBytes = 50;
    await reopen({ memory: { share: 0.5 }, machine: { freeBytes: () => freeBytes, totalBytes: () => 1000 } });
    const error = await failureOf(fleet.answer("a-40"));
    expect([error.code, error.info.retryable]).toEqual(["PROVIDER_UNAVAILABLE", true]);
    expect(error.message).toContain("other programs leave 25 bytes");
    freeBytes = 90;
    expect(await fleet.answer("a-40")).toBe("hello");
  });

  test("is counted as what a model takes where that is more than was estimated", async () => {
    await fleet.answer("a-40");
    const [first] = fleet.processes.started;
    if (first) first.memoryBytes = 80;
    await fleet.answer("b-40");
    expect(await fleet.loaded()).toEqual(["b-40"]);
  });

  test("whose limit is lowered is freed as far as it is idle", async () => {
    const going = await fleet.begin("a-40");
    await fleet.answer("b-40");
    fleet.fleet.configure({ memory: { bytes: 50 } });
    await expect.poll(() => fleet.loaded()).toEqual(["a-40"]);
    await going.leave();
  });
});

describe("P2.3 too many requests", () => {
  test("are refused so that a plan goes on, whether they wait for memory or for a place in a model", async () => {
    await reopen({ maxWaiting: 2 });
    const going = await fleet.begin("a-40");
    const second = fleet.begin("a-40");
    const third = fleet.answer("big-90");
    await expect.poll(() => fleet.waiting()).toBe(2);
    for (const model of ["big-90", "a-40"]) {
      const error = await failureOf(fleet.answer(model));
      expect([error.code, error.info.retryable, error.category]).toEqual(["PROVIDER_RATE_LIMITED", true, "provider"]);
    }
    await going.leave();
    await (await second).leave();
    expect(await third).toBe("hello");
  });
});
