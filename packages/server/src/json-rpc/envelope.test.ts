import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestDaemon, type TestDaemon } from "../../test/test-daemon.ts";
import { RpcPeer, type RpcAnswer } from "../../test/rpc-peer.ts";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startTestDaemon();
});
afterAll(() => daemon[Symbol.asyncDispose]());

async function post(body: unknown, headers: Record<string, string> = {}, token: string | null = daemon.token) {
  const response = await daemon.fetch("/rpc", {
    method: "POST",
    token,
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: (text === "" ? undefined : JSON.parse(text)) as RpcAnswer,
  };
}

const call = async (method: string, params: Record<string, unknown>) =>
  (await post({ jsonrpc: "2.0", id: 1, method, params })).body;

const health = { jsonrpc: "2.0", method: "SystemHealth" };

/** What the specification's own examples say, and what a careless or hostile peer sends (jsonrpc.org/specification, section 7). */
const faults: readonly (readonly [name: string, message: string, code: number, id: string | number | null])[] = [
  ["no JSON", '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', -32_700, null],
  ["half a batch", '[{"jsonrpc": "2.0", "method": "sum", "id": "1"}, {"jsonrpc": "2.0", "method"', -32_700, null],
  ["nothing", " ", -32_700, null],
  ["an empty batch", "[]", -32_600, null],
  ["a method that is no string", '{"jsonrpc": "2.0", "method": 1, "params": "bar"}', -32_600, null],
  ["another version", '{"jsonrpc": "1.0", "method": "SystemHealth", "id": 5}', -32_600, 5],
  ["a text", '"SystemHealth"', -32_600, null],
  ["null", "null", -32_600, null],
  ["an answer", '{"jsonrpc": "2.0", "result": 19, "id": 3}', -32_600, 3],
  ["an id that is an object", '{"jsonrpc": "2.0", "method": "SystemHealth", "id": {}}', -32_600, null],
  [
    "an id that is too large to give back",
    '{"jsonrpc": "2.0", "method": "SystemHealth", "id": 12345678901234567890}',
    -32_600,
    null,
  ],
  ["an id beyond every number", '{"jsonrpc": "2.0", "method": "SystemHealth", "id": 1e999}', -32_600, null],
  ["an id of a megabyte", JSON.stringify({ ...health, id: "x".repeat(1_000_000) }), -32_600, null],
  ["a batch of 101", JSON.stringify(Array.from({ length: 101 }, (_, id) => ({ ...health, id }))), -32_600, null],
  ["an unknown method", '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}', -32_601, "1"],
  ["a method of every object", '{"jsonrpc": "2.0", "method": "constructor", "id": 1}', -32_601, 1],
  ["a reserved method", '{"jsonrpc": "2.0", "method": "rpc.discover", "id": 1}', -32_601, 1],
  ["parameters by position", '{"jsonrpc": "2.0", "method": "SystemHealth", "params": [1], "id": 1}', -32_602, 1],
  ["parameters that are a text", '{"jsonrpc": "2.0", "method": "SystemHealth", "params": "x", "id": 1}', -32_602, 1],
  ["brackets a million deep", "[".repeat(1_000_000), -32_700, null],
  ["objects a hundred thousand deep", `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`, -32_700, null],
];

describe.each(["POST", "WebSocket"])(
  "S9 over %s, what is no proper call is answered as the specification says",
  (carrier) => {
    test.each(faults)("%s", async (_, message, code, id) => {
      const answer = carrier === "POST" ? (await post(message)).body : await overSocket(message);
      expect(answer).toMatchObject({
        jsonrpc: "2.0",
        id,
        error: { code, message: expect.any(String) as unknown, data: { phase: "settings", retryable: false } },
      });
      expect(JSON.stringify(answer).length).toBeLessThan(1000);
    });
  },
);

async function overSocket(message: string): Promise<RpcAnswer> {
  await using peer = await RpcPeer.open(daemon);
  peer.send(message);
  await peer.until(() => peer.others.length > 0);
  return peer.others[0]!;
}

test("S12 ids come back as they are: texts, numbers, fractions, null", async () => {
  for (const id of ["", "ä☃", 0, -1, 1.5, Number.MAX_SAFE_INTEGER, null]) {
    expect((await post({ ...health, id })).body).toMatchObject({ id, result: { status: "ok" } });
  }
});

test("S12 a batch is answered as one, without its notifications, and what is wrong in it harms nobody else", async () => {
  const { body } = await post([
    { ...health, id: "a" },
    health,
    1,
    { jsonrpc: "2.0", id: "b", method: "nothing" },
    { jsonrpc: "2.0", id: "c", method: "RunsGet", params: { run_id: "run_none" } },
  ]);
  expect(body).toMatchObject([
    { id: "a", result: { status: "ok" } },
    { id: null, error: { code: -32_600 } },
    { id: "b", error: { code: -32_601 } },
    { id: "c", error: { code: -32_000, data: { error_code: "NOT_FOUND" } } },
  ]);
});

test("S12 notifications are carried out and not answered, not even when they fail", async () => {
  const made = await post({ jsonrpc: "2.0", method: "WorkbenchCreate", params: { name: "quiet" } });
  expect([made.status, made.body]).toEqual([204, undefined]);
  const list = await post({ jsonrpc: "2.0", id: 1, method: "WorkbenchList" });
  expect(list.body.result).toMatchObject({ items: [{ name: "quiet" }] });
  for (const body of [{ jsonrpc: "2.0", method: "nothing" }, [health, health]]) {
    expect((await post(body)).status).toBe(204);
  }
});

test("S9 a failed operation is -32000 with the ErrorInfo of every transport", async () => {
  const { status, body } = await post({
    jsonrpc: "2.0",
    id: 1,
    method: "WorkbenchOpen",
    params: { workbench_id: "none" },
  });
  expect(status).toBe(200);
  const rest = (await (await daemon.fetch("/api/v1/workbenches/none")).json()) as { error: Record<string, unknown> };
  const { message, ...info } = rest.error;
  expect(body.error).toEqual({ code: -32_000, message, data: info });
});

test("S12 fields in camelCase are refused, and unknown ones are as good as absent", async () => {
  const wrong = await post({ jsonrpc: "2.0", id: 1, method: "WorkbenchOpen", params: { workbenchId: "quiet" } });
  expect(wrong.body.error).toMatchObject({
    code: -32_000,
    message: "Fields are in snake_case here: workbench_id, not workbenchId.",
    data: { error_code: "VALIDATION_FAILED", detail: { fields: ["workbenchId"] } },
  });
  const unknown = await post({ jsonrpc: "2.0", id: 1, method: "SystemHealth", params: { nothing: 1 } });
  expect(unknown.body).toMatchObject({ result: { status: "ok" } });
});

test("what is given twice counts once, and a prototype is nobody's field", async () => {
  const twice = await post('{"jsonrpc":"2.0","id":1,"id":2,"method":"nothing","method":"SystemHealth"}');
  expect(twice.body).toMatchObject({ id: 2, result: { status: "ok" } });
  const proto = await post(
    '{"jsonrpc":"2.0","id":1,"method":"WorkbenchCreate","params":{"__proto__":{"name":"polluted"},"constructor":1}}',
  );
  expect(proto.body.error?.data.error_code).toBe("VALIDATION_FAILED");
  const borrowed = await post('{"__proto__":{"jsonrpc":"2.0","method":"SystemHealth","id":1}}');
  expect(borrowed.body.error?.code).toBe(-32_600);
});

describe("POST /rpc", () => {
  test("P1.4 every call of a batch is identified, and public ones need nobody", async () => {
    const batch = [
      { ...health, id: 1 },
      { jsonrpc: "2.0", id: 2, method: "IdentityWhoami" },
    ];
    const { body } = await post(batch, {}, null);
    expect(body).toMatchObject([{ result: { status: "ok" } }, { error: { data: { error_code: "AUTH_REQUIRED" } } }]);
  });

  test("P1.4 a large body is not read from somebody unknown", async () => {
    const { status, body } = await post({ ...health, id: 1, params: { x: "x".repeat(70_000) } }, {}, null);
    expect([status, body.error]).toMatchObject([401, { error_code: "AUTH_REQUIRED" }]);
  });

  test("what HTTP itself refuses is refused in HTTP", async () => {
    const large = JSON.stringify({ ...health, id: 1, params: { x: "x".repeat(10_000_000) } });
    expect((await post(large)).status).toBe(413);
    expect((await post(JSON.stringify(health), { "content-type": "text/plain" })).status).toBe(415);
    expect((await post(JSON.stringify(health), { origin: "https://evil.example" })).status).toBe(403);
    const get = await daemon.fetch("/rpc");
    expect([get.status, get.headers.get("allow")]).toEqual([405, "POST"]);
  });

  test("P1.4 a cookie counts only together with our own origin", async () => {
    const signIn = await daemon.fetch("/api/v1/sign-in", {
      method: "POST",
      token: null,
      headers: { "content-type": "application/json", origin: daemon.url },
      body: JSON.stringify({ token: daemon.token }),
    });
    const cookie = signIn.headers.getSetCookie()[0]!.split(";")[0]!;
    const whoami = { jsonrpc: "2.0", id: 1, method: "IdentityWhoami" };
    const foreign = await post(whoami, { cookie }, null);
    expect(foreign.body.error?.data.error_code).toBe("PERMISSION_DENIED");
    const own = await post(whoami, { cookie, origin: daemon.url }, null);
    expect(own.body.result).toMatchObject({ via: "sign-in" });
  });

  test("a browser signs in over it as over REST", async () => {
    const params = { token: daemon.token };
    const { headers } = await post(
      { jsonrpc: "2.0", id: 1, method: "SignInCreate", params },
      { origin: daemon.url },
      null,
    );
    expect(headers.getSetCookie()[0]).toMatch(/^benchtop_session=.*HttpOnly/);
  });

  test("an Idempotency-Key makes a call once, in the header or beside the parameters", async () => {
    const create = { jsonrpc: "2.0", id: 1, method: "WorkbenchCreate", params: { name: "once" } };
    const first = await post(create, { "idempotency-key": "key-1" });
    const again = await post({ ...create, params: { ...create.params, idempotency_key: "key-1" } });
    expect(again.body.result).toEqual(first.body.result);
    const replayed = await post(create, { "idempotency-key": "key-1" });
    expect(replayed.headers.get("idempotency-replayed")).toBe("true");
    expect((await post([create], { "idempotency-key": "key-1" })).body.error?.code).toBe(-32_600);
    expect((await post({ ...create, params: { name: "x", idempotency_key: 5 } })).body.error?.data.error_code).toBe(
      "VALIDATION_FAILED",
    );
  });

  test("a stream is refused, to those who may have it, with the ways that there are", async () => {
    const events = { jsonrpc: "2.0", id: 1, method: "RunsEvents", params: { run_id: "run_1" } };
    expect((await post(events, {}, null)).body.error?.data.error_code).toBe("AUTH_REQUIRED");
    const { error } = (await post(events)).body;
    expect(error?.data.error_code).toBe("VALIDATION_FAILED");
    for (const way of ["WebSocket", "benchtop rpc --stdio", "/api/v1/runs/{runId}/events"]) {
      expect(error?.message).toContain(way);
    }
  });
});

test("S12 files travel in base64, each way", async () => {
  const bytes = Buffer.from(Array.from({ length: 3000 }, (_, place) => place % 256));
  const { result } = await call("FilesUpload", { content: bytes.toString("base64") });
  expect(result).toMatchObject({ bytes: 3000 });
  const { sha256 } = result as { sha256: string };
  await call("WorkbenchCreate", { name: "bytes" });
  const added = await call("WorkbenchFilesAdd", { workbench_id: "bytes", uploads: [{ path: "a.bin", sha256 }] });
  expect(added.result).toMatchObject({ added: [{ path: "a.bin", media_type: "application/octet-stream" }] });
  const read = await call("WorkbenchFilesRead", { workbench_id: "bytes", path: "a.bin" });
  const file = read.result as { content: string };
  expect(file).toMatchObject({ file_name: "a.bin", sha256, bytes: 3000 });
  expect(Buffer.from(file.content, "base64").equals(bytes)).toBe(true);

  for (const content of [undefined, 5, "%%%%", "abc", "ab=c", "YQ==\n"]) {
    expect((await call("FilesUpload", { content })).error?.data.error_code).toBe("VALIDATION_FAILED");
  }
  const batch = await post([
    { jsonrpc: "2.0", id: 1, method: "WorkbenchFilesRead", params: { workbench_id: "bytes", path: "a.bin" } },
  ]);
  expect(batch.body).toMatchObject([{ error: { message: expect.stringContaining("call it by itself") as unknown } }]);
});

test("a file that no message can hold is refused with the way that can", async () => {
  const large = new Uint8Array(8_000_000);
  const { sha256 } = (await (
    await daemon.fetch("/api/v1/uploads", {
      method: "PUT",
      body: large,
      headers: { "content-type": "application/octet-stream" },
    })
  ).json()) as { sha256: string };
  await call("WorkbenchCreate", { name: "large" });
  await call("WorkbenchFilesAdd", { workbench_id: "large", uploads: [{ path: "a.bin", sha256 }] });
  const { error } = await call("WorkbenchFilesRead", { workbench_id: "large", path: "a.bin" });
  expect(error).toMatchObject({
    message: expect.stringContaining("GET /api/v1/workbenches/{workbenchId}/files/content") as unknown,
    data: { error_code: "VALIDATION_FAILED", detail: { bytes: 8_000_000 } },
  });
});

test("S9 whatever a peer sends, every answer is JSON-RPC and the connection serves the next call", async () => {
  await using peer = await RpcPeer.open(daemon);
  const odd = fc.oneof(
    fc.json({ maxDepth: 3 }),
    fc.string(),
    fc
      .record(
        {
          jsonrpc: fc.oneof(fc.constant("2.0"), fc.anything()),
          id: fc.oneof(fc.integer({ min: 1_000_000 }), fc.string(), fc.jsonValue()),
          method: fc.oneof(
            fc.constantFrom("SystemHealth", "RunsGet", "RunsEvents", "$/cancel", "$/credit", "$/x"),
            fc.string(),
          ),
          params: fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue()),
        },
        { requiredKeys: [] },
      )
      .map((value) => JSON.stringify(value)),
  );
  await fc.assert(
    fc.asyncProperty(odd, async (text) => {
      peer.send(text);
      await peer.call("$/ping");
    }),
    { numRuns: 300 },
  );
  for (const answer of peer.others.flat()) {
    expect(answer.jsonrpc).toBe("2.0");
    expect(answer.error?.data.error_code).not.toBe("INTERNAL");
  }
  expect(await peer.call("SystemHealth")).toMatchObject({ status: "ok" });
});
