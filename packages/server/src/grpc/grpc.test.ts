import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type * as GrpcJs from "@grpc/grpc-js";
import type * as ProtoLoader from "@grpc/proto-loader";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../../../../test/model-server.ts";
import { grpcClient, type GrpcAnswer, type GrpcProtocol } from "../../test/grpc-client.ts";
import { errorOf, json, startTestDaemon, type TestDaemon } from "../../test/test-daemon.ts";

let daemon: TestDaemon;
let models: ModelServer;
let authorization: string;
beforeAll(async () => {
  models = await startModelServer();
  daemon = await startTestDaemon({ limits: { jsonTimeoutMs: 500, maxJsonBytes: 1_000_000, maxUploadBytes: 300_000 } });
  authorization = `Bearer ${daemon.token}`;
  const provider = { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true };
  await daemon.fetch("/api/v1/providers", json(provider));
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await models[Symbol.asyncDispose]();
});

const protocols: readonly GrpcProtocol[] = ["grpc", "grpc-web", "connect", "connect-json"];

describe.each(protocols)("Connect's own client over %s", (protocol) => {
  const ask = async (id: string, input: unknown, headers: Record<string, string> = { authorization }) =>
    (await grpcClient(daemon.url, protocol)).call(id, input, { headers });

  test("P1.4 calls an operation and gets what REST gives", async () => {
    const rest: unknown = await (await daemon.fetch("/api/v1/whoami")).json();
    expect(await ask("identity.whoami", {})).toMatchObject({ ok: true, output: rest });
  });

  test("P1.4 without a token, or with a wrong one, is told so and nothing is done", async () => {
    for (const headers of [{}, { authorization: "Bearer wrong" }] as Record<string, string>[]) {
      expect(await ask("workbenches.create", { name: "intruder" }, headers)).toMatchObject({
        ok: false,
        status: "unauthenticated",
        info: { error_code: "AUTH_REQUIRED", phase: "settings", retryable: false },
      });
    }
    const { items } = (await (await daemon.fetch("/api/v1/workbenches")).json()) as { items: { name: string }[] };
    expect(items.map(({ name }) => name)).not.toContain("intruder");
  });

  test("a run is started, followed to its end and resumed in the middle", async () => {
    const started = await ask("runs.start", { model: "loop/gpt-5.2", prompt: `Say something over ${protocol}.` });
    const { runId } = outputOf(started) as { runId: string };
    const events = outputOf(await ask("runs.events", { runId })) as { seq: number; type: string }[];
    expect(events.map(({ seq }) => seq)).toEqual([...events.keys()]);
    expect(events.at(0)?.type).toBe("RunStarted");
    expect(events.at(-1)?.type).toBe("Completed");
    const page = (await (await daemon.fetch(`/api/v1/runs/${runId}/journal`)).json()) as { items: unknown[] };
    expect(events).toEqual(page.items);
    const rest = outputOf(await ask("runs.events", { runId, after: 1 })) as { seq: number }[];
    expect(rest.map(({ seq }) => seq)).toEqual(events.slice(2).map(({ seq }) => seq));
    expect(outputOf(await ask("runs.events", { runId, after: events.length - 1 }))).toEqual([]);
  });

  test("a wrong field is named, with the code that every transport gives", async () => {
    expect(await ask("runs.list", { limit: 0 })).toMatchObject({
      status: "invalid_argument",
      message: "The request is not valid. limit: Too small: expected number to be >=1",
      info: { error_code: "VALIDATION_FAILED", detail: { fields: ["limit"] } },
    });
    expect(await ask("runs.get", { runId: "nobody" })).toMatchObject({
      status: "not_found",
      info: { error_code: "NOT_FOUND", run_id: "nobody" },
    });
  });

  test("a change with an idempotency key is made once", async () => {
    const headers = { authorization, "idempotency-key": `key-${protocol}` };
    const first = await ask("workbenches.create", { name: `once-${protocol}` }, headers);
    const second = await ask("workbenches.create", { name: `once-${protocol}` }, headers);
    expect(outputOf(second)).toEqual(outputOf(first));
    expect(second.ok && second.headers.get("idempotency-replayed")).toBe("true");
  });

  test("a file is downloaded as its description and its bytes", async () => {
    const name = `files-${protocol}`;
    const { workbenchId } = outputOf(await ask("workbenches.create", { name })) as { workbenchId: string };
    const text = "grün\n".repeat(30_000);
    const uploaded = await daemon.fetch("/api/v1/uploads", { method: "PUT", body: text });
    const { sha256 } = (await uploaded.json()) as { sha256: string };
    const added = await ask("files.add", { workbenchId, uploads: [{ path: "a.txt", sha256 }] });
    expect(added.ok).toBe(true);
    const [file, ...chunks] = outputOf(await ask("files.read", { workbenchId, path: "a.txt" })) as Uint8Array[];
    expect(file).toMatchObject({ fileName: "a.txt", sha256, bytes: Buffer.byteLength(text) });
    expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThanOrEqual(65_536);
    expect(Buffer.concat(chunks).toString("utf8")).toBe(text);
  });
});

