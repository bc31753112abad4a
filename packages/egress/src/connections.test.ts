import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";
import { BenchtopError } from "@benchtop/protocol";
import { Agent } from "undici";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { makeAuthority, type TestAuthority } from "../test/certificates.ts";
import { connectProxy, httpServer, httpsServer } from "../test/servers.ts";
import { isLoopbackAddress } from "./addresses.ts";
import { checkedLookup, type ConnectionOptions, type ResolvedAddress } from "./connections.ts";
import { createEgress, type EgressContext, type EgressRecord } from "./egress.ts";

const remote: EgressContext = {
  purpose: "model-call",
  workspaceId: "ws_1",
  providerId: "remote",
  local: false,
  modelId: "m",
  scopeHash: "s",
};
let authority: TestAuthority;
beforeAll(() => {
  authority = makeAuthority();
});
const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

function gate(allowedHost: string, options: ConnectionOptions = {}) {
  const records: EgressRecord[] = [];
  const egress = createEgress({
    policy: () => ({
      allowedHosts: new Map([
        ["remote", allowedHost],
        ["mine", allowedHost],
      ]),
    }),
    consent: { isConsented: () => true },
    record: (event) => records.push(event),
    ...options,
  });
  cleanUps.push(() => egress.close());
  return { egress, records };
}

async function failureOf(attempt: Promise<unknown>): Promise<BenchtopError> {
  const error: unknown = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!BenchtopError.is(error)) throw new Error(`expected a BenchtopError, got ${String(error)}`);
  return error;
}

/** An HTTPS server for `names`, and what it was asked. */
async function secureServer(...names: string[]) {
  const requests: string[] = [];
  const server = await httpsServer(authority.issue(...names), (request, response) => {
    requests.push(`${request.headers.host} ${request.method} ${request.url}`);
    if (request.url === "/moved") response.writeHead(302, { location: "https://evil.example/" }).end();
    else response.end("hello");
  });
  cleanUps.push(() => server.close());
  return { ...server, requests };
}

async function connectTo(hostname: string, addresses: ResolvedAddress[]) {
  const server = await secureServer("api.example.com");
  const lookups: string[] = [];
  const agent = new Agent({
    connect: {
      ca: authority.ca,
      lookup: checkedLookup(
        async (name) => {
          lookups.push(name);
          return addresses;
        },
        isLoopbackAddress,
        "an address of this machine",
      ),
    },
  });
  cleanUps.push(() => agent.destroy());
  const answer = agent.request({ origin: `https://${hostname}:${server.port}`, path: "/", method: "GET" });
  return { answer, server, lookups };
}

const ownNetwork = (command: string) => [
  "-rn",
  "sh",
  "-c",
  `ip link set lo up && ip addr add 93.184.216.34/32 dev lo && ${command}`,
];

async function proxied(
  options: ConnectionOptions = {},
  name = "api.example.com",
  behaviour: Parameters<typeof connectProxy>[1] = {},
) {
  const server = await secureServer(name);
  const proxy = await connectProxy(server.port, behaviour);
  cleanUps.push(() => proxy.close());
  const made = gate("api.example.com", {
    ca: authority.ca,
    proxy: `http://user:pass%20word@127.0.0.1:${proxy.port}`,
    resolve: () => Promise.reject(new Error("the proxy resolves")),
    ...options,
  });
  const post = (url = "https://api.example.com/v1", signal: AbortSignal | null = null) =>
    made.egress.fetch(url, { method: "POST", body: "12345", signal }, remote);
  return { server, proxy, post, ...made };
}

describe("the lookup of a connection", () => {
  test("leads to the checked address, and the certificate is that of the name", async () => {
    const { answer, server, lookups } = await connectTo("api.example.com", [{ address: "127.0.0.1", family: 4 }]);
    expect(await (await answer).body.text()).toBe("hello");
    expect(lookups).toEqual(["api.example.com"]);
    expect(server.requests).toEqual([`api.example.com:${server.port} GET /`]);
  });

  test("tries the next checked address when one does not answer", async () => {
    const { answer } = await connectTo("api.example.com", [
      { address: "::1", family: 6 },
      { address: "127.0.0.1", family: 4 },
    ]);
    expect(await (await answer).body.text()).toBe("hello");
  });

  test("a certificate of another name is refused, whatever the address", async () => {
    const { answer, server } = await connectTo("other.example.com", [{ address: "127.0.0.1", family: 4 }]);
    await expect(answer).rejects.toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
    expect(server.requests).toEqual([]);
  });

  test("one refused address refuses the connection", async () => {
    const { answer, server } = await connectTo("api.example.com", [
      { address: "127.0.0.1", family: 4 },
      { address: "10.0.0.1", family: 4 },
    ]);
    await expect(answer).rejects.toMatchObject({ code: "EGRESS_BLOCKED_BY_POLICY" });
    expect(server.connections()).toBe(0);
  });
});

