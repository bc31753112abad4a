import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEgress, type ConsentQuestion, type Egress, type EgressRecord } from "@benchtop/egress";
import { costMicrosOf, type ProviderPart } from "@benchtop/harness";
import { anthropicMessagesDialect, frames, LoopbackServer } from "@benchtop/harness/conformance";
import { BenchtopError } from "@benchtop/protocol";
import { openStore, type Store } from "@benchtop/store";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Providers } from "./providers.ts";
import { openSecrets, type Secrets } from "./secrets.ts";

const apiKey = "sk-test-41b7-never-shown";
const ours = "default";
let folder: string;
let store: Store;
let secrets: Secrets;
let egress: Egress;
let providers: Providers;
let records: EgressRecord[];
let questions: ConsentQuestion[];
let lookups: string[];
const servers: Server[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "benchtop-providers-"));
  records = [];
  questions = [];
  lookups = [];
  await open();
});
afterEach(async () => {
  await egress.close();
  await store.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }
  rmSync(folder, { recursive: true, force: true });
});

async function open() {
  store = await openStore({ home: join(folder, "home") });
  secrets = await openSecrets({ home: join(folder, "home"), configDir: join(folder, "config") });
  egress = createEgress({
    policy: (workspaceId) => ({ allowedHosts: providers.allowedHosts(workspaceId) }),
    consent: {
      isConsented(question) {
        questions.push(question);
        return false;
      },
    },
    record: (event) => records.push(event),
    resolve: async (hostname) => {
      lookups.push(hostname);
      return [];
    },
  });
  providers = new Providers({ store, secrets, egress });
}

async function restart() {
  await egress.close();
  await store.close();
  await open();
}

/** The base URL of a model server on loopback. */
async function modelServer(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

const listing =
  (...ids: string[]): RequestListener =>
  (_request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ object: "list", data: ids.map((id) => ({ id, object: "model" })) }));
  };

async function failureOf(attempt: Promise<unknown>): Promise<BenchtopError> {
  const error: unknown = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!BenchtopError.is(error)) throw new Error(`expected a BenchtopError, got ${String(error)}`);
  return error;
}

/** Every byte below the folder, except the key of the secrets. */
function everythingStored(): string {
  const home = join(folder, "home");
  return readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"))
    .join("\n");
}

const openai = { name: "openai", kind: "openai-responses", baseUrl: "https://api.openai.com/v1" } as const;

