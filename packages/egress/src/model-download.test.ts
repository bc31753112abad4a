import type { RequestListener } from "node:http";
import { BenchtopError } from "@benchtop/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { httpServer } from "../test/servers.ts";
import { createEgress, type EgressContext, type EgressOptions, type EgressRecord } from "./egress.ts";

const local: EgressContext = {
  purpose: "model-download",
  workspaceId: "default",
  providerId: "hub",
  local: true,
  modelId: "small",
};
const remote: EgressContext = { ...local, local: false };
const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function serve(listener: RequestListener, options: Partial<EgressOptions> = {}) {
  const server = await httpServer(listener);
  const records: EgressRecord[] = [];
  const host = `127.0.0.1:${server.port}`;
  const egress = createEgress({
    policy: () => ({
      allowedHosts: new Map([["hub", { has: (asked: string) => asked === host || asked === "cdn.hub.example" }]]),
    }),
    consent: { isConsented: () => false },
    purposes: new Set(["model-download"]),
    record: (event) => records.push(event),
    resolve: async () => [{ address: "127.0.0.1", family: 4 }],
    limits: { responseBytes: 100 },
    ...options,
  });
  cleanUps.push(
    () => server.close(),
    () => egress.close(),
  );
  return { server, egress, records, base: `http://${host}` };
}

async function failureOf(attempt: Promise<unknown>): Promise<BenchtopError> {
  const error: unknown = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!BenchtopError.is(error)) throw new Error(`expected a BenchtopError, got ${String(error)}`);
  return error;
}

describe("P2.1 S8 a download of a model", () => {
  test("needs no consent, and can carry nothing away", async () => {
    const { egress, base, records, server } = await serve((_request, response) => response.end("model"));
    for (const init of [{ method: "POST" }, { method: "POST", body: "private words" }, { method: "HEAD" }]) {
      const { code } = await failureOf(egress.fetch(`${base}/m.gguf`, init, local));
      expect(code).toBe("EGRESS_BLOCKED_BY_POLICY");
    }
    expect(server.connections()).toBe(0);
    const answer = await egress.fetch(`${base}/m.gguf?signature=1`, {}, local);
    expect(await answer.text()).toBe("model");
    expect(records.at(-1)).toMatchObject({ purpose: "model-download", outcome: "sent", status: 200, bytesReceived: 5 });
  });

  test("is no business of a gate that is for something else", async () => {
    const { egress, base, server } = await serve((_request, response) => response.end(), {
      purposes: new Set(["model-call"]),
    });
    expect((await failureOf(egress.fetch(base, {}, local))).code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect(server.connections()).toBe(0);
  });

  test("is shown a redirect, which nobody has followed", async () => {
    const elsewhere = await serve((_request, response) => response.end("never"));
    const { egress, base } = await serve((_request, response) =>
      response.writeHead(302, { location: `${elsewhere.base}/signed` }).end("Found"),
    );
    const answer = await egress.fetch(`${base}/m.gguf`, {}, local);
    expect([answer.status, answer.headers.get("location")]).toEqual([302, `${elsewhere.base}/signed`]);
    await answer.body?.cancel();
    expect(elsewhere.server.connections()).toBe(0);
    // Whoever follows it by hand meets the same allow-list.
    const { code, message } = await failureOf(egress.fetch(`${elsewhere.base}/signed`, {}, local));
    expect(code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect(message).toContain("is no host that models of “hub” come from");
  });

  test("goes elsewhere by https to the hosts of its source alone, and to no private address", async () => {
    const { egress, server } = await serve((_request, response) => response.end());
    const refused = async (url: string) => (await failureOf(egress.fetch(url, {}, remote))).message;
    expect(await refused("http://cdn.hub.example/m")).toContain("https");
    expect(await refused("https://cdn.hub.example.evil.example/m")).toContain("is no host");
    expect(await refused("https://cdn.hub.example/m")).toContain("leads to 127.0.0.1");
    expect(server.connections()).toBe(0);
  });

  test("has a limit of its own, which no other purpose can set", async () => {
    const { egress, base } = await serve((_request, response) => response.end("x".repeat(200)), {
      purposes: new Set(["model-download", "model-list"]),
    });
    const read = async (context: EgressContext) => (await egress.fetch(base, {}, context)).text();
    await expect(read(local)).rejects.toMatchObject({ code: "PROVIDER_UNAVAILABLE" });
    expect(await read({ ...local, maxResponseBytes: 200 })).toHaveLength(200);
    await expect(read({ ...local, maxResponseBytes: 199 })).rejects.toMatchObject({ code: "PROVIDER_UNAVAILABLE" });
    const list: EgressContext = { ...local, purpose: "model-list", maxResponseBytes: 200 };
    await expect(read(list)).rejects.toMatchObject({ code: "PROVIDER_UNAVAILABLE" });
  });
});