describe("S8 directly to a provider elsewhere", () => {
  const possible = process.platform === "linux" && spawnSync("unshare", ownNetwork("true")).status === 0;

  test.skipIf(!possible)(
    "[needs a network namespace] the checked address, the right name and a trusted certificate, or nothing",
    async () => {
      const setting = {
        ca: authority.ca,
        address: "93.184.216.34",
        identities: [authority.issue("api.example.com"), authority.issue("other.example.com")],
      };
      const script = join(import.meta.dirname, "../test/in-own-network.ts");
      const { stdout } = await promisify(execFile)("unshare", [
        ...ownNetwork(`exec "$0" "$@"`),
        process.execPath,
        script,
        JSON.stringify(setting),
      ]);
      expect(JSON.parse(stdout)).toEqual({
        outcomes: {
          direct: "hello",
          kept: "hello",
          rebound: "EGRESS_BLOCKED_BY_POLICY",
          misnamed: "ERR_TLS_CERT_ALTNAME_INVALID",
          untrusted: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        },
        received: ["93.184.216.34:443 api.example.com /v1", "93.184.216.34:443 api.example.com /v2"],
        lookups: Array(4).fill("api.example.com"),
      });
    },
  );
});

describe("S8 through a configured proxy", () => {
  test("the tunnel goes to the allowed name, TLS to the provider itself", async () => {
    const { post, proxy, server, records } = await proxied();
    expect(await (await post()).text()).toBe("hello");
    await setImmediate(); // The connection goes back to the pool in the turn after the answer's end.
    expect(await (await post("https://api.example.com/v2")).text()).toBe("hello");
    expect(proxy.asked).toEqual(["api.example.com:443"]);
    expect(proxy.headers).toEqual([`Basic ${btoa("user:pass word")}`]);
    expect(server.requests).toEqual(["api.example.com POST /v1", "api.example.com POST /v2"]);
    expect(records[0]).toMatchObject({ outcome: "sent", host: "api.example.com", bytesSent: 5, bytesReceived: 5 });
  });

  test("a proxy that answers in the provider's place is not believed", async () => {
    const { post, server } = await proxied({}, "proxy.example");
    const error = await failureOf(post());
    expect(error.code).toBe("NETWORK_UNAVAILABLE");
    expect(error.message).toContain("certificate of api.example.com");
    expect(server.requests).toEqual([]);
  });

  test("an authority that was not configured is not trusted, and the message says what to do", async () => {
    const { post, server } = await proxied({ ca: [] });
    const error = await failureOf(post());
    expect(error.code).toBe("NETWORK_UNAVAILABLE");
    expect(error.message).toMatch(/cannot be trusted.*BENCHTOP_CA_FILE/);
    expect(server.requests).toEqual([]);
  });

  test("a proxy that refuses is named as such, without its password", async () => {
    const { post } = await proxied({}, "api.example.com", { status: 403 });
    const error = await failureOf(post());
    expect(error.code).toBe("NETWORK_UNAVAILABLE");
    expect(error.message).toContain("proxy did not open a connection to api.example.com");
    expect(JSON.stringify([error.message, error.info])).not.toContain("pass");
  });

  test("an abort while the connection is being made means that the request is never written", async () => {
    const ready = Promise.withResolvers<void>();
    const { post, server, proxy, records } = await proxied({}, "api.example.com", { ready: ready.promise });
    const controller = new AbortController();
    const aborted = post("https://api.example.com/aborted", controller.signal);
    await expect.poll(() => proxy.asked).toEqual(["api.example.com:443"]);
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ name: "AbortError" });
    ready.resolve();
    await (await post("https://api.example.com/next")).text();
    expect(server.requests).toEqual(["api.example.com POST /next"]);
    expect(records).toMatchObject([
      { outcome: "failed", errorCode: "USER_CANCELED", bytesSent: 0 },
      { outcome: "sent" },
    ]);
  });

  test("a redirect is refused here too", async () => {
    const { post, proxy } = await proxied();
    expect((await failureOf(post("https://api.example.com/moved"))).code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect(proxy.asked).toEqual(["api.example.com:443"]);
  });

  test("other hosts are refused before the proxy hears of them", async () => {
    const { post, proxy } = await proxied();
    expect((await failureOf(post("https://evil.example/"))).code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect(proxy.connections()).toBe(0);
  });

  test("loopback never goes through it", async () => {
    const server = await httpServer((_request, response) => response.end("mine"));
    cleanUps.push(() => server.close());
    const { egress } = gate(`localhost:${server.port}`, { proxy: "http://127.0.0.1:9" });
    const context: EgressContext = { purpose: "model-call", workspaceId: "ws_1", providerId: "mine", local: true };
    expect(await (await egress.fetch(`http://localhost:${server.port}/`, {}, context)).text()).toBe("mine");
  });
});