describe("configuring providers", () => {
  test("adding one shows everything but its key, and it is there after a restart", async () => {
    const prices = { inputPerMillion: 1.25, outputPerMillion: 10, cachedInputPerMillion: 0.125 };
    const added = await providers.add(ours, { ...openai, baseUrl: "https://API.openai.com/v1/", apiKey, prices });
    expect(added).toMatchObject({ ...openai, local: false, hasApiKey: true, prices });
    expect(JSON.stringify(added)).not.toContain(apiKey);
    await restart();
    expect(await providers.list(ours)).toEqual([added]);
    expect((await providers.resolve(ours, "openai/gpt-5.2")).prices).toEqual(prices);
  });

  test("the key is in no file of the home folder in readable form", async () => {
    await providers.add(ours, { ...openai, apiKey });
    await store.flush();
    expect(everythingStored()).not.toContain(apiKey);
    expect(everythingStored()).toContain("api.openai.com");
  });

  test.each([
    [{ baseUrl: "http://api.openai.com/v1" }, "EGRESS_BLOCKED_BY_POLICY"],
    [{ baseUrl: "https://10.0.0.1/v1" }, "EGRESS_BLOCKED_BY_POLICY"],
    [{ baseUrl: "http://localhost:11434/v1" }, "EGRESS_BLOCKED_BY_POLICY"],
    [{ baseUrl: "http://192.168.1.5:11434/v1", local: true }, "EGRESS_BLOCKED_BY_POLICY"],
    [{ baseUrl: "https://api.openai.com/v1?key=1" }, "VALIDATION_FAILED"],
    [{ baseUrl: "openai" }, "VALIDATION_FAILED"],
    [{ name: "Open AI" }, "VALIDATION_FAILED"],
    [{ name: "a/b" }, "VALIDATION_FAILED"],
    [{ name: "" }, "VALIDATION_FAILED"],
    [{ apiKey: "" }, "VALIDATION_FAILED"],
    [{ apiKey: "  " }, "VALIDATION_FAILED"],
    [{ apiKey: "key\r\nx-evil: 1" }, "VALIDATION_FAILED"],
    [{ apiKey: "kéy" }, "VALIDATION_FAILED"],
    [{ kind: "grpc" as "openai-chat" }, "VALIDATION_FAILED"],
  ])("%j is refused as %s and nothing is kept", async (change, code) => {
    expect((await failureOf(providers.add(ours, { ...openai, apiKey, ...change }))).code).toBe(code);
    expect([await providers.list(ours), await secrets.names(), [...providers.allowedHosts(ours)]]).toEqual([
      [],
      [],
      [],
    ]);
  });

  test("replacing one replaces its key; without a key the old one is gone, so it cannot follow a changed address", async () => {
    await providers.add(ours, { ...openai, apiKey: "first-key" });
    await providers.add(ours, { ...openai, apiKey: `${apiKey}\n` });
    const names = await secrets.names();
    expect(names).toHaveLength(1);
    expect((await secrets.get(names[0] ?? ""))?.reveal()).toBe(apiKey);
    expect(await providers.add(ours, { ...openai, baseUrl: "https://evil.example/v1" })).toMatchObject({
      hasApiKey: false,
    });
    expect(await secrets.names()).toEqual([]);
  });

  test("many replacements at once leave one provider with the key that belongs to it", async () => {
    const keys = Array.from({ length: 8 }, (_, index) => `key-${index}`);
    await Promise.all(
      keys.map((key, index) =>
        providers.add(ours, { ...openai, baseUrl: `https://host${index}.example/v1`, apiKey: key }),
      ),
    );
    const [row] = await store.db.selectFrom("providers").selectAll().execute();
    expect(await secrets.names()).toEqual([row?.secret_ref]);
    const kept = (await secrets.get(row?.secret_ref ?? ""))?.reveal() ?? "";
    expect(row?.base_url).toBe(`https://host${kept.replace("key-", "")}.example/v1`);
  });

  test("removing one removes its key and its place in the allowlist", async () => {
    await providers.add(ours, { ...openai, apiKey });
    expect([...providers.allowedHosts(ours)]).toEqual([["openai", "api.openai.com"]]);
    await providers.remove(ours, "openai");
    expect([await providers.list(ours), await secrets.names(), [...providers.allowedHosts(ours)]]).toEqual([
      [],
      [],
      [],
    ]);
    expect((await failureOf(providers.remove(ours, "openai"))).code).toBe("PROVIDER_NOT_CONFIGURED");
  });

  test("S7 persisted consent to a provider ends when it is removed or its host changes, not when its key does", async () => {
    const consents = async () => (await store.db.selectFrom("consents").selectAll().execute()).length;
    const consent = { workbench_id: ours, model_id: "m", scope_hash: "s", user_id: "u", created_at: "t" };
    const grant = () =>
      store.db
        .insertInto("consents")
        .values({ ...consent, provider_id: "openai" })
        .execute();
    await store.db
      .insertInto("consents")
      .values({ ...consent, provider_id: "another" })
      .execute();
    await providers.add(ours, { ...openai, apiKey });
    await grant();
    await providers.add(ours, { ...openai, apiKey: "new-key" });
    expect(await consents()).toBe(2);
    await providers.add(ours, { ...openai, baseUrl: "https://evil.example/v1", apiKey });
    expect(await consents()).toBe(1);
    await grant();
    await providers.remove(ours, "openai");
    expect(await consents()).toBe(1);
  });

  test("a local provider needs no secrets at all, even when they cannot be read", async () => {
    await providers.add(ours, { ...openai, apiKey });
    rmSync(join(folder, "config"), { recursive: true });
    await restart();
    const local = { name: "mine", kind: "openai-chat", baseUrl: "http://localhost:11434/v1", local: true } as const;
    expect(await providers.add(ours, local)).toMatchObject({ local: true, hasApiKey: false });
    expect((await providers.resolve(ours, "mine/small")).local).toBe(true);
    expect((await failureOf(providers.resolve(ours, "openai/gpt-5.2"))).code).toBe("FILE_READ_FAILED");
  });
});

