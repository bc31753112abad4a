import { BenchtopError } from "@benchtop/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { forbiddenUrls, unlistedUrls } from "../test/hostile-urls.ts";
import { capturingServer, httpServer, type TestServer } from "../test/servers.ts";
import { createEgress, type ConsentQuestion, type Egress, type EgressContext, type EgressRecord } from "./egress.ts";

const remote: EgressContext = {
  purpose: "model-call",
  workspaceId: "ws_1",
  providerId: "remote",
  local: false,
  modelId: "large",
  scopeHash: "abc",
  runId: "run_1",
  workbenchId: "wb_1",
};

async function failureOf(attempt: Promise<unknown>): Promise<BenchtopError> {
  const error: unknown = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!BenchtopError.is(error)) throw new Error(`expected a BenchtopError, got ${String(error)}`);
  return error;
}

describe("S8 the gate of a provider elsewhere", () => {
  let capture: Awaited<ReturnType<typeof capturingServer>>;
  let records: EgressRecord[];
  let lookups: string[];
  let questions: ConsentQuestion[];
  let consent: (question: ConsentQuestion) => Promise<boolean> | boolean;
  let addresses: string[];
  let allowedHosts: Map<string, string>;
  let egress: Egress;

  beforeEach(async () => {
    capture = await capturingServer();
    records = [];
    lookups = [];
    questions = [];
    consent = () => true;
    addresses = ["127.0.0.1"];
    allowedHosts = new Map([["remote", "api.example.com"]]);
    egress = createEgress({
      policy: () => ({ allowedHosts }),
      consent: {
        isConsented(question) {
          questions.push(question);
          return consent(question);
        },
      },
      record: (event) => records.push(event),
      resolve: async (hostname) => {
        lookups.push(hostname);
        return addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
      },
    });
  });
  afterEach(async () => {
    await egress.close();
    await capture.close();
  });

  const post = (url: string, context = remote) =>
    egress.fetch(url, { method: "POST", body: "private words", headers: { authorization: "Bearer key" } }, context);

  test("there are enough hostile URLs", () => {
    expect(new Set([...forbiddenUrls, ...unlistedUrls]).size).toBeGreaterThanOrEqual(100);
  });

  /** Everything that a request to this URL caused. */
  async function trace(url: string) {
    const { code, message, info } = await failureOf(post(url));
    expect(JSON.stringify([message, info])).not.toMatch(/private words|Bearer|password@/);
    return { code, provider: info.provider_id, lookups, questions, bytes: capture.received(), records };
  }
  const refusedUnseen = {
    code: "EGRESS_BLOCKED_BY_POLICY",
    provider: "remote",
    lookups: [],
    questions: [],
    bytes: 0,
    records: [expect.objectContaining({ outcome: "blocked", bytesSent: 0, errorCode: "EGRESS_BLOCKED_BY_POLICY" })],
  };

  test.each(unlistedUrls)("%j is refused: nobody asked, nothing looked up, no byte sent", async (template) => {
    expect(await trace(template.replaceAll("PORT", String(capture.port)))).toEqual(refusedUnseen);
    expect(capture.connections()).toBe(0);
  });

  test.each(forbiddenUrls)("%j is refused even if its host were allowed", async (template) => {
    const url = template.replaceAll("PORT", String(capture.port));
    allowedHosts.set("remote", URL.parse(url)?.host ?? "");
    expect(await trace(url)).toEqual(refusedUnseen);
    expect(capture.connections()).toBe(0);
  });

  test.each([
    "127.0.0.1",
    "127.0.0.53",
    "10.1.2.3",
    "192.168.1.1",
    "172.20.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "198.18.0.1",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "fe80::1",
    "fd00::1",
    "ff02::1",
    "64:ff9b::a00:1",
    "2002:a00:1::",
    "2001:db8::1",
    "not an address",
  ])("an allowed name that leads to %s is refused after one lookup, before a connection", async (address) => {
    addresses = [address];
    const error = await failureOf(post("https://api.example.com/v1/responses"));
    expect(error.code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect(error.info.detail).toMatchObject({ host: expect.stringMatching(/^api\.example\.com(:443)?$/), address });
    expect(lookups).toEqual(["api.example.com"]);
    expect(capture.connections()).toBe(0);
    expect(records).toMatchObject([{ outcome: "blocked", host: "api.example.com", bytesSent: 0 }]);
  });

  test("one private address among public ones refuses the name: the next answer could be that one", async () => {
    addresses = ["93.184.216.34", "2606:4700::6812:7c0", "127.0.0.1"];
    expect((await failureOf(post("https://api.example.com/v1"))).code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect(lookups).toEqual(["api.example.com"]);
  });

  test("a name that leads nowhere is a network failure that names the host", async () => {
    addresses = [];
    const error = await failureOf(post("https://api.example.com/v1"));
    expect(error.code).toBe("NETWORK_UNAVAILABLE");
    expect(error.message).toContain("api.example.com");
    expect(records).toMatchObject([{ outcome: "failed", errorCode: "NETWORK_UNAVAILABLE" }]);
  });

  test("the host of one provider is not allowed to another", async () => {
    allowedHosts.set("other", "other.example");
    expect((await failureOf(post("https://other.example/v1"))).code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect((await failureOf(post("https://api.example.com/v1", { ...remote, providerId: "other" }))).code).toBe(
      "EGRESS_BLOCKED_BY_POLICY",
    );
    expect(lookups).toEqual([]);
  });

  test("a port counts as configured or not at all", async () => {
    allowedHosts.set("remote", "api.example.com:8443");
    expect((await failureOf(post("https://api.example.com/v1"))).code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect(lookups).toEqual([]);
    await failureOf(post("https://api.example.com:8443/v1"));
    expect(lookups).toEqual(["api.example.com"]);
  });

  test("removing a provider closes its host at once", async () => {
    allowedHosts.delete("remote");
    expect((await failureOf(post("https://api.example.com/v1"))).code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect(lookups).toEqual([]);
  });

  test("a policy that cannot be read allows nothing", async () => {
    const broken = createEgress({
      policy: () => {
        throw new Error("no policy");
      },
      consent: { isConsented: () => true },
      record: (event) => records.push(event),
    });
    expect((await failureOf(broken.fetch("https://api.example.com/v1", {}, remote))).code).toBe(
      "EGRESS_BLOCKED_BY_POLICY",
    );
    await broken.close();
  });

  test.each(["CONNECT", "TRACE", "OPTIONS", "BREW"])("the method %s is refused", async (method) => {
    const error = await failureOf(egress.fetch("https://api.example.com/", { method }, remote));
    expect(error.code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect(lookups).toEqual([]);
  });

  describe("S7 consent", () => {
    test("is asked for with provider, model, scope, run and workbench, before any lookup", async () => {
      consent = () => {
        expect(lookups).toEqual([]);
        return true;
      };
      await failureOf(post("https://api.example.com/v1"));
      expect(questions).toEqual([
        {
          workspaceId: "ws_1",
          providerId: "remote",
          modelId: "large",
          scopeHash: "abc",
          runId: "run_1",
          workbenchId: "wb_1",
        },
      ]);
      expect(lookups).toEqual(["api.example.com"]);
    });

    test.each<[string, () => unknown]>([
      ["no", () => false],
      ["a promise of no", async () => false],
      ["undefined", () => undefined],
      ["something truthy", () => "yes"],
      ["an object", async () => ({ consented: true })],
      [
        "a throw",
        () => {
          throw new Error("database is gone");
        },
      ],
      ["a rejection", () => Promise.reject(new Error("database is gone"))],
    ])("%s means no: nothing is looked up or sent", async (_name, answer) => {
      consent = answer as () => boolean;
      const error = await failureOf(post("https://api.example.com/v1"));
      expect(error.code).toBe("EGRESS_CONSENT_REQUIRED");
      expect(error.info.actions).toContain("grant_consent");
      expect(error.info).toMatchObject({
        provider_id: "remote",
        model_id: "large",
        run_id: "run_1",
        workbench_id: "wb_1",
      });
      expect({ lookups, connections: capture.connections() }).toEqual({ lookups: [], connections: 0 });
      expect(records).toMatchObject([{ outcome: "blocked", bytesSent: 0, errorCode: "EGRESS_CONSENT_REQUIRED" }]);
    });

    test.each(["modelId", "scopeHash"] as const)("a model call without %s cannot be consented to", async (missing) => {
      const { [missing]: _left, ...context } = remote;
      const error = await failureOf(post("https://api.example.com/v1", context));
      expect(error.code).toBe("EGRESS_CONSENT_REQUIRED");
      expect({ questions, lookups }).toEqual({ questions: [], lookups: [] });
    });

    test.each(["oidc", "telemetry", "webhook"])("%s, which this gate is not for, carries nothing", async (purpose) => {
      const context = { ...remote, purpose: purpose as EgressContext["purpose"] };
      expect((await failureOf(post("https://api.example.com/v1", context))).code).toBe("EGRESS_BLOCKED_BY_POLICY");
      expect({ questions, lookups }).toEqual({ questions: [], lookups: [] });
    });

    test("a call to a server of tools is asked for like a model call", async () => {
      const context: EgressContext = { ...remote, purpose: "mcp" };
      consent = () => false;
      expect((await failureOf(post("https://api.example.com/mcp", context))).code).toBe("EGRESS_CONSENT_REQUIRED");
      expect(lookups).toEqual([]);
      consent = () => true;
      await failureOf(post("https://api.example.com/mcp", context));
      expect(lookups).toEqual(["api.example.com"]);
    });

    test("a context that changes while consent is asked changes nothing", async () => {
      const context = { ...remote };
      consent = () => {
        Object.assign(context, { local: true, providerId: "other" });
        return false;
      };
      expect((await failureOf(post("https://api.example.com/v1", context))).code).toBe("EGRESS_CONSENT_REQUIRED");
    });

    test("W22 a sign-in needs none, goes to the hosts of its identity provider, and carries a short form at most", async () => {
      consent = () => false;
      const hosts: Map<string, string | ReadonlySet<string>> = new Map([
        ["id", new Set(["id.example.com", "keys.example.com"])],
      ]);
      const gate = createEgress({
        policy: () => ({ allowedHosts: hosts }),
        consent: { isConsented: () => false },
        purposes: new Set(["oidc"]),
        record: (event) => records.push(event),
        resolve: async () => [{ address: "127.0.0.1", family: 4 }],
      });
      const context: EgressContext = { purpose: "oidc", workspaceId: "default", providerId: "id", local: false };
      const refused = async (url: string, init: RequestInit): Promise<string> =>
        (await failureOf(gate.fetch(url, init, context))).message;
      // These pass the gate, and end at the check of the address.
      const form = new URLSearchParams({ code: "x" });
      for (const url of ["https://id.example.com/token", "https://keys.example.com/jwks"]) {
        expect(await refused(url, {})).toContain("127.0.0.1");
        expect(await refused(url, { method: "POST", body: form })).toContain("127.0.0.1");
      }
      for (const init of [
        { method: "PUT", body: "x" },
        { method: "POST", body: new Uint8Array(10) },
        { method: "POST", body: "x".repeat(20_000) },
      ]) {
        expect(await refused("https://id.example.com/token", init)).toContain("short form");
      }
      expect(await refused("https://elsewhere.example.com/token", {})).toContain("is not the host");
      expect(records.every(({ outcome, bytesSent }) => outcome !== "sent" && bytesSent === 0)).toBe(true);
      await gate.close();
    });

    test.each(["provider-test", "model-list"] as const)("%s needs none and can carry nothing", async (purpose) => {
      const context = { ...remote, purpose };
      await failureOf(egress.fetch("https://api.example.com/v1/models", {}, context));
      expect({ questions, lookups }).toEqual({ questions: [], lookups: ["api.example.com"] });
      for (const attempt of [
        egress.fetch("https://api.example.com/v1/models", { method: "POST", body: "private words" }, context),
        egress.fetch("https://api.example.com/v1/models", { method: "POST" }, context),
        egress.fetch("https://api.example.com/v1/models?q=private", {}, context),
        egress.fetch("https://api.example.com/v1/models?limit=10&q=private", {}, context),
        egress.fetch("https://api.example.com/v1/models?limit=4711471147114711", {}, context),
      ]) {
        expect((await failureOf(attempt)).code).toBe("EGRESS_BLOCKED_BY_POLICY");
      }
      expect(lookups).toHaveLength(1);
      await failureOf(egress.fetch("https://api.example.com/v1/models?limit=1000", {}, context));
      expect(lookups).toHaveLength(2);
    });
  });
});

describe("S8 the gate of a provider on this machine", () => {
  let server: TestServer;
  let records: EgressRecord[];
  let egress: Egress;
  const requests: { url: string; host: string }[] = [];
  const local: EgressContext = {
    purpose: "model-call",
    workspaceId: "ws_1",
    providerId: "mine",
    local: true,
    modelId: "small",
  };

  beforeEach(async () => {
    requests.length = 0;
    records = [];
    server = await httpServer((request, response) => {
      requests.push({ url: request.url ?? "", host: request.headers.host ?? "" });
      response.end("ok");
    });
    egress = createEgress({
      policy: () => ({ allowedHosts: new Map([["mine", `localhost:${server.port}`]]) }),
      consent: { isConsented: () => Promise.reject(new Error("never asked")) },
      record: (event) => records.push(event),
      resolve: () => Promise.reject(new Error("never looked up")),
    });
  });
  afterEach(async () => {
    await egress.close();
    await server.close();
  });

  test("localhost is reached without a lookup and without consent", async () => {
    const response = await egress.fetch(`http://localhost:${server.port}/v1/models`, {}, local);
    expect(await response.text()).toBe("ok");
    expect(records).toMatchObject([
      { outcome: "sent", host: `localhost:${server.port}`, status: 200, bytesReceived: 2 },
    ]);
  });

  test("another port of this machine is not that provider", async () => {
    for (const url of [
      `http://localhost:${server.port + 1}/`,
      `http://127.0.0.1:${server.port}/`,
      "http://localhost/",
    ]) {
      expect((await failureOf(egress.fetch(url, {}, local))).code).toBe("EGRESS_BLOCKED_BY_POLICY");
    }
    expect(requests).toEqual([]);
  });

  test.each([
    "https://api.example.com/",
    "http://10.0.0.1/",
    "http://[::ffff:127.0.0.1]/",
    "http://0.0.0.0/",
    "http://x.localhost/",
  ])("%s is not loopback, whatever the allowlist says", async (url) => {
    const open = createEgress({
      policy: () => ({ allowedHosts: new Map([["mine", new URL(url).host]]) }),
      consent: { isConsented: () => true },
      record: (event) => records.push(event),
      resolve: () => Promise.reject(new Error("never looked up")),
    });
    expect((await failureOf(open.fetch(url, {}, local))).code).toBe("EGRESS_BLOCKED_BY_POLICY");
    await open.close();
  });

  test("a provider that is not local is never on loopback, whatever the allowlist says", async () => {
    const context = { ...local, local: false, scopeHash: "abc" };
    const url = `http://localhost:${server.port}/`;
    expect((await failureOf(egress.fetch(url, {}, context))).code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect(requests).toEqual([]);
  });

  test("headers that steer the connection are not taken from the caller", async () => {
    const headers = {
      host: "evil.example",
      connection: "close",
      "proxy-authorization": "x",
      te: "trailers",
      expect: "100",
    };
    await (
      await egress.fetch(`http://localhost:${server.port}/`, { method: "POST", body: "x", headers }, local)
    ).text();
    expect(requests).toEqual([{ url: "/", host: `localhost:${server.port}` }]);
  });

  test("a port where nothing listens is named, with the next step", async () => {
    const port = server.port;
    await server.close();
    const error = await failureOf(egress.fetch(`http://localhost:${port}/v1`, {}, local));
    expect(error.code).toBe("NETWORK_UNAVAILABLE");
    expect(error.message).toMatch(new RegExp(`Nothing listens at localhost:${port}.*Start the model server`));
    server = await httpServer(() => {});
  });

  test("bind gives a fetch for one context, and takes Request objects too", async () => {
    const fetch = egress.bind({ ...local, runId: "run_9" });
    const url = `http://localhost:${server.port}/v1/x?y=1`;
    await (await fetch(url, { method: "POST", body: "12345" })).text();
    await (await fetch(new Request(url, { method: "POST", body: "123" }))).text();
    expect(requests.map((request) => request.url)).toEqual(["/v1/x?y=1", "/v1/x?y=1"]);
    expect(records.map(({ runId, bytesSent }) => ({ runId, bytesSent }))).toEqual([
      { runId: "run_9", bytesSent: 5 },
      { runId: "run_9", bytesSent: 3 },
    ]);
    expect(JSON.stringify(records)).not.toContain("y=1");
  });

  test("after close nothing goes out", async () => {
    await egress.close();
    expect((await failureOf(egress.fetch(`http://localhost:${server.port}/`, {}, local))).code).toBe("USER_CANCELED");
    expect(requests).toEqual([]);
  });
});
