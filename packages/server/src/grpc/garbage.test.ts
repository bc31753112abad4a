import { connect, type ClientHttp2Session } from "node:http2";
import { operations, type Operation } from "@benchtop/operations";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestDaemon, type TestDaemon } from "../../test/test-daemon.ts";
import { pascalCase } from "./message.ts";

/** Bytes that are no message, from somebody who is known, to every method. */
let daemon: TestDaemon;
let session: ClientHttp2Session;
beforeAll(async () => {
  daemon = await startTestDaemon({ limits: { jsonTimeoutMs: 2000 } });
  session = connect(daemon.url);
});
afterAll(async () => {
  session.destroy();
  await daemon[Symbol.asyncDispose]();
});

const methods = (Object.values(operations) as Operation[])
  // What would act on this machine if the bytes happened to mean something.
  .filter(({ permission }) => permission !== "host:files")
  .map(({ id, rpc }) => `/benchtop.v1.${pascalCase(id.slice(0, id.indexOf(".")))}Service/${rpc}`);

const contentTypes = ["application/grpc", "application/grpc+json", "application/grpc-web", "application/connect+proto"];

/** Wild bytes, and bytes that look like fields of protobuf, with and without an envelope that is right. */
const bytes = fc
  .tuple(
    fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc
        .array(fc.tuple(fc.integer({ min: 0, max: 127 }), fc.uint8Array({ maxLength: 10 })), { maxLength: 6 })
        .map((fields) => Uint8Array.from(fields.flatMap(([tag, value]) => [tag, value.length, ...value]))),
      fc.constantFrom(...["{}", "[]", "null", '{"runId":1}', "\u0000"].map((text) => new TextEncoder().encode(text))),
    ),
    fc.constantFrom("right", "none", "long", "compressed"),
  )
  .map(([message, envelope]) => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length + (envelope === "long" ? 1000 : 0), 1);
    head[0] = envelope === "compressed" ? 1 : 0;
    return envelope === "none" ? Buffer.from(message) : Buffer.concat([head, message]);
  });

interface Ended {
  readonly http: number;
  readonly grpc: string | undefined;
}

function send(path: string, contentType: string, body: Buffer): Promise<Ended> {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": contentType,
    authorization: `Bearer ${daemon.token}`,
    te: "trailers",
  });
  const { promise, resolve, reject } = Promise.withResolvers<Ended>();
  let ended: Ended = { http: 0, grpc: undefined };
  const note = (headers: Record<string, unknown>): void => {
    const status = headers["grpc-status"];
    ended = {
      http: typeof headers[":status"] === "number" ? headers[":status"] : ended.http,
      grpc: typeof status === "string" ? status : ended.grpc,
    };
  };
  stream.on("response", note).on("trailers", note).on("error", reject);
  stream.on("close", () => resolve(ended)).resume();
  stream.end(body);
  return promise;
}

test("P1.4 bytes that are no message are the caller's mistake, on every method and in every protocol", async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...methods),
      fc.constantFrom(...contentTypes, "application/proto", "application/json"),
      bytes,
      async (path, contentType, body) => {
        const { http, grpc } = await send(path, contentType, body);
        seen.add(`${http} ${grpc ?? ""}`);
        // 501 says that compression is not supported; 2 and 13 would be faults of ours.
        expect({ path, contentType, ok: http < 500 || http === 501 }).toEqual({ path, contentType, ok: true });
        expect({ path, contentType, grpc, ok: grpc !== "2" && grpc !== "13" }).toMatchObject({ ok: true });
      },
    ),
    { numRuns: 1000 },
  );
  expect(seen.size).toBeGreaterThan(3);
  expect((await daemon.fetch("/api/v1/whoami")).status).toBe(200);
});
