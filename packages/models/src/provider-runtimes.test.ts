import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEgress, type Egress, type EgressRecord } from "@benchtop/egress";
import { BenchtopError } from "@benchtop/protocol";
import { openStore, type Store } from "@benchtop/store";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { embeddingDimensions } from "../test/runtime-servers/brain.ts";
import type { ModelServer } from "../test/runtime-servers/model-server.ts";
import { OllamaServer } from "../test/runtime-servers/ollama.ts";
import { OwnServer } from "../test/runtime-servers/own-protocol.ts";
import { VllmServer } from "../test/runtime-servers/vllm.ts";
import { Embeddings } from "./embeddings/embeddings.ts";
import { Providers, type ResolvedModel } from "./providers.ts";
import { openSecrets } from "./secrets.ts";

const ours = "default";
const theirs = "another";
const signal = new AbortController().signal;
let folder: string;
let store: Store;
let egress: Egress;
let providers: Providers;
let records: EgressRecord[];
let counted: { readonly inputTokens: number | null; readonly outputTokens: number | null }[];
let isConsented: boolean;
const servers: ModelServer[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "benchtop-provider-runtimes-"));
  const home = join(folder, "home");
  records = [];
  counted = [];
  isConsented = false;
  store = await openStore({ home });
  egress = createEgress({
    policy: (workspaceId) => ({ allowedHosts: providers.allowedHosts(workspaceId) }),
    consent: { isConsented: () => isConsented },
    record: (event) => records.push(event),
    resolve: async () => [],
  });
  const secrets = await openSecrets({ home, configDir: join(folder, "config") });
  const egressLog = { counted: (_call: object, tokens: (typeof counted)[number]) => void counted.push(tokens) };
  providers = new Providers({ store, secrets, egress, egressLog });
});
afterEach(async () => {
  await providers.close();
  await egress.close();
  await store.close();
  for (const server of servers.splice(0)) await server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function listening<Server extends ModelServer>(server: Server): Promise<Server> {
  servers.push(server);
  await server.listen();
  return server;
}

async function answerOf(model: ResolvedModel): Promise<string> {
  const adapter = model.adapter({ runId: "run_1", scopeHash: "nothing" });
  const messages = [{ role: "user", content: "Hello?" }] as const;
  let text = "";
  for await (const parts of adapter.stream({ modelId: model.modelId, messages }, signal)) {
    for (const part of parts) if (part.type === "text") text += part.text;
  }
  return text;
}

async function failureOf(attempt: Promise<unknown>): Promise<BenchtopError> {
  const error: unknown = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!BenchtopError.is(error)) throw new Error(`expected a BenchtopError, got ${String(error)}`);
  return error;
}

/** The mapping that the documentation shows. */
async function example(): Promise<object> {
  const docs = await readFile(join(import.meta.dirname, "../../../docs/local-models.md"), "utf8");
  const [, json = ""] = /```json\n([\s\S]*?)```/.exec(docs) ?? [];
  return JSON.parse(json) as object;
}

const asked = (server: ModelServer): string[] => server.received.map(({ method, path }) => `${method} ${path}`);
const posts = (): string[] => records.filter(({ method }) => method === "POST").map(({ purpose }) => purpose);

describe("P2.3 a provider that is a server of a known kind", () => {
  test("is asked in the server's own protocol, with its key, and its tokens are counted", async () => {
    const server = await listening(new OllamaServer());
    await providers.add(ours, { name: "box", kind: "ollama", baseUrl: server.url, local: true, apiKey: "sk-box" });
    expect(await answerOf(await providers.resolve(ours, "box/tiny"))).toContain("Hello from tiny");
    expect(asked(server)).toEqual(["POST /api/chat"]);
    expect(server.received[0]?.headers.authorization).toBe("Bearer sk-box");
    expect(records).toMatchObject([{ purpose: "model-call", providerId: "box", modelId: "tiny", runId: "run_1" }]);
    expect(counted).toEqual([{ inputTokens: expect.any(Number), outputTokens: expect.any(Number) }]);
  });

  test("lists its models by GETs alone, for the list and for the test", async () => {
    const ollama = await listening(new OllamaServer());
    const vllm = await listening(new VllmServer());
    await providers.add(ours, { name: "box", kind: "ollama", baseUrl: ollama.url, local: true });
    await providers.add(ours, { name: "rack", kind: "vllm", baseUrl: `${vllm.url}/v1`, local: true });
    const { items, unavailable } = await providers.models(ours);
    expect(unavailable).toEqual([]);
    expect(items.map(({ ref }) => ref)).toEqual([
      "box/tiny:latest",
      "box/other:1b",
      "box/embedder:latest",
      "rack/tiny",
      "rack/tiny-alias",
      "rack/tiny-lora",
    ]);
    expect(await providers.test(ours, "rack")).toMatchObject({ ok: true, models: ["tiny", "tiny-alias", "tiny-lora"] });
    expect(records.map(({ purpose, method, bytesSent }) => [purpose, method, bytesSent])).toEqual(
      records.map(() => ["model-list", "GET", 0]),
    );
  });

  test("refuses a model that it does not have, so that a plan goes on with the next", async () => {
    const server = await listening(new VllmServer());
    await providers.add(ours, { name: "rack", kind: "vllm", baseUrl: server.url, local: true });
    expect(await answerOf(await providers.resolve(ours, "rack/tiny"))).toContain("Hello from tiny");
    const unknown = await failureOf(answerOf(await providers.resolve(ours, "rack/none")));
    expect([unknown.code, unknown.info.model_id]).toEqual(["PROVIDER_NOT_CONFIGURED", "none"]);
    const missing = providers.loadModel(ours, "rack", { model: "none" }, signal);
    expect((await failureOf(missing)).message).toContain("start it anew to serve another");
  });

  test("that is elsewhere is shown nothing without consent, and its models are loaded where it runs", async () => {
    await providers.add(ours, { name: "far", kind: "ollama", baseUrl: "https://far.example" });
    const model = await providers.resolve(ours, "far/tiny");
    expect((await failureOf(answerOf(model))).code).toBe("EGRESS_CONSENT_REQUIRED");
    const loading = await failureOf(providers.loadModel(ours, "far", { model: "tiny" }, signal));
    const unloading = await failureOf(providers.unloadModel(ours, "far", "tiny", signal));
    expect([loading.code, unloading.code]).toEqual(["VALIDATION_FAILED", "VALIDATION_FAILED"]);
    const vectors = await failureOf(providers.embedding(ours, "far/embedder"));
    expect([vectors.code, vectors.message]).toEqual(["PROVIDER_NOT_CONFIGURED", expect.stringContaining("elsewhere")]);
    expect(records).toMatchObject([{ outcome: "blocked", bytesSent: 0 }]);
    isConsented = true;
    expect((await failureOf(answerOf(model))).code).toBe("NETWORK_UNAVAILABLE");
  });

  test("loads and unloads models, and says in which state they are", async () => {
    const server = await listening(new OllamaServer());
    await providers.add(ours, { name: "box", kind: "ollama", baseUrl: server.url, local: true });
    const asked = { model: "tiny", contextTokens: 2048, keepAliveSeconds: 60 };
    expect(await providers.loadModel(ours, "box", asked, signal)).toMatchObject({
      model: "tiny:latest",
      state: "ready",
      loads: [{ contextTokens: 2048, expiresAt: expect.any(String) }],
    });
    const status = await providers.status(ours, "box", signal);
    expect(status).toMatchObject({
      kind: "ollama",
      health: { ready: true, version: "0.12.3" },
      metrics: { loaded: 1 },
    });
    expect(status.models.map(({ state }) => state)).toEqual(["ready", "unloaded", "unloaded"]);
    await providers.unloadModel(ours, "box", "tiny", signal);
    expect(server.loaded.size).toBe(0);
    expect((await failureOf(providers.unloadModel(ours, "box", "none", signal))).code).toBe("PROVIDER_NOT_CONFIGURED");
    expect(new Set(posts())).toEqual(new Set(["model-call"]));
  });

  test("that does not run is told by its status, and a protocol alone has none", async () => {
    const server = await listening(new VllmServer());
    await providers.add(ours, { name: "rack", kind: "vllm", baseUrl: server.url, local: true });
    await providers.add(ours, { name: "plain", kind: "openai-chat", baseUrl: `${server.url}/v1`, local: true });
    await server.close();
    expect(await providers.status(ours, "rack", signal)).toMatchObject({
      health: { alive: false, ready: false, reason: expect.any(String) },
      models: [],
    });
    const plain = await failureOf(providers.status(ours, "plain", signal));
    expect([plain.code, plain.message]).toEqual(["VALIDATION_FAILED", expect.stringContaining("openai-chat")]);
  });

  test("counts for itself, and anew once it was changed or belongs to somebody else", async () => {
    const server = await listening(new OllamaServer());
    const box = { name: "box", kind: "ollama", baseUrl: server.url, local: true } as const;
    const requests = async (workspaceId: string) =>
      (await providers.status(workspaceId, "box", signal)).metrics?.counts.requests;
    await providers.add(ours, box);
    await providers.add(theirs, box);
    await answerOf(await providers.resolve(ours, "box/tiny"));
    expect([await requests(ours), await requests(theirs)]).toEqual([1, 0]);
    await providers.add(ours, box);
    expect(await requests(ours)).toBe(1);
    await providers.add(ours, { ...box, apiKey: "sk-new" });
    expect(await requests(ours)).toBe(0);
    expect(server.received.at(-1)?.headers.authorization).toBe("Bearer sk-new");
    await answerOf(await providers.resolve(ours, "box/tiny"));
    await providers.remove(ours, "box");
    expect((await failureOf(providers.status(ours, "box", signal))).code).toBe("PROVIDER_NOT_CONFIGURED");
    await providers.add(ours, { ...box, kind: "vllm" });
    expect((await failureOf(providers.test(ours, "box"))).code).toBe("PROVIDER_UNAVAILABLE");
  });
});

describe("P2.3 vectors of a provider's model", () => {
  test("come from servers on this machine, and are counted", async () => {
    const ollama = await listening(new OllamaServer());
    const vllm = await listening(new VllmServer());
    await providers.add(ours, { name: "box", kind: "ollama", baseUrl: ollama.url, local: true });
    await providers.add(ours, { name: "plain", kind: "openai-chat", baseUrl: `${vllm.url}/v1`, local: true });
    await providers.add(ours, { name: "other", kind: "anthropic-messages", baseUrl: vllm.url, local: true });
    const embeddings = new Embeddings();
    for (const ref of ["box/embedder", "plain/tiny"]) {
      const backend = await providers.embedding(ours, ref);
      const made = await embeddings.embed(backend, ["a", "b"], { scope: ours }, signal);
      expect([made.dimensions, made.vectors.length]).toEqual([embeddingDimensions, 2]);
    }
    expect(counted).toHaveLength(2);
    expect(posts()).toEqual(["model-call", "model-call"]);
    expect((await failureOf(providers.embedding(ours, "other/m"))).code).toBe("VALIDATION_FAILED");
  });
});

describe("P2.3 a server of its own kind", () => {
  const own = { name: "own", kind: "rest", local: true } as const;

  test("is asked, listed and read as the mapping in the documentation says", async () => {
    const server = await listening(new OwnServer());
    await providers.add(ours, { ...own, baseUrl: server.url, mapping: await example() });
    const { items } = await providers.models(ours);
    expect(items).toMatchObject([
      { ref: "own/tiny", capabilities: { tools: false } },
      { ref: "own/other", capabilities: { tools: false } },
    ]);
    const model = await providers.resolve(ours, "own/other");
    expect(model.facts).toMatchObject({ capabilities: { tools: false } });
    expect(await answerOf(model)).toContain("Hello from other");
    const vectors = await (await providers.embedding(ours, "own/tiny")).embed(["a"], signal);
    expect(vectors.vectors[0]).toHaveLength(embeddingDimensions);
    expect(await providers.status(ours, "own", signal)).toMatchObject({ kind: "rest", health: { ready: true } });
    const loading = await failureOf(providers.loadModel(ours, "own", { model: "tiny" }, signal));
    expect(loading.code).toBe("VALIDATION_FAILED");
  });

  test("needs a mapping that is right, and no other kind takes one", async () => {
    const baseUrl = "http://127.0.0.1:9";
    const mapping = await example();
    for (const [input, words] of [
      [{ ...own, baseUrl }, "needs a mapping"],
      [{ ...own, baseUrl, mapping: { ...mapping, models: { names: [] } } }, "models"],
      [{ ...own, baseUrl, mapping: { ...mapping, token: "x" } }, "Unrecognized key"],
      [{ ...own, kind: "ollama", baseUrl, mapping }, "kind rest"],
      [{ ...own, kind: "openai-chat", baseUrl, mapping }, "kind rest"],
    ] as const) {
      const error = await failureOf(providers.add(ours, input));
      expect([error.code, error.message]).toEqual(["VALIDATION_FAILED", expect.stringContaining(words)]);
    }
    expect(await providers.list(ours)).toEqual([]);
  });

  test("is asked anew once its mapping was changed", async () => {
    const server = await listening(new OwnServer());
    const mapping = await example();
    await providers.add(ours, { ...own, baseUrl: server.url, mapping });
    expect(await providers.test(ours, "own")).toMatchObject({ models: ["tiny", "other"] });
    await providers.add(ours, { ...own, baseUrl: server.url, mapping: { ...mapping, models: { names: ["tiny"] } } });
    expect(await providers.test(ours, "own")).toMatchObject({ models: ["tiny"] });
  });
});