describe("certificates on loopback", () => {
  const local: EgressContext = { purpose: "model-call", workspaceId: "ws_1", providerId: "mine", local: true };

  test("are verified: trusted through the configured authority only", async () => {
    const server = await secureServer("localhost");
    const url = `https://localhost:${server.port}/`;
    const trusting = gate(`localhost:${server.port}`, { ca: authority.ca });
    expect(await (await trusting.egress.fetch(url, {}, local)).text()).toBe("hello");
    const wary = gate(`localhost:${server.port}`);
    expect((await failureOf(wary.egress.fetch(url, {}, local))).code).toBe("NETWORK_UNAVAILABLE");
  });

  test("a server that does not speak TLS is said to be one", async () => {
    const server = await httpServer((_request, response) => response.end());
    cleanUps.push(() => server.close());
    const { egress } = gate(`localhost:${server.port}`);
    const error = await failureOf(egress.fetch(`https://localhost:${server.port}/`, {}, local));
    expect(error.message).toContain("does not speak HTTPS");
  });
});

test("nothing of the environment loosens the gate: no proxy, no authority, no switched-off verification", async () => {
  const server = await secureServer("localhost");
  const proxy = await connectProxy(server.port);
  cleanUps.push(() => proxy.close());
  const folder = await makeCaFile();
  const script = `
    import { createEgress } from ${JSON.stringify(join(import.meta.dirname, "index.ts"))};
    const outcomes = [];
    const egress = createEgress({
      policy: () => ({ allowedHosts: new Map([["mine", "localhost:${server.port}"], ["remote", "api.example.com"]]) }),
      consent: { isConsented: () => true },
      record: (event) => outcomes.push(event.errorCode),
      resolve: async () => [],
    });
    const local = { purpose: "model-call", workspaceId: "ws_1", providerId: "mine", local: true };
    const remote = { purpose: "model-call", workspaceId: "ws_1", providerId: "remote", local: false, modelId: "m", scopeHash: "s" };
    await egress.fetch("https://localhost:${server.port}/", {}, local).catch((error) => outcomes.push(error.info.detail.reason));
    await egress.fetch("https://api.example.com/", {}, remote).catch((error) => outcomes.push(error.info.detail.reason));
    console.log(JSON.stringify(outcomes));
    process.exit(0);`;
  const proxyUrl = `http://127.0.0.1:${proxy.port}`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
    env: {
      PATH: process.env["PATH"],
      NODE_TLS_REJECT_UNAUTHORIZED: "0",
      NODE_EXTRA_CA_CERTS: folder,
      NODE_USE_ENV_PROXY: "1",
      HTTPS_PROXY: proxyUrl,
      https_proxy: proxyUrl,
      HTTP_PROXY: proxyUrl,
      http_proxy: proxyUrl,
      ALL_PROXY: proxyUrl,
    },
  });
  expect(JSON.parse(stdout)).toEqual([
    "NETWORK_UNAVAILABLE",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "NETWORK_UNAVAILABLE",
    "ENOTFOUND",
  ]);
  expect(server.requests).toEqual([]);
  expect(proxy.connections()).toBe(0);
});

async function makeCaFile(): Promise<string> {
  const { mkdtemp, rm, writeFile } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const folder = await mkdtemp(join(tmpdir(), "benchtop-ca-"));
  cleanUps.push(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "ca.pem"), authority.ca);
  return join(folder, "ca.pem");
}
