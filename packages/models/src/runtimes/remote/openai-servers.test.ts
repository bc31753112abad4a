import type { ProviderPart } from "@benchtop/harness";
import { afterEach, describe, expect, test } from "vitest";
import { failureOf } from "../../../test/runtime-failure.ts";
import { LlamaCppServer } from "../../../test/runtime-servers/llama-server.ts";
import { LmStudioServer } from "../../../test/runtime-servers/lm-studio.ts";
import type { ModelServer } from "../../../test/runtime-servers/model-server.ts";
import { OwnServer } from "../../../test/runtime-servers/own-protocol.ts";
import { VllmServer } from "../../../test/runtime-servers/vllm.ts";
import type { ModelRuntime } from "../runtime.ts";
import { llamaServerRuntime } from "./llama-server.ts";
import { lmStudioRuntime } from "./lm-studio.ts";
import type { RemoteRuntimeOptions } from "./remote-server.ts";
import { parseRestMapping } from "./rest-mapping.ts";
import { restRuntime } from "./rest.ts";
import { vllmRuntime } from "./vllm.ts";

const never = new AbortController().signal;
let running: ModelServer | undefined;
afterEach(() => running?.close());

async function open<Server extends ModelServer>(
  server: Server,
  make: (options: RemoteRuntimeOptions) => ModelRuntime,
): Promise<{ server: Server; runtime: ModelRuntime }> {
  running = server;
  await server.listen();
  return { server, runtime: make({ id: "mine", baseUrl: server.url, look: fetch, ask: fetch }) };
}

async function answer(runtime: ModelRuntime, modelId: string): Promise<string> {
  const parts: ProviderPart[] = [];
  const request = { modelId, messages: [{ role: "user" as const, content: "Hello?" }] };
  for await (const batch of runtime.adapter(modelId).stream(request, never)) parts.push(...batch);
  return parts.map((part) => (part.type === "text" ? part.text : "")).join("");
}

describe("P2.3 vLLM", () => {
  test("answers under its first name for all names of one model, and for no other model", async () => {
    const { runtime } = await open(new VllmServer(), vllmRuntime);
    expect(await answer(runtime, "tiny-alias")).toContain("Hello from tiny-alias");
    expect(await answer(runtime, "tiny-lora")).toContain("Hello from tiny-lora");
    class Wrong extends VllmServer {
      protected override nameOf(): string {
        return "tiny-lora";
      }
    }
    await running?.close();
    const { runtime: other } = await open(new Wrong(), vllmRuntime);
    expect((await failureOf(answer(other, "tiny"))).code).toBe("PROVIDER_NOT_CONFIGURED");
    expect((await failureOf(other.embed("tiny", ["x"], never))).code).toBe("PROVIDER_NOT_CONFIGURED");
  });

  test("tells what waits and how full its cache is", async () => {
    const { runtime } = await open(new VllmServer(), vllmRuntime);
    expect(await runtime.metrics(never)).toMatchObject({
      running: 0,
      waiting: 3,
      cacheUsed: 0.25,
      firstTokenMs: 125,
      loaded: 3,
    });
    expect(await runtime.health(never)).toEqual({ alive: true, ready: true, version: "0.11.0" });
    expect((await runtime.status("tiny", never)).trainedContextTokens).toBe(4096);
  });
});

