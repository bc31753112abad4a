import { createEgress, type Egress, type EgressContext, type EgressRecord } from "@benchtop/egress";
import { mcpTools } from "@benchtop/harness/mcp";
import { BenchtopError } from "@benchtop/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startHttpWorkshop, type HttpWorkshop } from "../../harness/test/mcp/http-server.ts";

let server: HttpWorkshop;
let egress: Egress;
let records: EgressRecord[];
let lookups: string[];
let allowedHosts: Map<string, string>;
let consented: boolean;

beforeEach(async () => {
  server = await startHttpWorkshop("planted notes");
  records = [];
  lookups = [];
  consented = false;
  allowedHosts = new Map([
    ["tools", new URL(server.url).host],
    ["far", "tools.example"],
  ]);
  egress = createEgress({
    policy: () => ({ allowedHosts }),
    consent: { isConsented: () => consented },
    record: (event) => records.push(event),
    resolve: async (hostname) => {
      lookups.push(hostname);
      return [];
    },
  });
});
afterEach(async () => {
  await egress.close();
  await server.close();
});

const here: EgressContext = { purpose: "mcp", workspaceId: "ws_1", providerId: "tools", local: true };
const far: EgressContext = { ...here, providerId: "far", local: false, modelId: "mcp", scopeHash: "abc" };

/** What the connection or its refusal came to. */
async function toolsAt(url: string, context: EgressContext): Promise<string[] | string> {
  try {
    const source = await mcpTools({ name: "tools", transport: { kind: "http", url, fetch: egress.bind(context) } });
    try {
      return source.tools.map(({ name }) => name);
    } finally {
      await source.close();
    }
  } catch (error) {
    return BenchtopError.is(error) ? error.code : String(error);
  }
}

describe("S8 a server of tools behind the gate", () => {
  test("on this machine is used like any, and every request to it is recorded", async () => {
    expect((await toolsAt(server.url, here)).length).toBeGreaterThan(0);
    await expect.poll(() => records.length).toBe(server.requests.length);
    expect(new Set(records.map(({ purpose, providerId }) => `${purpose} ${providerId}`))).toEqual(
      new Set(["mcp tools"]),
    );
    expect(JSON.stringify(records)).not.toContain("planted");
  });

  test("S7 elsewhere it is shown nothing without consent, and looked up only with it", async () => {
    expect(await toolsAt("https://tools.example/mcp", far)).toBe("EGRESS_CONSENT_REQUIRED");
    expect(lookups).toEqual([]);
    consented = true;
    await toolsAt("https://tools.example/mcp", far);
    expect(new Set(lookups)).toEqual(new Set(["tools.example"]));
  });

  test("leads nowhere else", async () => {
    consented = true;
    for (const url of [
      "http://tools.example/mcp",
      "https://other.example/mcp",
      "http://192.168.7.20/mcp",
      server.url,
    ]) {
      expect([url, await toolsAt(url, far)]).toEqual([url, "EGRESS_BLOCKED_BY_POLICY"]);
    }
    expect(lookups).toEqual([]);
    expect(server.requests).toEqual([]);
  });
});
