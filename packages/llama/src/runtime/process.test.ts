import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answerOf, ask, isAlive, never, RuntimeModels } from "../../test/runtime-model.ts";
import { tinyModel } from "../../test/tiny-model.ts";
import { tinyScriptedModel } from "../../test/tiny-scripted-model.ts";
import type { LlamaChatRequest, LlamaModel, LlamaPart } from "./llama-model.ts";
import { encodeFrame } from "./frames.ts";
import { RunningModel } from "./running-model.ts";
import { startLlamaModel } from "./start.ts";

const models = new RuntimeModels();
let path: string;
beforeAll(async () => {
  path = await models.write(tinyScriptedModel({ script: "again and again ", endless: true, contextTokens: 4096 }));
});
afterAll(() => models.end());

const endless: LlamaChatRequest = { messages: [{ role: "user", content: "Hello" }] };
const test = join(import.meta.dirname, "../../test");

/** Two generations, one going and one waiting. */
async function busy(model: LlamaModel): Promise<Promise<unknown>[]> {
  const going = model.chat(endless, never)[Symbol.asyncIterator]();
  for (let batch = await going.next(); batch.value?.length === 0;) batch = await going.next();
  const rest = async (): Promise<readonly LlamaPart[]> => {
    for (let batch = await going.next(); ; batch = await going.next()) if (batch.done) return [];
  };
  return [rest(), answerOf(model.chat(endless, never))];
}

async function failures(going: readonly Promise<unknown>[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(going);
  return settled.map((each) => (each.status === "rejected" ? (each.reason as unknown) : "no failure"));
}

describe("a process that ends unexpectedly", () => {
  it.each([
    ["SIGKILL", "short of memory"],
    ["SIGSEGV", "ended unexpectedly (SIGSEGV)"],
  ] as const)("by %s fails what is going and what waits, and nothing else", async (signal, words) => {
    const model = await models.startFile(path);
    const failed = failures(await busy(model));
    process.kill(model.pid, signal);
    for (const failure of await failed) {
      expect(failure).toMatchObject({
        code: "PROVIDER_UNAVAILABLE",
        message: expect.stringContaining(words) as string,
        info: { retryable: true, detail: { exit: signal } },
      });
    }
    expect(await model.exited).toEqual({ code: null, signal });
    expect(model.state).toMatchObject({ busy: 0, waiting: 0 });
    await expect(ask(model, "Hello")).rejects.toMatchObject({ code: "PROVIDER_UNAVAILABLE" });
    await model.close();
  });
});

describe("closing", () => {
  it("waits for nothing, and may be asked for twice", async () => {
    const model = await models.startFile(path);
    const failed = failures(await busy(model));
    await Promise.all([model.close(), model.close()]);
    expect(isAlive(model.pid)).toBe(false);
    for (const failure of await failed) expect(failure).toMatchObject({ code: "USER_CANCELED" });
    await model.close();
    await expect(model.tokenize("x")).rejects.toMatchObject({ code: "USER_CANCELED" });
  });
});

// These wait more than they compute.
describe.concurrent("a process that", () => {
  it("does not listen is ended all the same, and never had what the daemon keeps in its environment", async () => {
    process.env["BENCHTOP_TEST_SECRET"] = "hush";
    const model = await models.startFile(path).finally(() => delete process.env["BENCHTOP_TEST_SECRET"]);
    const environment = readFileSync(`/proc/${model.pid}/environ`, "utf8");
    expect(environment).toContain("PATH=");
    expect(environment).not.toContain("hush");
    process.kill(model.pid, "SIGSTOP");
    await model.close();
    expect(isAlive(model.pid)).toBe(false);
    expect(await model.exited).toEqual({ code: null, signal: "SIGKILL" });
  });

  it("computes without end is ended once nothing moves, and the error says so", async () => {
    const model = await models.startFile(path, { patience: { silentMs: 20_000, stalledMs: 2000 } });
    const grammar = 'root ::= (("a"?){40}){40} "!"';
    await expect(ask(model, "Hello", { grammar })).rejects.toMatchObject({
      code: "PROVIDER_UNAVAILABLE",
      message: expect.stringContaining("computed nothing for 2 seconds") as string,
    });
    expect(await model.exited).toEqual({ code: null, signal: "SIGKILL" });
  });
});

describe.concurrent("a daemon that is killed", () => {
  const template = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";

  it("leaves no process behind, neither one that computes nor one that is caught in a template", async () => {
    const caught = await models.write(
      tinyModel({ metadata: { "tokenizer.chat_template": { type: "string", value: template } } }),
    );
    const children = await Promise.all(
      [path, caught].map(async (modelPath) => {
        const daemon = spawn(process.execPath, [join(test, "runtime-orphan.ts"), modelPath], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        if (modelPath === path) await once(daemon.stdout, "data");
        const pid = await childOf(daemon.pid ?? 0, modelPath === path ? 0 : 1000);
        daemon.kill("SIGKILL");
        return pid;
      }),
    );
    const killed = performance.now();
    while (children.some(isAlive) && performance.now() - killed < 4500) await setTimeout(50);
    // On a machine that does little else, half a second.
    expect(performance.now() - killed).toBeLessThan(4000);
  });

  it("a template without end ends the process and says so", async () => {
    const caught = await models.write(
      tinyModel({ metadata: { "tokenizer.chat_template": { type: "string", value: template } } }),
    );
    await expect(startLlamaModel({ modelPath: caught, patience: { silentMs: 3000 } }, never)).rejects.toMatchObject({
      code: "PROVIDER_UNAVAILABLE",
      message: expect.stringContaining("did not answer for 3 seconds") as string,
    });
  });
});

/** The process that another one started, once it has used so much of a processor. */
async function childOf(parent: number, cpuMs: number): Promise<number> {
  for (;;) {
    const { stdout } = spawnSync("ps", ["-o", "pid=,cputimes=", "--ppid", String(parent)], { encoding: "utf8" });
    const [pid = 0, seconds = 0] = stdout.trim().split(/\s+/).map(Number);
    if (pid > 0 && seconds * 1000 >= cpuMs) return pid;
    await setTimeout(100);
  }
}

describe.concurrent("what a process sends that has gone wrong", () => {
  const sendsAndWaits = `require("node:fs").writeSync(3, Buffer.from(process.argv[1], "base64")); setTimeout(() => {}, 60000)`;
  const usage = { type: "usage", usage: { inputTokens: -1 }, promptMs: 0, outputMs: 0 };
  it.each<[string, Buffer]>([
    ["noise", Buffer.from("Segmentation fault (core dumped)\n".repeat(10))],
    ["an endless length", Buffer.from([255, 255, 255, 255, 255, 255, 255, 255])],
    ["no JSON", Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), Buffer.from("{{{{")])],
    ["no message", encodeFrame([1, 2, 3])],
    ["an unknown message", encodeFrame({ type: "shutdown" })],
    ["a message with something missing", encodeFrame({ type: "loaded", facts: { contextTokens: 1 } })],
    ["parts that are none", encodeFrame({ type: "parts", id: 1, parts: [usage] })],
    ["an error that there is not", encodeFrame({ type: "not-loaded", failure: { message: "x", error_code: "NOPE" } })],
    ["a vector of half a number", encodeFrame({ type: "vector", id: 1 }, new Uint8Array(3))],
  ])("is noticed: %s", async (_, bytes) => {
    const child = spawn(process.execPath, ["--eval", sendsAndWaits, bytes.toString("base64")], {
      stdio: ["ignore", "ignore", "pipe", "pipe"],
    });
    const channel = child.stdio[3];
    if (!(channel instanceof Duplex)) throw new Error("no channel");
    const model = new RunningModel(child, channel, { parallel: 1, patience: { silentMs: 60_000, stalledMs: 60_000 } });
    await expect(model.loaded).rejects.toMatchObject({ code: "PROVIDER_UNAVAILABLE" });
    expect(await model.exited).toEqual({ code: null, signal: "SIGKILL" });
  });
});

