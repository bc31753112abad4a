import { appendFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { BenchtopError } from "@benchtop/protocol";
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

describe("P2.3 a model of this machine", () => {
  test("is loaded when it is asked, answers, and stays for the next one", async () => {
    expect(await fleet.loaded()).toEqual([]);
    expect(await fleet.answer("a-40")).toBe("hello");
    expect(await fleet.answer("a-40")).toBe("hello");
    expect(fleet.processes.started).toHaveLength(1);
    const { loads, state } = await fleet.fleet.status("a-40", never);
    expect(state).toBe("ready");
    expect(loads).toMatchObject([{ state: "ready", contextTokens: 512, device: "cpu", busy: 0, expiresAt: null }]);
  });

  test("is loaded once for everybody who asks while it loads", async () => {
    fleet.processes.hold();
    const answers = Promise.all([fleet.answer("a-40"), fleet.answer("a-40"), fleet.answer("a-40")]);
    await expect.poll(async () => (await fleet.fleet.status("a-40", never)).state).toBe("loading");
    fleet.processes.go();
    expect(await answers).toEqual(["hello", "hello", "hello"]);
    expect(fleet.processes.started).toHaveLength(1);
  });

  test("gives up a load when the last one that waited for it leaves, not before", async () => {
    fleet.processes.hold();
    const [first, second] = [new AbortController(), new AbortController()];
    const answers = [fleet.answer("a-40", first), fleet.answer("a-40", second)].map(failureOf);
    await expect.poll(() => fleet.loaded()).toEqual(["a-40"]);
    first.abort();
    expect((await answers[0])?.code).toBe("USER_CANCELED");
    expect(fleet.processes.aborted).toBe(0);
    second.abort();
    expect((await answers[1])?.code).toBe("USER_CANCELED");
    expect(fleet.processes.aborted).toBe(1);
    await expect.poll(() => fleet.loaded()).toEqual([]);
    fleet.processes.go();
    expect(await fleet.answer("a-40")).toBe("hello");
  });

  test.each(["d", "", "../a-40"])("that is not installed (%j) says how to install it", async (name) => {
    for (const failure of [fleet.answer(name), fleet.fleet.load(name, {}, never), fleet.fleet.status(name, never)]) {
      const error = await failureOf(failure);
      expect([error.code, error.info.provider_id]).toEqual(["PROVIDER_NOT_CONFIGURED", "benchtop"]);
      expect(error.message).toContain("benchtop models install");
    }
  });

  test("is the only one that its adapter asks", async () => {
    const stream = fleet.fleet.adapter("a-40").stream({ modelId: "b-40", messages: [] }, never);
    const error = await failureOf(stream[Symbol.asyncIterator]().next());
    expect(error.code).toBe("PROVIDER_NOT_CONFIGURED");
    expect(fleet.processes.started).toEqual([]);
  });

  test("that is an adapter, or made to embed, does not answer", async () => {
    fleet.models.add("lora-1", { kind: "adapter" });
    fleet.models.add("vectors-1", { embeds: true });
    expect((await failureOf(fleet.answer("lora-1"))).code).toBe("VALIDATION_FAILED");
    expect((await failureOf(fleet.answer("vectors-1"))).code).toBe("VALIDATION_FAILED");
    const { vectors, inputTokens, revision } = await fleet.fleet.embed("vectors-1", ["ab", "c"], never);
    expect([vectors.map((vector) => vector[0]), inputTokens]).toEqual([[2, 1], 2]);
    expect(revision).toMatch(/^[0-9a-f]{64}$/);
    expect(fleet.processes.started[0]?.options.embeds).toBe(true);
  });
});

describe("P2.3 an idle model", () => {
  test("leaves after its time, which begins anew with each answer", async () => {
    await reopen({ keepAliveSeconds: 0.08 });
    await fleet.answer("a-40");
    await wait(50);
    await fleet.answer("a-40");
    await wait(50);
    expect(await fleet.loaded()).toEqual(["a-40"]);
    await expect.poll(() => fleet.loaded()).toEqual([]);
    expect(fleet.events.at(-1)).toEqual({ type: "left", model: "a-40", reason: "idle" });
    expect(fleet.processes.started).toHaveLength(1);
  });

  test("leaves with its last answer where it is told 0, and stays where it is told null", async () => {
    const [first, second] = [
      await fleet.begin("a-40", { load: { keepAliveSeconds: 0 } }),
      await fleet.begin("a-40", { load: { keepAliveSeconds: 0 } }),
    ];
    await first.leave();
    expect(await fleet.loaded()).toEqual(["a-40"]);
    await second.leave();
    await expect.poll(() => fleet.loaded()).toEqual([]);
    await fleet.fleet.load("b-40", { keepAliveSeconds: 0.01 }, never);
    await fleet.answer("b-40", { load: { keepAliveSeconds: null } });
    await wait(30);
    expect(await fleet.loaded()).toEqual(["b-40"]);
  });

  test("takes a time that is told while it is idle", async () => {
    await fleet.answer("a-40");
    fleet.fleet.configure({ keepAliveSeconds: 0.01 });
    await expect.poll(() => fleet.loaded()).toEqual([]);
  });
});

describe("P2.3 a file", () => {
  test("that changed is not loaded, and what was loaded of it leaves", async () => {
    const going = await fleet.begin("a-40");
    appendFileSync(await fleet.pathOf("a-40"), "!");
    const error = await failureOf(fleet.answer("a-40"));
    expect([error.code, error.info.retryable]).toEqual(["PROVIDER_UNAVAILABLE", false]);
    expect(error.message).toContain("no longer the one that was installed");
    expect(await fleet.loaded()).toEqual(["a-40"]);
    fleet.processes.started[0]?.finish();
    expect(await going.rest()).toHaveLength(4);
    await expect.poll(() => fleet.loaded()).toEqual([]);
    expect(fleet.events.at(-1)).toMatchObject({ type: "left", reason: "changed" });
  });

  test("of the same size but another time is another file, too", async () => {
    const path = await fleet.pathOf("a-40");
    writeFileSync(path, "the weights of a-4!");
    utimesSync(path, 1000, 1000);
    expect((await failureOf(fleet.answer("a-40"))).message).toContain("no longer the one");
  });

  test("that is gone is said to be gone", async () => {
    rmSync(await fleet.pathOf("a-40"));
    expect((await failureOf(fleet.answer("a-40"))).message).toContain("cannot be read any more");
  });

  test("that is exchanged while it is loaded is not served", async () => {
    fleet.processes.hold();
    const error = failureOf(fleet.answer("a-40"));
    await expect.poll(() => fleet.loaded()).toEqual(["a-40"]);
    appendFileSync(await fleet.pathOf("a-40"), "!");
    fleet.processes.go();
    expect((await error).message).toContain("no longer the one that was installed");
    expect(fleet.processes.started[0]?.requests).toEqual([]);
  });
});

describe("P2.3 a process that ends by itself", () => {
  test("fails what it was answering, retryable, and the next request has a new one", async () => {
    const going = await fleet.begin("a-40");
    fleet.processes.started[0]?.crash();
    const error = await failureOf(going.rest());
    expect(error.info).toMatchObject({ error_code: "PROVIDER_UNAVAILABLE", retryable: true, provider_id: "benchtop" });
    expect(await fleet.answer("a-40")).toBe("hello");
    expect(fleet.processes.started).toHaveLength(2);
    expect((await fleet.fleet.metrics(never)).counts).toMatchObject({ loads: 2, crashes: 1, failed: 1 });
    expect(fleet.events).toContainEqual({ type: "left", model: "a-40", reason: "crashed" });
  });

  test("while it is idle is noticed, too", async () => {
    await fleet.answer("a-40");
    fleet.processes.started[0]?.crash();
    await expect.poll(() => fleet.loaded()).toEqual([]);
    expect(await fleet.answer("a-40")).toBe("hello");
  });

  test("three times in a row while it loads is not tried again until its file or its options change", async () => {
    const crashed = new BenchtopError("PROVIDER_UNAVAILABLE", "The process of the model ended.");
    fleet.processes.failures.push(crashed, new Error("odd"), crashed);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect((await failureOf(fleet.answer("a-40"))).info.retryable).toBe(true);
    }
    expect((await fleet.fleet.status("a-40", never)).state).toBe("failed");
    const error = await failureOf(fleet.answer("a-40"));
    expect([error.code, error.info.retryable]).toEqual(["PROVIDER_UNAVAILABLE", false]);
    expect(error.message).toContain("failed 3 times in a row");
    expect(fleet.processes.started).toEqual([]);
    expect(await fleet.answer("a-40", { load: { contextTokens: 64 } })).toBe("hello");
    expect((await failureOf(fleet.answer("a-40"))).info.retryable).toBe(false);
    fleet.models.add("a-40");
    expect(await fleet.answer("a-40")).toBe("hello");
  });

  test("is waited longer for with each time, and an abort ends the wait", async () => {
    await reopen({ firstRetryDelayMs: 60_000 });
    fleet.processes.failures.push(new Error("odd"));
    expect((await failureOf(fleet.answer("a-40"))).code).toBe("PROVIDER_UNAVAILABLE");
    expect((await failureOf(fleet.answer("a-40", { signal: AbortSignal.timeout(20) }))).code).toBe("USER_CANCELED");
    expect(await fleet.answer("b-40")).toBe("hello");
  });

  test("because the model cannot be opened says why every time, and is no crash", async () => {
    for (let attempt = 0; attempt < 4; attempt += 1) {
      fleet.processes.failures.push(
        new BenchtopError("VALIDATION_FAILED", "The file is no model that llama.cpp knows."),
      );
      const error = await failureOf(fleet.answer("a-40"));
      expect([error.code, error.message]).toEqual(["VALIDATION_FAILED", "The file is no model that llama.cpp knows."]);
    }
  });
});

