import { afterEach, beforeEach, expect, test } from "vitest";
import { errorOf, json, startTestDaemon, type TestDaemon } from "../../test/test-daemon.ts";

let daemon: TestDaemon;
beforeEach(async () => {
  daemon = await startTestDaemon();
});
afterEach(() => daemon[Symbol.asyncDispose]());

const remove = (key: string) =>
  daemon.fetch("/api/v1/providers/none", { method: "DELETE", headers: { "idempotency-key": key } });
const create = (name: string, key: string) =>
  daemon.fetch("/api/v1/workbenches", json({ name }, { "idempotency-key": key }));

test("the same request with the same key is executed once and answered twice", async () => {
  const first = await create("budget", "key-1");
  expect(first.status).toBe(201);
  expect(first.headers.get("idempotency-replayed")).toBeNull();
  const second = await create("budget", "key-1");
  expect(second.status).toBe(201);
  expect(second.headers.get("idempotency-replayed")).toBe("true");
  expect(await second.json()).toEqual(await first.json());
});

test("a key that was used for another request is refused", async () => {
  await create("budget", "key-1");
  const other = await create("another", "key-1");
  expect(other.status).toBe(409);
  expect(await errorOf(other)).toMatchObject({ error_code: "IDEMPOTENCY_CONFLICT", retryable: false });
  const operation = await daemon.fetch("/api/v1/sign-in/links", json({}, { "idempotency-key": "key-1" }));
  expect(operation.status).toBe(409);
});

test("of requests that come at once with one key, one is executed and the others are told to wait or get its answer", async () => {
  const answers = await Promise.all(Array.from({ length: 8 }, () => create("budget", "key-1")));
  const bodies = await Promise.all(answers.map((answer) => answer.json() as Promise<Record<string, unknown>>));
  const ids = new Set(bodies.flatMap((body) => (typeof body["workbenchId"] === "string" ? [body["workbenchId"]] : [])));
  expect(ids.size).toBe(1);
  for (const body of bodies.filter((each) => "error" in each)) {
    expect(body["error"]).toMatchObject({ error_code: "IDEMPOTENCY_CONFLICT", retryable: true });
  }
});

test("a failure that a repetition cannot change is kept as well", async () => {
  expect((await remove("key-1")).status).toBe(404);
  const again = await remove("key-1");
  expect(again.status).toBe(404);
  expect(again.headers.get("idempotency-replayed")).toBe("true");
});

test("what the daemon was doing when it was stopped is not done again under the same key", async () => {
  await create("budget", "key-1");
  const { DatabaseSync } = await import("node:sqlite");
  using database = new DatabaseSync(`${daemon.home}/ops.db`);
  database.exec(
    "UPDATE idempotency_keys SET status = NULL, response = NULL, created_at = '2026-01-01T00:00:00.000Z' WHERE key = 'key-1'",
  );
  const answer = await create("budget", "key-1");
  expect(answer.status).toBe(409);
  expect(await errorOf(answer)).toMatchObject({
    message: expect.stringContaining("The daemon stopped") as unknown,
    retryable: false,
  });
});

test("a key is forgotten after a day", async () => {
  const { DatabaseSync } = await import("node:sqlite");
  using database = new DatabaseSync(`${daemon.home}/ops.db`);
  const old = new Date(Date.now() - 25 * 60 * 60_000).toISOString();
  database
    .prepare("INSERT INTO idempotency_keys VALUES ('owner', 'key-1', 'workbenches.create', 'another', 200, '{}', ?)")
    .run(old);
  expect((await create("budget", "key-1")).status).toBe(201);
});

test("a key of another shape is refused", async () => {
  const response = await create("budget", "x".repeat(201));
  expect(response.status).toBe(400);
});