function outputOf(answer: GrpcAnswer): unknown {
  if (!answer.ok) throw new Error(`${answer.status}: ${answer.message}`);
  return answer.output;
}

describe("streams", () => {
  test("an upload is a stream of bytes, and one that is too large is refused while it comes", async () => {
    const client = await grpcClient(daemon.url);
    const headers = { authorization };
    const chunk = Buffer.alloc(100_000, "x");
    const whole = await client.call("files.upload", {}, { headers, body: [chunk, chunk] });
    expect(outputOf(whole)).toMatchObject({ bytes: 200_000 });
    expect(outputOf(await client.call("files.upload", {}, { headers }))).toMatchObject({ bytes: 0 });
    const tooLarge = await client.call("files.upload", {}, { headers, body: [chunk, chunk, chunk, chunk] });
    expect(tooLarge).toMatchObject({ status: "resource_exhausted", info: { error_code: "VALIDATION_FAILED" } });
  });

  test("a call whose time is over ends with that status, and a run goes on without its reader", async () => {
    const client = await grpcClient(daemon.url);
    const headers = { authorization };
    const started = await client.call("runs.start", { model: "loop/slow", prompt: "Take your time." }, { headers });
    const { runId } = outputOf(started) as { runId: string };
    const cut = await client.call("runs.events", { runId }, { headers, timeoutMs: 300 });
    expect(cut).toMatchObject({ ok: false, status: "deadline_exceeded" });

    const gone = new AbortController();
    const reading = client.stream("runs.events", { runId }, { headers, signal: gone.signal })[Symbol.asyncIterator]();
    expect((await reading.next()).done).toBe(false);
    gone.abort();
    await expect(Promise.resolve().then(() => drain(reading))).rejects.toMatchObject({ code: 1 });
    expect(outputOf(await client.call("runs.abort", { runId }, { headers }))).toEqual({ aborted: true });
  });
});

async function drain(iterator: AsyncIterator<unknown>): Promise<void> {
  while ((await iterator.next()).done !== true);
}