const mine = (baseUrl: string, key?: string) =>
  providers.add(ours, { name: "mine", kind: "openai-chat", baseUrl, local: true, apiKey: key });

describe("testing a provider", () => {
  test("gives its models and the time it took, and sends the key and nothing else", async () => {
    const requests: { method: string | undefined; url: string | undefined; authorization: string | undefined }[] = [];
    const baseUrl = await modelServer((request, response) => {
      const { method, url, headers } = request;
      requests.push({ method, url, authorization: headers.authorization });
      listing("small", "org/large:8b", "small", "", "with space", "x".repeat(300))(request, response);
    });
    await mine(baseUrl, apiKey);
    const result = await providers.test(ours, "mine");
    expect(result).toMatchObject({ ok: true, models: ["small", "org/large:8b"] });
    expect(result.latencyMs).toBeGreaterThanOrEqual(0);
    expect(requests).toEqual([{ method: "GET", url: "/v1/models", authorization: `Bearer ${apiKey}` }]);
    expect(records).toMatchObject([{ purpose: "provider-test", providerId: "mine", outcome: "sent", bytesSent: 0 }]);
    expect(questions).toEqual([]);
  });

  test("of Anthropic's protocol asks with its headers, for all models at once", async () => {
    const requests: unknown[] = [];
    const baseUrl = await modelServer((request, response) => {
      const { url, headers } = request;
      requests.push([url, headers["x-api-key"], headers["anthropic-version"], headers.authorization]);
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ data: [{ type: "model", id: "claude-opus-5-5" }], has_more: false }));
    });
    await providers.add(ours, { name: "anthropic", kind: "anthropic-messages", baseUrl, local: true, apiKey });
    expect(await providers.test(ours, "anthropic")).toMatchObject({ models: ["claude-opus-5-5"] });
    expect(requests).toEqual([["/v1/models?limit=1000", apiKey, "2023-06-01", undefined]]);
  });

  test.each([
    [401, "PROVIDER_AUTH_FAILED", /does not accept the API key/],
    [403, "PROVIDER_AUTH_FAILED", /does not accept the API key/],
    [404, "PROVIDER_UNAVAILABLE", /no list of models at \/v1\/models.*usually ends in \/v1/],
    [429, "PROVIDER_RATE_LIMITED", /Retry in 30 s/],
    [500, "PROVIDER_UNAVAILABLE", /status 500.*Retry later/],
    [302, "EGRESS_BLOCKED_BY_POLICY", /redirect to other\.example/],
  ])("status %i is %s, says what to do and does not repeat what the provider wrote", async (status, code, words) => {
    const baseUrl = await modelServer((request, response) => {
      response.writeHead(status, { "retry-after": "30", location: "https://other.example/" });
      response.end(
        JSON.stringify({ error: { message: `Incorrect API key provided: ${request.headers.authorization}` } }),
      );
    });
    await mine(baseUrl, apiKey);
    const error = await failureOf(providers.test(ours, "mine"));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(words);
    expect(error.info).toMatchObject({ provider_id: "mine", detail: { status } });
    expect(error.info.actions.length).toBeGreaterThan(0);
    expect(JSON.stringify([error.message, error.info])).not.toContain(apiKey);
    expect(error.info.detail?.["retry_after_ms"]).toBe(status === 429 ? 30_000 : undefined);
  });

  test("without a key, 401 asks for one", async () => {
    await mine(await modelServer((_request, response) => response.writeHead(401).end()));
    expect((await failureOf(providers.test(ours, "mine"))).message).toMatch(/wants an API key.*--api-key-env/);
  });

  test.each(["<html>", "[]", "{}", '{"data":7}', "", "null"])("%j is no list of models", async (text) => {
    await mine(await modelServer((_request, response) => response.end(text)));
    const error = await failureOf(providers.test(ours, "mine"));
    expect([error.code, error.info.actions]).toEqual(["PROVIDER_UNAVAILABLE", ["open_settings"]]);
  });

  test("a server that is not running and a provider that is not there are told apart", async () => {
    const baseUrl = await modelServer(() => {});
    for (const server of servers.splice(0)) server.close();
    await mine(baseUrl);
    const error = await failureOf(providers.test(ours, "mine"));
    expect([error.code, error.message]).toEqual([
      "NETWORK_UNAVAILABLE",
      expect.stringContaining("Start the model server"),
    ]);
    expect((await failureOf(providers.test(ours, "nobody"))).code).toBe("PROVIDER_NOT_CONFIGURED");
  });
});

