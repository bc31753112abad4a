import { LoopbackServer, type Reply } from "@benchtop/harness/conformance";
import type { ErrorCode } from "@benchtop/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { failureOf } from "../../../test/runtime-failure.ts";
import { RemoteServer } from "./remote-server.ts";

const never = new AbortController().signal;
const apiKey = "sk-tests-0123456789";
let server: LoopbackServer;
afterEach(() => server.close());

async function remote(reply: Reply, more: { lookTimeoutMs?: number } = {}): Promise<RemoteServer> {
  server = await LoopbackServer.start(() => reply);
  return new RemoteServer({ id: "mine", baseUrl: server.url, apiKey, look: fetch, ask: fetch, ...more });
}

describe("P2.3 a server that refuses", () => {
  test.for<[number, string, ErrorCode, boolean]>([
    [401, "no", "PROVIDER_AUTH_FAILED", false],
    [403, "no", "PROVIDER_AUTH_FAILED", false],
    [404, "no", "PROVIDER_NOT_CONFIGURED", false],
    [400, 'model "x" not found', "PROVIDER_NOT_CONFIGURED", false],
    [400, "the input length exceeds the context length", "CONTEXT_EXHAUSTED", false],
    [500, "input is too large to process. increase the physical batch size", "CONTEXT_EXHAUSTED", false],
    [400, "no", "VALIDATION_FAILED", false],
    [422, "no", "VALIDATION_FAILED", false],
    [429, "no", "PROVIDER_RATE_LIMITED", true],
    [500, "no", "PROVIDER_UNAVAILABLE", true],
    [503, "no", "PROVIDER_UNAVAILABLE", true],
    [307, "no", "PROVIDER_UNAVAILABLE", false],
  ])("with %i (%s) is %s, retryable %s", async ([status, words, code, retryable]) => {
    const headers = { "retry-after": "3", location: "http://127.0.0.1:1/" };
    const to = await remote({ status, headers, chunks: [JSON.stringify({ error: `${words} ${apiKey}` })] });
    const error = await failureOf(to.post("/x", {}, never, { modelId: "x" }));
    expect([error.code, error.info.retryable]).toEqual([code, retryable]);
    expect(error.info).toMatchObject({ provider_id: "mine", model_id: "x", detail: { status, retry_after_ms: 3000 } });
    expect(JSON.stringify([error.message, error.info])).not.toContain(apiKey);
  });

  test("has nothing at an address that is wrong", async () => {
    const error = await failureOf((await remote({ status: 404 })).get("/api/tags", never));
    expect([error.code, error.info.retryable]).toEqual(["PROVIDER_UNAVAILABLE", false]);
    expect(error.message).toContain("/api/tags");
    await server.close();
    expect(await (await remote({ status: 501 })).getIfThere("/metrics", never)).toBeUndefined();
  });
});

describe("P2.3 a server that answers badly", () => {
  test("with something other than JSON is not understood", async () => {
    const error = await failureOf((await remote({ chunks: ["<h1>Welcome</h1>"] })).get("/x", never));
    expect([error.code, error.info.retryable]).toEqual(["PROVIDER_UNAVAILABLE", false]);
  });

  test("without end is not read to it", async () => {
    const megabyte = new Uint8Array(1024 * 1024).fill(0x20);
    const endless = (function* () {
      for (let count = 0; count < 100; count += 1) yield megabyte;
    })();
    const error = await failureOf((await remote({ chunks: endless, ending: "hang" })).get("/x", never));
    expect(error.message).toContain("size that can be read");
  });

  test("by breaking off has broken off", async () => {
    const error = await failureOf((await remote({ chunks: ['{"a":'], ending: "break" })).get("/x", never));
    expect([error.code, error.info.retryable]).toEqual(["PROVIDER_UNAVAILABLE", true]);
  });

  test("by keeping silent is not waited for, whether before or within its answer", async () => {
    const silent = await remote({ ending: "hang", chunks: ["["] }, { lookTimeoutMs: 30 });
    const error = await failureOf(silent.get("/x", never));
    expect(error.message).toBe("mine did not answer within 0.03 s.");
  });
});

describe("P2.3 a request", () => {
  test("carries the key, and only where it goes", async () => {
    const to = await remote({ chunks: ["{}"] });
    await to.get("/api/tags", never);
    await to.post("/api/show", { model: "m" }, never);
    expect(to.root).toBe(server.url.replace("/v1", ""));
    expect(server.requests.map(({ path, headers }) => [path, headers.authorization])).toEqual([
      ["/api/tags", `Bearer ${apiKey}`],
      ["/api/show", `Bearer ${apiKey}`],
    ]);
  });

  test("that is aborted is over, before, while it waits and while it reads", async () => {
    const to = await remote({ ending: "hang", chunks: ["["] });
    expect((await failureOf(to.get("/x", AbortSignal.abort()))).code).toBe("USER_CANCELED");
    expect(server.requests).toEqual([]);
    for (const ask of [
      (signal: AbortSignal) => to.get("/x", signal),
      (signal: AbortSignal) => to.post("/x", {}, signal),
    ]) {
      const abort = new AbortController();
      const failure = failureOf(ask(abort.signal));
      await expect.poll(() => server.requests.length).toBeGreaterThan(0);
      abort.abort();
      expect((await failure).code).toBe("USER_CANCELED");
    }
    await server.abandoned();
  });
});
