import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import type { EgressRecord } from "@benchtop/egress";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startCollector, type Collector } from "../../../harness/test/collector.ts";
import { collectorGate } from "./collector-gate.ts";

let collector: Collector;
let records: EgressRecord[];
let lookups: string[];
beforeEach(async () => {
  collector = await startCollector();
  records = [];
  lookups = [];
});
afterEach(() => collector.close());

function gateTo(url: string, isApproved = false) {
  return collectorGate(url, {
    record: (event) => records.push(event),
    isApproved: () => isApproved,
    resolve: async (hostname) => {
      lookups.push(hostname);
      return [];
    },
  });
}

const spans = { method: "POST", headers: { authorization: "Bearer planted" }, body: "planted spans" };

describe("S8 the gate of telemetry", () => {
  test("reaches the operator's collector on this machine, and says so without content", async () => {
    const { fetch, close } = gateTo(collector.url);
    collector.answers.push((response) => response.end("{}"));
    expect(await (await fetch(collector.url, spans)).text()).toBe("{}");
    await expect
      .poll(() => records)
      .toMatchObject([
        {
          purpose: "telemetry",
          outcome: "sent",
          workspaceId: "default",
          providerId: "otlp",
          bytesSent: 13,
          status: 200,
        },
      ]);
    expect(JSON.stringify(records)).not.toContain("planted");
    await close();
  });

  test.each([
    ["another port of this machine", (url: URL) => `http://127.0.0.1:${Number(url.port) + 1}/v1/traces`],
    ["another name of this machine", (url: URL) => `http://localhost:${url.port}/v1/traces`],
    ["another host", () => "https://collector.example/v1/traces"],
    ["a host of the local network", () => "http://192.168.7.20:4318/v1/traces"],
  ])("reaches nothing else: %s", async (_name, other) => {
    const { fetch, close } = gateTo(collector.url, true);
    await expect(fetch(other(new URL(collector.url)), spans)).rejects.toMatchObject({
      code: "EGRESS_BLOCKED_BY_POLICY",
    });
    expect(lookups).toEqual([]);
    await close();
  });

  test("elsewhere it is https alone, unless its host of the local network was approved", async () => {
    for (const [url, isApproved, code] of [
      ["http://collector.example:4318/v1/traces", false, "EGRESS_BLOCKED_BY_POLICY"],
      ["https://192.168.7.20:4318/v1/traces", false, "EGRESS_BLOCKED_BY_POLICY"],
      ["http://169.254.169.254/v1/traces", true, "EGRESS_BLOCKED_BY_POLICY"],
      ["http://collector.lan:4318/v1/traces", true, "NETWORK_UNAVAILABLE"],
      ["https://collector.example/v1/traces", false, "NETWORK_UNAVAILABLE"],
    ] as const) {
      const { fetch, close } = gateTo(url, isApproved);
      await expect(fetch(url, spans)).rejects.toMatchObject({ code });
      await close();
    }
    expect(lookups).toEqual(["collector.lan", "collector.example"]);
  });

  test("carries spans by POST, and follows no redirect", async () => {
    const { fetch, close } = gateTo(collector.url);
    await expect(fetch(collector.url)).rejects.toMatchObject({ code: "EGRESS_BLOCKED_BY_POLICY" });
    await close();

    const elsewhere = createTcpServer().listen(0, "127.0.0.1");
    let connections = 0;
    elsewhere.on("connection", () => connections++);
    await once(elsewhere, "listening");
    const target = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`;
    const redirecting = createTcpServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.once("data", () => socket.end(`HTTP/1.1 307 Moved\r\nlocation: ${target}\r\ncontent-length: 0\r\n\r\n`));
    }).listen(0, "127.0.0.1");
    await once(redirecting, "listening");
    const url = `http://127.0.0.1:${(redirecting.address() as AddressInfo).port}/v1/traces`;
    const moved = gateTo(url);
    await expect(moved.fetch(url, spans)).rejects.toMatchObject({ code: "EGRESS_BLOCKED_BY_POLICY" });
    expect(connections).toBe(0);
    await moved.close();
    elsewhere.close();
    redirecting.close();
  });
});