describe("@grpc/grpc-js", () => {
  const require = createRequire(import.meta.url);
  const grpc = require("@grpc/grpc-js") as typeof GrpcJs;
  const loader = require("@grpc/proto-loader") as typeof ProtoLoader;
  const files = ["benchtop/v1/runs.proto", "benchtop/v1/identity.proto", "grpc/health/v1/health.proto"];
  const reflection = ["v1", "v1alpha"].map((version) => `grpc/reflection/${version}/reflection.proto`);
  const includeDirs = [new URL("../../../../proto", import.meta.url).pathname];
  const definition = loader.loadSync([...files, ...reflection], {
    includeDirs,
    keepCase: true,
    longs: Number,
    enums: String,
    defaults: true,
    oneofs: true,
  });
  const clients: GrpcJs.Client[] = [];
  afterAll(() => clients.forEach((client) => client.close()));

  type Call = (
    request: object,
    metadata: GrpcJs.Metadata,
    done: (error: Error | null, value: unknown) => void,
  ) => unknown;
  type Stream = (request: object, metadata: GrpcJs.Metadata) => GrpcJs.ClientReadableStream<Record<string, unknown>>;

  function clientOf(name: string): Record<string, Call & Stream> {
    const Client = grpc.makeGenericClientConstructor(definition[name] as GrpcJs.ServiceDefinition, name);
    const client = new Client(`127.0.0.1:${daemon.port}`, grpc.credentials.createInsecure());
    clients.push(client);
    return client as unknown as Record<string, Call & Stream>;
  }

  function metadata(entries: Record<string, string> = { authorization }): GrpcJs.Metadata {
    const all = new grpc.Metadata();
    for (const [key, value] of Object.entries(entries)) all.set(key, value);
    return all;
  }

  const unary = (service: string, method: string, request: object, sent = metadata()): Promise<unknown> =>
    new Promise((resolve, reject) => {
      clientOf(service)[method]?.(request, sent, (error, value) => (error === null ? resolve(value) : reject(error)));
    });

  test("P1.4 calls an operation and reads the error's details", async () => {
    expect(await unary("benchtop.v1.IdentityService", "IdentityWhoami", {})).toMatchObject({
      identity: { user_id: "owner", workspace_id: "default" },
    });
    const refused = unary("benchtop.v1.IdentityService", "IdentityWhoami", {}, metadata({}));
    await expect(refused).rejects.toMatchObject({ code: grpc.status.UNAUTHENTICATED });
    const status = ((await refused.catch((error: unknown) => error)) as GrpcJs.ServiceError).metadata;
    expect(String(status.get("grpc-status-details-bin")[0])).toContain("benchtop.v1.ErrorInfo");
  });

  test("follows a run of a real model server, event by event", async () => {
    const started = (await unary("benchtop.v1.RunsService", "RunsStart", {
      model: "loop/gpt-5.2",
      prompt: "Say something.",
    })) as { run_id: string };
    const stream = clientOf("benchtop.v1.RunsService")["RunsEvents"]?.({ run_id: started.run_id }, metadata());
    const events: { run_event: Record<string, unknown> }[] = [];
    for await (const event of stream ?? []) events.push(event as never);
    expect(events.map(({ run_event: event }) => event["seq"])).toEqual([...events.keys()]);
    expect(events.at(0)?.run_event).toMatchObject({
      type: "RunStarted",
      variant: "run_started",
      run_started: { kind: "prompt", model: "loop/gpt-5.2", input: { kind: "structValue" } },
    });
    expect(events.at(-1)?.run_event).toMatchObject({ type: "Completed", completed: { finish_reason: "stop" } });
  });

  test("a stream that is canceled frees what served it", async () => {
    const { run_id: runId } = (await unary("benchtop.v1.RunsService", "RunsStart", {
      model: "loop/slow",
      prompt: "Say it slowly.",
    })) as { run_id: string };
    for (let round = 0; round < 20; round++) {
      const stream = clientOf("benchtop.v1.RunsService")["RunsEvents"]?.({ run_id: runId }, metadata());
      const ended = new Promise<unknown>((resolve) => stream?.once("error", resolve));
      stream?.once("data", () => stream.cancel());
      expect(await ended).toMatchObject({ code: grpc.status.CANCELLED });
    }
    await unary("benchtop.v1.RunsService", "RunsAbort", { run_id: runId });
  });

  const checkHealth = (service: string) => unary("grpc.health.v1.Health", "Check", { service }, metadata({}));

  test("health needs no identity, knows our services and no others", async () => {
    expect(await checkHealth("")).toEqual({ status: "SERVING" });
    expect(await checkHealth("benchtop.v1.RunsService")).toEqual({ status: "SERVING" });
    await expect(checkHealth("nobody.Service")).rejects.toMatchObject({ code: grpc.status.NOT_FOUND });
  });

  test("who watches health is told when the daemon stops", async () => {
    await using other = await startTestDaemon();
    const Client = grpc.makeGenericClientConstructor(
      definition["grpc.health.v1.Health"] as GrpcJs.ServiceDefinition,
      "Health",
    );
    const client = new Client(`127.0.0.1:${other.port}`, grpc.credentials.createInsecure());
    const stream = (client as unknown as Record<string, Stream>)["Watch"]?.({ service: "" }, metadata({}));
    const told: unknown[] = [];
    stream?.on("error", () => undefined);
    const first = new Promise<void>((resolve) =>
      stream?.on("data", (value: { status: string }) => {
        told.push(value.status);
        resolve();
      }),
    );
    const ended = new Promise<void>((resolve) => stream?.once("close", resolve));
    await first;
    await other.close();
    await ended;
    client.close();
    expect(told).toEqual(["SERVING", "NOT_SERVING"]);
  });

  test.each(["v1", "v1alpha"])("reflection %s tells whoever is known all that it takes to call", async (version) => {
    const name = `grpc.reflection.${version}.ServerReflection`;
    const asking = (sent: GrpcJs.Metadata): GrpcJs.ClientDuplexStream<object, Record<string, unknown>> =>
      (clientOf(name)["ServerReflectionInfo"] as unknown as (sent: GrpcJs.Metadata) => never)(sent);
    const stream = asking(metadata());
    const answers = stream[Symbol.asyncIterator]() as AsyncIterator<Record<string, Record<string, unknown[]>>>;
    const ask = async (question: object) => {
      stream.write(question);
      return (await answers.next()).value as Record<string, Record<string, unknown[]>>;
    };
    const { list_services_response: list } = await ask({ list_services: "" });
    const names = ((list?.["service"] ?? []) as { name: string }[]).map((service) => service.name);
    expect(names).toContain("benchtop.v1.RunsService");
    expect(names).toContain("grpc.health.v1.Health");
    const { file_descriptor_response: files } = await ask({
      file_containing_symbol: "benchtop.v1.RunsService.RunsStart",
    });
    const loaded = loader.loadFileDescriptorSetFromBuffer(descriptorSet(files?.["file_descriptor_proto"] as Buffer[]));
    expect(Object.keys(loaded)).toContain("benchtop.v1.RunsService");
    expect(await ask({ file_by_filename: "nothing.proto" })).toMatchObject({ error_response: { error_code: 5 } });
    expect(await ask({ file_containing_symbol: "nothing.Nobody" })).toMatchObject({
      error_response: { error_code: 5 },
    });
    stream.end();

    const stranger = asking(metadata({}));
    const refused = new Promise((resolve) => stranger.once("error", resolve));
    stranger.on("data", () => undefined);
    stranger.write({ list_services: "" });
    expect(await refused).toMatchObject({ code: grpc.status.UNAUTHENTICATED });
  });

  test("a reader that does not read holds back its own stream alone, and misses nothing", async () => {
    const prompt = `Repeat after me: ${"long ".repeat(20_000)}`;
    const { run_id: runId } = (await unary("benchtop.v1.RunsService", "RunsStart", {
      model: "loop/gpt-5.2",
      prompt,
    })) as { run_id: string };
    const stream = clientOf("benchtop.v1.RunsService")["RunsEvents"]?.({ run_id: runId }, metadata());
    stream?.pause();
    const other = clientOf("benchtop.v1.RunsService")["RunsEvents"]?.({ run_id: runId }, metadata());
    const quick: unknown[] = [];
    for await (const event of other ?? []) quick.push(event);
    const slow: unknown[] = [];
    for await (const event of stream ?? []) {
      slow.push(event);
      if (slow.length % 50 === 0) await sleep(1);
    }
    expect(slow).toEqual(quick);
  });
});