describe("loading", () => {
  it("is given up at once when it is aborted, with the process", async () => {
    const controller = new AbortController();
    const reason = new Error("Not now.");
    const loading = startLlamaModel({ modelPath: path }, controller.signal);
    const pid = await childOf(process.pid, 0);
    controller.abort(reason);
    await expect(loading).rejects.toBe(reason);
    expect(isAlive(pid)).toBe(false);
  });

  it.each([
    ["a file that is not there", { modelPath: "/nowhere/model.gguf" }, "NOT_FOUND"],
    ["a folder", { modelPath: "/tmp" }, "NOT_FOUND"],
    ["half a core", { modelPath: "/tmp", threads: 0.5 }, "VALIDATION_FAILED"],
    ["too many at once", { modelPath: "/tmp", parallel: 1000 }, "VALIDATION_FAILED"],
    [
      "an adapter without a scale",
      { modelPath: "/tmp", adapters: [{ path: "/tmp", scale: Number.NaN }] },
      "VALIDATION_FAILED",
    ],
  ])("refuses %s before anything is started", async (_, options, code) => {
    await expect(startLlamaModel(options, never)).rejects.toMatchObject({ code });
  });

  it("refuses what is no model, in the words of whoever reads it", async () => {
    const text = join(await models.folder(), "text.gguf");
    writeFileSync(text, "This is not the model that you are looking for.".repeat(100));
    await expect(startLlamaModel({ modelPath: text }, never)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    const unknown = await models.write(
      tinyModel({ metadata: { "general.architecture": { type: "string", value: "nonsense" } } }),
    );
    const error: unknown = await startLlamaModel({ modelPath: unknown }, never).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      info: { retryable: false },
      message: expect.stringMatching(/nonsense|architecture/) as string,
    });
  });

  it("says what is missing where node-llama-cpp is not installed", async () => {
    const elsewhere = join(await models.folder(), "elsewhere");
    const protocol = join(import.meta.dirname, "../../../protocol");
    cpSync(join(import.meta.dirname, ".."), join(elsewhere, "src"), {
      recursive: true,
      filter: (file) => !file.endsWith(".test.ts"),
    });
    mkdirSync(join(elsewhere, "node_modules/@benchtop"), { recursive: true });
    writeFileSync(join(elsewhere, "package.json"), '{ "type": "module" }');
    symlinkSync(protocol, join(elsewhere, "node_modules/@benchtop/protocol"));
    const script = `
      import { startLlamaModel } from ${JSON.stringify(pathToFileURL(join(elsewhere, "src/runtime/start.ts")).href)};
      const { code, message, info } = await startLlamaModel({ modelPath: ${JSON.stringify(path)} }, new AbortController().signal).catch((error) => error);
      console.log(JSON.stringify({ code, message, retryable: info.retryable }));`;
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
    expect(JSON.parse(stdout)).toMatchObject({
      code: "PROVIDER_UNAVAILABLE",
      message: expect.stringContaining("node-llama-cpp, which is not installed") as string,
      retryable: false,
    });
  });
});