describe("listing models", () => {
  test("asks every provider at once and names those that do not answer", async () => {
    const alpha = await modelServer(listing("small", "large"));
    const beta = await modelServer((_request, response) => response.writeHead(401).end());
    await providers.add(ours, { name: "alpha", kind: "openai-chat", baseUrl: alpha, local: true });
    await providers.add(ours, { name: "beta", kind: "openai-responses", baseUrl: beta, local: true, apiKey });
    await providers.add(ours, { ...openai, apiKey });
    const { items, unavailable } = await providers.models(ours);
    expect(items).toEqual([
      { ref: "alpha/small", providerId: "alpha", modelId: "small", local: true },
      { ref: "alpha/large", providerId: "alpha", modelId: "large", local: true },
    ]);
    expect(unavailable).toEqual([
      { providerId: "beta", message: expect.stringContaining("does not accept the API key") },
      { providerId: "openai", message: expect.stringContaining("api.openai.com does not exist") },
    ]);
    expect(lookups).toEqual(["api.openai.com"]);
    expect(records.map((record) => record.purpose)).toEqual(["model-list", "model-list", "model-list"]);
  });

  test("a provider that keeps silent holds the others up only for a few seconds", async () => {
    await providers.add(ours, { name: "mute", kind: "openai-chat", baseUrl: await modelServer(() => {}), local: true });
    await providers.add(ours, {
      name: "quick",
      kind: "openai-chat",
      baseUrl: await modelServer(listing("m")),
      local: true,
    });
    const { items, unavailable } = await providers.models(ours);
    expect(items.map((item) => item.ref)).toEqual(["quick/m"]);
    expect(unavailable).toEqual([
      { providerId: "mute", message: expect.stringContaining("did not answer within 5 s") },
    ]);
  });
});

