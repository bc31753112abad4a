import { LoopbackServer, type Reply } from "@benchtop/harness/conformance";
import { BenchtopError } from "@benchtop/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { failureOf } from "../../test/runtime-failure.ts";
import { longestEmbedded, vectorFor } from "../../test/runtime-servers/brain.ts";
import { OllamaServer } from "../../test/runtime-servers/ollama.ts";
import { ScriptedModels, ScriptedStart } from "../../test/runtime-scripted-llama.ts";
import { Fleet } from "../runtimes/embedded/fleet.ts";
import { ollamaRuntime } from "../runtimes/remote/ollama.ts";
import type { EmbeddingBackend } from "./backend.ts";
import { Embeddings } from "./embeddings.ts";
import { openaiEmbeddings } from "./openai-backend.ts";
import { runtimeBackend } from "./runtime-backend.ts";

const never = new AbortController().signal;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanups.splice(0)) await cleanUp();
});

const refusing: typeof fetch = async () => {
  throw new BenchtopError("EGRESS_CONSENT_REQUIRED", "Nobody agreed.");
};

const raw = async (backend: EmbeddingBackend, texts: readonly string[]) =>
  await new Embeddings().embed(backend, texts, { normalized: false }, never);

describe("P2.4 a model of this machine", () => {
  test("makes vectors that are kept by the hash of its file, and by its adapters", async () => {
    const models = new ScriptedModels();
    const processes = new ScriptedStart();
    models.add("vectors", { embeds: true });
    models.add("lora", { kind: "adapter" });
    const fleet = new Fleet({ id: "benchtop", models, start: processes.start, estimateMemory: () => 1 });
    cleanups.push(
      () => fleet.close(),
      () => models.remove(),
    );
    const backend = runtimeBackend(fleet, "vectors");
    const { vectors, inputTokens } = await raw(backend, ["ab", "c"]);
    expect([vectors.map((vector) => [...vector]), inputTokens]).toEqual([
      [
        [2, 1, 0],
        [1, 1, 0],
      ],
      2,
    ]);
    const sha256 = (await models.find("vectors"))?.files[0].sha256 ?? "";
    expect(await backend.revision(never)).toContain(sha256);
    expect((await backend.embed(["ab"], never)).revision).toBe(await backend.revision(never));
    const adapted = runtimeBackend(fleet, "vectors", { call: { load: { adapters: [{ model: "lora" }] } } });
    expect(await adapted.revision(never)).not.toBe(await backend.revision(never));
    expect((await failureOf(raw(runtimeBackend(fleet, "gone"), ["a"]))).code).toBe("PROVIDER_NOT_CONFIGURED");
  });
});

describe("P2.4 Ollama", () => {
  test("makes vectors that are kept by the digest of its model, and cuts no text", async () => {
    const server = await new OllamaServer().listen();
    cleanups.push(() => server.close());
    const sent: string[] = [];
    const gated: typeof fetch = (input, init) => {
      sent.push(input instanceof Request ? input.url : input.toString());
      return fetch(input, init);
    };
    const runtime = ollamaRuntime({ id: "mine", baseUrl: server.url, look: fetch, ask: fetch });
    const backend = runtimeBackend(runtime, "embedder", { call: { fetch: gated } });
    const { vectors } = await raw(backend, ["alpha", "b"]);
    expect(vectors.map((vector) => [...vector])).toEqual([vectorFor("alpha"), vectorFor("b")]);
    expect(await backend.revision(never)).toMatch(/[0-9a-f]{64}/);
    expect((await failureOf(raw(backend, ["x".repeat(longestEmbedded + 1)]))).code).toBe("CONTEXT_EXHAUSTED");
    // Content leaves by the fetch of the call alone.
    expect(new Set(sent)).toEqual(new Set([`${server.url}/api/embed`]));
  });
});

const answering = async (reply: Reply | (() => Reply), more: { path?: string; dimensions?: number } = {}) => {
  const server = await LoopbackServer.start(() => (typeof reply === "function" ? reply() : reply));
  cleanups.push(() => server.close());
  const { path = "/v1", dimensions } = more;
  const baseUrl = server.url.replace("/v1", path);
  const options = { id: "mine", baseUrl, apiKey: "sk-tests", fetch, model: "small" };
  return { server, backend: openaiEmbeddings({ ...options, ...(dimensions !== undefined && { dimensions }) }) };
};
const json = (value: unknown): Reply => ({
  headers: { "content-type": "application/json" },
  chunks: [JSON.stringify(value)],
});
const rows = (...vectors: (readonly [number, readonly unknown[]])[]) =>
  json({
    object: "list",
    model: "small",
    usage: { prompt_tokens: 5 },
    data: vectors.map(([index, embedding]) => ({ index, embedding })),
  });

describe("P2.4 a server of OpenAI's embeddings", () => {
  test.for([
    ["/v1", "/v1/embeddings"],
    ["/api/v1/", "/api/v1/embeddings"],
    ["/openai", "/openai/embeddings"],
  ] as const)("is asked below its own address %s", async ([path, asked]) => {
    const { server, backend } = await answering(rows([0, [1, 2]]), { path });
    await raw(backend, ["a"]);
    expect(server.requests[0]?.path).toBe(asked);
  });

  test("gives vectors in the order of the texts, whatever the order of its answer", async () => {
    const { server, backend } = await answering(rows([1, [3, 4]], [0, [1, 2]]), { dimensions: 2 });
    const { vectors, inputTokens } = await raw(backend, ["a", "b"]);
    expect([vectors.map((vector) => [...vector]), inputTokens]).toEqual([
      [
        [1, 2],
        [3, 4],
      ],
      5,
    ]);
    expect(server.requests[0]).toMatchObject({
      headers: { authorization: "Bearer sk-tests" },
      body: { model: "small", input: ["a", "b"], encoding_format: "float", dimensions: 2 },
    });
  });

  test.for<[string, Reply]>([
    ["a vector too few", rows([0, [1]])],
    ["the same one twice", rows([0, [1]], [0, [2]])],
    ["one for a text that there is not", rows([0, [1]], [7, [2]])],
    ["one at a place of a billion", rows([0, [1]], [1e9, [2]])],
    ["text in a vector", rows([0, [1]], [1, ["2"]])],
    ["no list", json({ data: "none" })],
    ["null for numbers", rows([0, [1]], [1, [null]])],
  ])("is not believed with %s", async ([, reply]) => {
    const { backend } = await answering(reply);
    const error = await failureOf(raw(backend, ["a", "b"]));
    expect([error.code, error.info.retryable]).toEqual(["PROVIDER_UNAVAILABLE", false]);
  });

  test("is asked through the gate that was given, whose refusal is thrown", async () => {
    const backend = openaiEmbeddings({
      id: "mine",
      baseUrl: "https://models.example/v1",
      fetch: refusing,
      model: "small",
    });
    const error = await failureOf(new Embeddings().embed(backend, ["a"], {}, never));
    expect([error.code, error.info.provider_id]).toEqual(["EGRESS_CONSENT_REQUIRED", "mine"]);
  });
});