const post = (path: string, headers: Record<string, string>, body?: string) =>
  daemon.fetch(path, { method: "POST", headers, ...(body !== undefined && { body }) });

test("a program that has never seen our descriptors calls by reflection", async () => {
  const buf = join(import.meta.dirname, "../../../../node_modules/.bin/buf");
  const header = `authorization: ${authorization}`;
  const how = ["--http2-prior-knowledge", "--protocol", "grpc", "-H", header, "--reflect-header", header];
  const url = `${daemon.url}/benchtop.v1.IdentityService/IdentityWhoami`;
  const { stdout } = await promisify(execFile)(buf, ["curl", ...how, "-d", "{}", url]);
  expect(JSON.parse(stdout)).toMatchObject({ identity: { userId: "owner" } });
});

describe("what is no proper call", () => {
  test("a page of another origin gets nothing, with or without the cookie", async () => {
    const signedIn = await daemon.fetch("/api/v1/sign-in", { ...json({ token: daemon.token }), token: null });
    const cookie = signedIn.headers.getSetCookie()[0]?.split(";")[0] ?? "";
    const path = "/benchtop.v1.IdentityService/IdentityWhoami";
    const ask = (headers: Record<string, string>) =>
      daemon.raw(path, {
        method: "POST",
        headers: { host: `127.0.0.1:${daemon.port}`, "content-type": "application/json", cookie, ...headers },
        body: "{}",
      });
    expect((await ask({ origin: daemon.url })).status).toBe(200);
    expect((await ask({})).status).toBe(403);
    expect((await ask({ origin: "https://evil.example" })).status).toBe(403);
    expect((await ask({ host: "evil.example" })).status).toBe(421);
    const preflight = await daemon.raw(path, { method: "OPTIONS", headers: { host: `127.0.0.1:${daemon.port}` } });
    expect(Object.keys(preflight.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
  });

  test("a method that is not there, a wrong content type and a GET are refused", async () => {
    expect(await errorOf(await post("/benchtop.v1.RunsService/Nothing", {}))).toMatchObject({
      error_code: "NOT_FOUND",
    });
    expect((await post("/benchtop.v1.RunsService/RunsList", { "content-type": "text/plain" }, "x")).status).toBe(415);
    expect((await daemon.fetch("/benchtop.v1.RunsService/RunsList")).status).toBe(405);
  });

  test("a message that is compressed, broken, too deep or too large is refused", async () => {
    const path = "/benchtop.v1.RunsService/RunsStart";
    const type = { "content-type": "application/json" };
    const compressed = await post(path, { ...type, "content-encoding": "gzip" }, "x");
    expect(compressed.status).toBe(501);
    expect((await post(path, type, "{")).status).toBe(400);
    const deep = `{"output":{"schema":${'{"a":'.repeat(2000)}1${"}".repeat(2000)}}}`;
    expect((await post(path, type, deep)).status).toBe(400);
    expect((await post(path, type, JSON.stringify({ prompt: "x".repeat(1_100_000) }))).status).toBe(429);
    const proto = { "content-type": "application/proto" };
    const nested = await daemon.fetch(path, { method: "POST", headers: proto, body: Buffer.alloc(200_000, 0x5b) });
    expect(nested.status).toBe(400);
    expect((await daemon.fetch("/healthz")).status).toBe(200);
  });

  test("a message that never comes is not waited for, and one of a stranger is not read at all", async () => {
    const { connect } = await import("node:http2");
    const session = connect(daemon.url);
    const begin = (headers: Record<string, string>) => {
      const stream = session.request(
        {
          ":method": "POST",
          ":path": "/benchtop.v1.RunsService/RunsStart",
          "content-type": "application/grpc",
          te: "trailers",
          ...headers,
        },
        { endStream: false },
      );
      stream.on("error", () => undefined).resume();
      const status = Promise.withResolvers<unknown>();
      stream.on("response", (head) => head["grpc-status"] !== undefined && status.resolve(head["grpc-status"]));
      stream.on("trailers", (trailers) => status.resolve(trailers["grpc-status"]));
      return status.promise;
    };
    expect(await begin({ authorization })).toBe("4");
    expect(await begin({})).toBe("16");
    session.destroy();
  });
});

/** `FileDescriptorSet`: field 1, repeated. */
function descriptorSet(files: readonly Buffer[]): Buffer {
  return Buffer.concat(files.flatMap((file) => [Buffer.from([0x0a]), varint(file.length), file]));
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 127) | 128);
  }
}