describe("P2.3 options", () => {
  test("that decide what a process is have a load of their own; the same ones share it", async () => {
    fleet.models.add("lora-1", { kind: "adapter" });
    const load = { contextTokens: 64, adapters: [{ model: "lora-1", scale: 0.5 }] };
    await fleet.answer("a-40");
    await fleet.answer("a-40", { load });
    await fleet.answer("a-40", { load: { ...load, keepAliveSeconds: 60 } });
    expect(fleet.processes.started).toHaveLength(2);
    expect(fleet.processes.started[1]?.options).toMatchObject({
      contextTokens: 64,
      adapters: [{ path: expect.stringContaining("lora-1.gguf"), scale: 0.5 }],
    });
    const { loads } = await fleet.fleet.status("a-40", never);
    expect(loads.map(({ adapters }) => adapters)).toEqual([[], ["lora-1"]]);
  });

  test("told with a load hold for later requests, and take the place of the former ones", async () => {
    const going = await fleet.begin("a-40");
    await fleet.fleet.load("a-40", { contextTokens: 64 }, never);
    await fleet.answer("a-40");
    expect(fleet.processes.started.map(({ options }) => options.contextTokens)).toEqual([undefined, 64]);
    fleet.processes.started[0]?.finish();
    await going.rest();
    await expect.poll(() => fleet.processes.alive.length).toBe(1);
    await fleet.fleet.unload("a-40", never);
    await fleet.answer("a-40");
    expect(fleet.processes.started.at(-1)?.options.contextTokens).toBeUndefined();
  });

  test("that cannot be had leave what was told before", async () => {
    await fleet.fleet.load("a-40", { contextTokens: 64 }, never);
    fleet.processes.failures.push(new BenchtopError("VALIDATION_FAILED", "No such context."));
    expect((await failureOf(fleet.fleet.load("a-40", { contextTokens: 1e9 }, never))).code).toBe("VALIDATION_FAILED");
    await fleet.answer("a-40");
    expect(fleet.processes.started).toHaveLength(1);
  });

  test.each([["missing"], ["b-40"]])("with %s as an adapter are refused", async (model) => {
    const error = await failureOf(fleet.answer("a-40", { load: { adapters: [{ model }] } }));
    expect(error.message).toMatch(/not installed|not an adapter/);
  });
});