describe("resolving a model", () => {
  const request = { modelId: "small", messages: [{ role: "user" as const, content: "private words" }] };

  test.each(["openai", "openai/", "/gpt", ""])("%j is no reference", async (reference) => {
    expect((await failureOf(providers.resolve(ours, reference))).code).toBe("VALIDATION_FAILED");
  });

  test("of a provider that is not configured says how to add it", async () => {
    const error = await failureOf(providers.resolve(ours, "acme/large"));
    expect(error.code).toBe("PROVIDER_NOT_CONFIGURED");
    expect(error.message).toContain("benchtop providers add acme");
    expect(error.info).toMatchObject({ provider_id: "acme", model_id: "large" });
  });

  test("gives an adapter that streams through the gate on behalf of its run", async () => {
    const seen: (string | undefined)[] = [];
    const baseUrl = await modelServer((incoming, response) => {
      seen.push(incoming.url, incoming.headers.authorization);
      incoming.resume();
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(`data: {"id":"r1","choices":[{"index":0,"delta":{"role":"assistant","content":"hel"}}]}\n\n`);
      response.write(`data: {"id":"r1","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}\n\n`);
      response.end("data: [DONE]\n\n");
    });
    await providers.add(ours, { name: "mine", kind: "openai-chat", baseUrl, local: true, apiKey });
    const model = await providers.resolve(ours, "mine/org/small:8b");
    expect(model).toMatchObject({ providerId: "mine", modelId: "org/small:8b", local: true });
    expect(model.prices).toEqual({ inputPerMillion: 0, outputPerMillion: 0 });
    expect(model.host).toBe(new URL(baseUrl).host);
    const adapter = model.adapter({ runId: "run_7", workbenchId: "wb_7", scopeHash: "abc" });
    let text = "";
    for await (const parts of adapter.stream({ ...request, modelId: model.modelId }, new AbortController().signal)) {
      for (const part of parts) if (part.type === "text") text += part.text;
    }
    expect(text).toBe("hello");
    expect(seen).toEqual(["/v1/chat/completions", `Bearer ${apiKey}`]);
    await expect
      .poll(() => records)
      .toMatchObject([
        { purpose: "model-call", outcome: "sent", runId: "run_7", workbenchId: "wb_7", scopeHash: "abc" },
      ]);
    expect(JSON.stringify([records, model, adapter])).not.toContain(apiKey);
  });

  test("gives an adapter that speaks Anthropic's protocol, with prices for its prompt cache", async () => {
    const server = await LoopbackServer.start(({ path, headers }) => {
      expect([path, headers["x-api-key"]]).toEqual(["/v1/messages", apiKey]);
      const usage = { inputTokens: 100, outputTokens: 1, cacheWriteInputTokens: 80 };
      return { chunks: [frames(anthropicMessagesDialect.events({ text: ["hel", "lo"], usage }))] };
    });
    try {
      const prices = {
        inputPerMillion: 5,
        outputPerMillion: 25,
        cachedInputPerMillion: 0.5,
        cacheWritePerMillion: 6.25,
      };
      const added = {
        name: "anthropic",
        kind: "anthropic-messages",
        baseUrl: server.url,
        local: true,
        apiKey,
        prices,
      } as const;
      await providers.add(ours, added);
      await restart();
      const model = await providers.resolve(ours, "anthropic/claude-opus-5-5");
      expect(model.prices).toEqual(prices);
      const adapter = model.adapter({ runId: "run_7", scopeHash: "abc" });
      const parts: ProviderPart[] = [];
      for await (const batch of adapter.stream({ ...request, modelId: model.modelId }, new AbortController().signal)) {
        parts.push(...batch);
      }
      expect(parts.map((part) => (part.type === "text" ? part.text : "")).join("")).toBe("hello");
      const usage = parts.find((part) => part.type === "usage")?.usage;
      expect(usage && costMicrosOf(usage, prices)).toBe(20 * 5 + 80 * 6.25 + 25);
      await expect.poll(() => records).toMatchObject([{ purpose: "model-call", outcome: "sent", runId: "run_7" }]);
    } finally {
      await server.close();
    }
  });

  test("S7 an adapter to a provider elsewhere asks for consent before anything is looked up or sent", async () => {
    await providers.add(ours, { ...openai, apiKey });
    const model = await providers.resolve(ours, "openai/gpt-5.2");
    const stream = model
      .adapter({ runId: "run_7", workbenchId: "wb_7", scopeHash: "abc" })
      .stream(request, new AbortController().signal);
    const error = await failureOf(stream[Symbol.asyncIterator]().next());
    expect(error.code).toBe("EGRESS_CONSENT_REQUIRED");
    expect(questions).toEqual([
      {
        workspaceId: ours,
        providerId: "openai",
        modelId: "gpt-5.2",
        scopeHash: "abc",
        runId: "run_7",
        workbenchId: "wb_7",
      },
    ]);
    expect(lookups).toEqual([]);
    expect(records).toMatchObject([{ outcome: "blocked", bytesSent: 0, runId: "run_7" }]);
  });

  test("a provider whose address changes during a run is not called at the old one any more", async () => {
    const requests: string[] = [];
    const baseUrl = await modelServer((incoming, response) => {
      requests.push(incoming.url ?? "");
      response.end();
    });
    await mine(baseUrl);
    const adapter = (await providers.resolve(ours, "mine/small")).adapter({ runId: "run_7", scopeHash: "abc" });
    await mine("http://localhost:9/v1");
    const next = adapter.stream(request, new AbortController().signal)[Symbol.asyncIterator]().next();
    expect((await failureOf(next)).code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect(requests).toEqual([]);
  });

  test("a key that vanished from the secrets is asked for again", async () => {
    await providers.add(ours, { ...openai, apiKey });
    for (const name of await secrets.names()) await secrets.delete(name);
    expect((await failureOf(providers.resolve(ours, "openai/gpt-5.2"))).code).toBe("PROVIDER_AUTH_FAILED");
  });
});

async function consented(): Promise<string[]> {
  const rows = await store.db.selectFrom("consents").select("workbench_id").orderBy("workbench_id").execute();
  return rows.map(({ workbench_id }) => workbench_id);
}

async function keys(): Promise<(string | undefined)[]> {
  const names = (await secrets.names()).toSorted();
  return await Promise.all(names.map(async (name) => (await secrets.get(name))?.reveal()));
}

describe("S8 S9 two workspaces with providers of the same name", () => {
  const theirs = "ws_01jd0000000000000000000000";
  const elsewhere = { ...openai, baseUrl: "https://models.other.example/v1" };
  const theirKey = "sk-test-77aa-of-theirs";

  test("know nothing of each other's: neither its address nor its key nor that it is there", async () => {
    await providers.add(ours, { ...openai, apiKey });
    expect([await providers.list(theirs), [...providers.allowedHosts(theirs)]]).toEqual([[], []]);
    for (const attempt of [
      providers.resolve(theirs, "openai/gpt-5.2"),
      providers.test(theirs, "openai"),
      providers.remove(theirs, "openai"),
    ]) {
      expect((await failureOf(attempt)).code).toBe("PROVIDER_NOT_CONFIGURED");
    }
    await providers.add(theirs, { ...elsewhere, apiKey: theirKey });
    expect((await providers.list(ours)).map(({ baseUrl }) => baseUrl)).toEqual([openai.baseUrl]);
    expect([...providers.allowedHosts(ours)]).toEqual([["openai", "api.openai.com"]]);
    expect([...providers.allowedHosts(theirs)]).toEqual([["openai", "models.other.example"]]);
    expect((await providers.resolve(ours, "openai/m")).host).toBe("api.openai.com");
    expect((await providers.resolve(theirs, "openai/m")).host).toBe("models.other.example");
  });

  test("reach their own host alone, whatever a run of theirs asks for", async () => {
    await providers.add(ours, { ...openai, apiKey });
    await providers.add(theirs, { ...elsewhere, apiKey: theirKey });
    const context = { purpose: "model-list", providerId: "openai", local: false } as const;
    const ask = (url: string, workspaceId: string) => failureOf(egress.fetch(url, {}, { ...context, workspaceId }));
    expect((await ask(elsewhere.baseUrl, ours)).code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect((await ask(openai.baseUrl, theirs)).code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect((await ask(openai.baseUrl, "ws_of_nobody")).code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect(lookups).toEqual([]);
    await ask(elsewhere.baseUrl, theirs);
    expect(lookups).toEqual(["models.other.example"]);
    expect(records.map(({ workspaceId, outcome }) => [workspaceId, outcome])).toEqual([
      [ours, "blocked"],
      [theirs, "blocked"],
      ["ws_of_nobody", "blocked"],
      [theirs, "failed"],
    ]);
  });

  test("keep keys and consents of their own when the other replaces or removes its provider", async () => {
    await providers.add(ours, { ...openai, apiKey });
    await providers.add(theirs, { ...openai, apiKey: theirKey });
    const consent = { provider_id: "openai", model_id: "m", scope_hash: "s", user_id: "u", created_at: "t" };
    for (const workbench_id of [ours, theirs]) {
      await store.db
        .insertInto("consents")
        .values({ ...consent, workbench_id })
        .execute();
    }
    await providers.add(theirs, { ...elsewhere, apiKey: "sk-test-replaced" });
    expect([await keys(), await consented()]).toEqual([[apiKey, "sk-test-replaced"], [ours]]);
    await providers.remove(ours, "openai");
    expect([await keys(), await consented()]).toEqual([["sk-test-replaced"], []]);
    expect((await providers.list(theirs)).map(({ hasApiKey }) => hasApiKey)).toEqual([true]);
  });
});
