import { operations, type Operation } from "@benchtop/operations";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorOf, startTestDaemon, unlimited, type TestDaemon } from "../../test/test-daemon.ts";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startTestDaemon({ config: { rateLimits: unlimited } });
});
afterAll(() => daemon[Symbol.asyncDispose]());

const all = Object.values(operations) as Operation[];
const pathOf = (operation: Operation) => operation.path.replaceAll(/\{\w+\}/g, "x");

describe("P1.4 every operation but the public ones needs an identity", () => {
  const proofs: Record<string, Record<string, string>> = {
    "no token": {},
    "a wrong token": { authorization: `Bearer ${"A".repeat(43)}` },
    "another scheme": { authorization: "Basic b3duZXI6eA==" },
    "an empty token": { authorization: "Bearer " },
    "a wrong cookie": { cookie: `benchtop_session=${"A".repeat(43)}` },
  };
  for (const operation of all.filter(({ permission }) => permission !== "public")) {
    test(`${operation.id} is refused with ${Object.keys(proofs).join(", ")}`, async () => {
      for (const headers of Object.values(proofs)) {
        const { method } = operation;
        const origin = { origin: daemon.url };
        const response = await daemon.fetch(pathOf(operation), {
          method,
          headers: { ...origin, ...headers },
          token: null,
        });
        expect(response.status).toBe(401);
        expect(response.headers.get("www-authenticate")).toBe("Bearer");
        expect(await errorOf(response)).toMatchObject({ error_code: "AUTH_REQUIRED", retryable: false });
      }
    });
  }
});

test("every permission that an operation names is held by the owner", async () => {
  const { permissions } = (await (await daemon.fetch("/api/v1/whoami")).json()) as { permissions: string[] };
  const named = new Set(all.map(({ permission }) => permission));
  expect(new Set(["public", ...permissions])).toEqual(named);
});

test("a right token beside a wrong one does not help", async () => {
  const { status } = await daemon.raw("/api/v1/whoami", {
    headers: { host: `127.0.0.1:${daemon.port}`, authorization: `Bearer wrong, Bearer ${daemon.token}` },
  });
  expect(status).toBe(401);
});

test("the public operations say that the daemon lives and nothing else", async () => {
  for (const { path } of all.filter(({ permission, method }) => permission === "public" && method === "GET")) {
    const response = await daemon.fetch(path, { token: null });
    expect(response.status).toBe(200);
    expect(await response.text()).not.toContain(daemon.home);
  }
});