describe("P2.3 unloading and closing", () => {
  test("lets answers end first, and is done when the memory is free", async () => {
    const going = await fleet.begin("a-40");
    let unloaded = false;
    const unloading = fleet.fleet.unload("a-40", never).then(() => (unloaded = true));
    await wait(10);
    expect(unloaded).toBe(false);
    fleet.processes.started[0]?.finish();
    expect((await going.rest()).at(-1)?.type).toBe("finish");
    await unloading;
    expect(await fleet.loaded()).toEqual([]);
    await fleet.fleet.unload("a-40", never);
  });

  test("ends answers when the fleet closes, and what waits, and what comes later", async () => {
    const going = await fleet.begin("big-90");
    const waiting = failureOf(fleet.answer("a-40"));
    await expect.poll(() => fleet.waiting()).toBe(1);
    const rest = failureOf(going.rest());
    await fleet.fleet.close();
    expect(fleet.processes.alive).toEqual([]);
    expect((await waiting).code).toBe("PROVIDER_UNAVAILABLE");
    expect((await rest).code).toBe("PROVIDER_UNAVAILABLE");
    expect((await fleet.fleet.health(never)).ready).toBe(false);
    expect((await failureOf(fleet.answer("a-40"))).info.retryable).toBe(false);
  });

  test("ends a load that is going on", async () => {
    fleet.processes.hold();
    const waiting = failureOf(fleet.answer("a-40"));
    await expect.poll(() => fleet.loaded()).toEqual(["a-40"]);
    await fleet.fleet.close();
    await waiting;
    expect(fleet.processes.started).toEqual([]);
  });
});

describe("P2.3 what is counted and told", () => {
  test("is tokens, times and memory of what was answered", async () => {
    await fleet.answer("a-40");
    await (await fleet.begin("a-40")).leave();
    const metrics = await fleet.fleet.metrics(never);
    expect(metrics).toMatchObject({
      counts: { requests: 2, failed: 0, inputTokens: 3, outputTokens: 2, loads: 1 },
      running: 0,
      loaded: 1,
      tokensPerSecond: 20,
      memory: { usedBytes: 40, limitBytes: 100 },
    });
    expect(metrics.firstTokenMs).toBeGreaterThanOrEqual(0);
    expect((await fleet.fleet.status("a-40", never)).loads[0]?.tokensPerSecond).toBe(20);
    expect(fleet.events.map(({ type }) => type)).toEqual(["loading", "loaded", "answered"]);
  });

  test("is the model's use, to whoever keeps when it was used last", async () => {
    const used: string[] = [];
    await reopen({ used: ({ name }) => used.push(name) });
    await fleet.answer("a-40");
    await fleet.fleet.tokenize("a-40", "ab", never);
    expect(used).toEqual(["a-40", "a-40"]);
  });
});