describe("P2.3 llama-server", () => {
  test("of one model is not asked for another, which it would answer for", async () => {
    const { server, runtime } = await open(new LlamaCppServer(), llamaServerRuntime);
    expect((await failureOf(answer(runtime, "qwen"))).code).toBe("PROVIDER_NOT_CONFIGURED");
    expect(server.received.map(({ path }) => path)).toEqual(["/v1/models"]);
  });

  test("is alive but not ready while it loads", async () => {
    const { server, runtime } = await open(new LlamaCppServer(), llamaServerRuntime);
    server.isLoading = true;
    expect(await runtime.health(never)).toEqual({ alive: true, ready: false, reason: "It is loading its model." });
    server.isLoading = false;
    expect(await runtime.health(never)).toEqual({ alive: true, ready: true, version: "b7000-abc" });
  });

  test("applies the adapters that are asked for, and no other", async () => {
    const { server, runtime } = await open(new LlamaCppServer(), llamaServerRuntime);
    const model = "/models/tiny.gguf";
    await runtime.load(model, { adapters: [{ model: "poet", scale: 0.5 }] }, never);
    expect(server.adapters.map(({ scale }) => scale)).toEqual([0, 0.5]);
    await runtime.load(model, { adapters: [{ model: "/adapters/pirate.gguf" }, { model: "poet.gguf" }] }, never);
    expect(server.adapters.map(({ scale }) => scale)).toEqual([1, 1]);
    const error = await failureOf(runtime.load(model, { adapters: [{ model: "clown" }] }, never));
    expect([error.code, server.adapters.map(({ scale }) => scale)]).toEqual(["VALIDATION_FAILED", [1, 1]]);
    expect((await failureOf(runtime.load(model, { contextTokens: 9 }, never))).message).toContain("set contextTokens");
  });

  test("as a router loads and unloads", async () => {
    const { server, runtime } = await open(new LlamaCppServer({ isRouter: true }), llamaServerRuntime);
    expect((await runtime.status("tiny", never)).state).toBe("unloaded");
    await runtime.load("tiny", {}, never);
    expect([...server.loaded]).toEqual(["tiny"]);
    expect((await runtime.metrics(never)).loaded).toBe(1);
    await runtime.unload("tiny", never);
    expect([...server.loaded]).toEqual([]);
  });

  test("without --metrics tells by its slots what it can, and what would help", async () => {
    const { runtime } = await open(new LlamaCppServer(), llamaServerRuntime);
    expect(await runtime.metrics(never)).toMatchObject({ running: 0, notes: [expect.stringContaining("--metrics")] });
    await running?.close();
    const { runtime: other } = await open(new LlamaCppServer({ hasMetrics: true }), llamaServerRuntime);
    expect(await other.metrics(never)).toMatchObject({ waiting: 2, notes: [] });
  });
});

describe("P2.3 LM Studio", () => {
  test("loads with a context, tells it, and answers under a numbered name", async () => {
    const { runtime } = await open(new LmStudioServer(), lmStudioRuntime);
    const { loads, quantization, embeds } = await runtime.load("tiny-instruct", { contextTokens: 2048 }, never);
    expect([loads, quantization, embeds]).toEqual([[{ state: "ready", contextTokens: 2048 }], "Q4_K_M", false]);
    expect(await answer(runtime, "tiny-instruct")).toContain("Hello");
    expect((await runtime.status("text-embedding-tiny", never)).embeds).toBe(true);
  });

  test("before 0.4 answers, but says that it cannot load", async () => {
    const { runtime } = await open(new LmStudioServer({ isOld: true }), lmStudioRuntime);
    expect(await answer(runtime, "tiny-instruct")).toContain("Hello");
    for (const attempt of [runtime.load("tiny-instruct", {}, never), runtime.unload("tiny-instruct", never)]) {
      expect((await failureOf(attempt)).message).toContain("older than 0.4");
    }
  });
});

/** A custom server that answers with one document. */
function mapped(chat: object): (options: RemoteRuntimeOptions) => ModelRuntime {
  const mapping = parseRestMapping({
    chat: {
      path: "/document/{{model}}/say",
      request: { conversation: "{{prompt}}" },
      response: { text: "/answer" },
      ...chat,
    },
    models: { names: ["a/b", "tiny"] },
  });
  return (options) => restRuntime({ ...options, mapping });
}

describe("P2.3 a custom server", () => {
  test("that answers in one document is read whole, under the name of its model in the path", async () => {
    const { server, runtime } = await open(new OwnServer(), mapped({}));
    expect(await answer(runtime, "a/b")).toBe("Hello from a/b, says the wörld 🌍.");
    expect(server.received.at(-1)).toMatchObject({
      path: "/document/a%2Fb/say",
      body: { conversation: "user: Hello?" },
    });
    expect(runtime.capabilities).toMatchObject({ jsonSchema: false, embeddings: false });
    expect((await failureOf(runtime.embed("tiny", ["x"], never))).code).toBe("VALIDATION_FAILED");
  });

  test("whose answer has its text elsewhere fails, and one that reports an error, too", async () => {
    const { runtime } = await open(new OwnServer(), mapped({ response: { text: "/reply" } }));
    expect((await failureOf(answer(runtime, "tiny"))).code).toBe("PROVIDER_UNAVAILABLE");
    await running?.close();
    const { runtime: other } = await open(new OwnServer(), mapped({ response: { text: "/answer", error: "/by" } }));
    expect((await failureOf(answer(other, "tiny"))).code).toBe("PROVIDER_UNAVAILABLE");
  });
});
