import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { BenchtopError } from "@benchtop/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeAuthority } from "../test/certificates.ts";
import { approvedHosts, forbiddenUrls, unapprovableHosts, unapprovedUrls, unlistedUrls } from "../test/hostile-urls.ts";
import { capturingServer } from "../test/servers.ts";
import { isPrivateNetworkAddress } from "./addresses.ts";
import { createEgress, type Egress, type EgressContext, type EgressPurpose, type EgressRecord } from "./egress.ts";
import { approvableHost, approvedHost } from "./local-network.ts";

async function failureOf(attempt: Promise<unknown>): Promise<BenchtopError> {
  const error: unknown = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!BenchtopError.is(error)) throw new Error(`expected a BenchtopError, got ${String(error)}`);
  return error;
}

function approving(text: string): string {
  try {
    return approvedHost(text);
  } catch (error) {
    return BenchtopError.is(error) ? error.code : String(error);
  }
}

describe("S8 what an operator may approve", () => {
  test.each([
    ["192.168.1.20:11434", "192.168.1.20:11434"],
    [" 10.0.0.7:80 ", "10.0.0.7:80"],
    ["172.31.255.254:443", "172.31.255.254:443"],
    ["[fd12:3456::20]:11434", "[fd12:3456::20]:11434"],
    ["[FC00::1]:65535", "[fc00::1]:65535"],
    ["NAS.local:8443", "nas.local:8443"],
    ["nas:8080", "nas:8080"],
    ["gpu_1.lab.example:1", "gpu_1.lab.example:1"],
  ])("%s", (given, host) => {
    expect(approving(given)).toBe(host);
  });

  test.each(unapprovableHosts)("%s never", (host) => {
    expect(approving(host)).toBe("EGRESS_BLOCKED_BY_POLICY");
    for (const scheme of ["http", "https"]) {
      const url = URL.parse(`${scheme}://${host}/`);
      expect(url && approvableHost(url)).toBeUndefined();
    }
  });

  test.each([
    ["0xc0a80114:80", "192.168.1.20:80"],
    ["3232235796:80", "192.168.1.20:80"],
    ["192.168.276:80", "192.168.1.20:80"],
    ["0300.0250.1.024:80", "192.168.1.20:80"],
    ["192.168.001.020:80", "192.168.1.16:80"],
    ["１９２.１６８.１.２０:80", "192.168.1.20:80"],
    ["192.168.1.20.:80", "192.168.1.20:80"],
    ["[fd12:3456:0:0:0:0:0:20]:80", "[fd12:3456::20]:80"],
    ["nаs.lan:80", "xn--ns-7kc.lan:80"],
    ["bücher.lan:80", "xn--bcher-kva.lan:80"],
    ["n%61s.lan:80", "nas.lan:80"],
    ["nas\u00ad.lan:80", "nas.lan:80"],
  ])("%s is refused with what it means: %s", (given, meant) => {
    expect(() => approvedHost(given)).toThrow(`approve ${meant}`);
    expect(approving(given)).toBe("EGRESS_BLOCKED_BY_POLICY");
  });

  test.each([
    "",
    "nas.lan",
    "nas.lan:",
    "nas.lan:0",
    "nas.lan:080",
    "nas.lan:65536",
    "nas.lan:99999",
    "nas.lan:-1",
    "nas.lan:80/",
    "nas.lan:80/v1",
    "nas.lan:80?x",
    "nas.lan:80#x",
    "http://nas.lan:80",
    "user@nas.lan:80",
    "user:password@nas.lan:80",
    "nas.lan :80",
    "na s.lan:80",
    "*:80",
    "*.lan:80",
    "nas.lan:*",
    "192.168.1.0/24:80",
    "192.168.1.20:80,10.0.0.1:80",
    "fd12:3456::20:80",
    "[fd12:3456::20]",
    "[fd12::1%25eth0]:80",
    "[fd12::1%eth0]:80",
    "[192.168.1.20]:80",
    "\\\\nas.lan:80",
    "nas.lan\u0000:80",
    `${"a".repeat(64)}.lan:80`,
  ])("“%s” is no host with a port, or none that can be checked", (given) => {
    expect(["VALIDATION_FAILED", "EGRESS_BLOCKED_BY_POLICY"]).toContain(approving(given));
  });

  test.each(["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.255.255", "fc00::1", "fdff:ffff::1"])(
    "%s is in a private network",
    (address) => expect(isPrivateNetworkAddress(address)).toBe(true),
  );

  test.each([
    "",
    "nas",
    "127.0.0.1",
    "::1",
    "169.254.169.254",
    "fe80::1",
    "fd12::1%eth0",
    "::ffff:10.0.0.1",
    "::ffff:a00:1",
  ])("%s is not", (address) => expect(isPrivateNetworkAddress(address)).toBe(false));
});

const everyUrl = [...new Set([...forbiddenUrls, ...unlistedUrls, ...unapprovedUrls])];

/** Whoever asks, for whatever: with everything allowed that could be, and only those hosts approved. */
const contexts: readonly { readonly name: string; readonly context: EgressContext; readonly purpose: EgressPurpose }[] =
  (["model-call", "provider-test", "model-list", "mcp", "oidc", "telemetry", "model-download"] as const).map(
    (purpose) => ({
      name: purpose,
      purpose,
      context: { purpose, workspaceId: "ws_1", providerId: "remote", local: false, modelId: "m", scopeHash: "s" },
    }),
  );

const send = (egress: Egress, url: string, context: EgressContext) =>
  egress.fetch(
    url,
    ["model-list", "provider-test", "model-download"].includes(context.purpose)
      ? {}
      : { method: "POST", body: "words" },
    context,
  );

const ownNetwork = (command: string) => [
  "-rn",
  "sh",
  "-c",
  "ip link set lo up && ip addr add 192.168.7.20/32 dev lo && ip addr add 93.184.216.34/32 dev lo && " +
    `ip addr add fd12:3456::20/128 dev lo nodad && ${command}`,
];

describe("S8 the gate with approved hosts of the local network", () => {
  let capture: Awaited<ReturnType<typeof capturingServer>>;
  let lookups: string[];
  let asked: string[];
  let records: EgressRecord[];
  let allowed: string;
  let gates: Egress[];

  beforeEach(async () => {
    capture = await capturingServer();
    lookups = [];
    asked = [];
    records = [];
    allowed = "";
    gates = [];
  });
  afterEach(async () => {
    await Promise.all(gates.map((gate) => gate.close()));
    await capture.close();
  });

  function gate(
    purpose: EgressPurpose,
    isApproved?: (workspaceId: string, host: string) => Promise<boolean> | boolean,
  ) {
    const made = createEgress({
      policy: () => ({ allowedHosts: new Map([["remote", allowed]]) }),
      consent: { isConsented: () => true },
      purposes: new Set([purpose]),
      record: (event) => records.push(event),
      resolve: async (hostname) => {
        lookups.push(hostname);
        return [{ address: "192.168.7.20", family: 4 }];
      },
      isApproved:
        isApproved ??
        ((workspaceId, host) => {
          asked.push(host);
          return workspaceId === "ws_1" && approvedHosts.includes(host);
        }),
    });
    gates.push(made);
    return made;
  }
  test("there are enough hostile URLs", () => {
    expect(everyUrl.length).toBeGreaterThanOrEqual(160);
    expect(new Set(unapprovableHosts).size).toBe(unapprovableHosts.length);
  });

  test.each(contexts)(
    "no hostile URL passes for $name, even if its host were allowed",
    async ({ context, purpose }) => {
      const egress = gate(purpose);
      for (const template of [...forbiddenUrls, ...unapprovedUrls]) {
        const url = template.replaceAll("PORT", String(capture.port));
        allowed = URL.parse(url)?.host ?? "";
        const { code } = await failureOf(send(egress, url, context));
        expect([template, code]).toEqual([template, "EGRESS_BLOCKED_BY_POLICY"]);
      }
      expect({ lookups, connections: capture.connections(), bytes: capture.received() }).toEqual({
        lookups: [],
        connections: 0,
        bytes: 0,
      });
      expect(records.every(({ outcome, bytesSent }) => outcome === "blocked" && bytesSent === 0)).toBe(true);
      // Nobody is even asked about what can never be approved.
      expect(asked.filter((host) => /^(127|169\.254|localhost|\[::|\[fe80|\[fd00:ec2)/.test(host))).toEqual([]);
    },
  );

  test.each(contexts)("what was approved is not allowed by that alone, for $name", async ({ context, purpose }) => {
    allowed = "api.example.com";
    for (const host of approvedHosts) {
      expect((await failureOf(send(gate(purpose), `http://${host}/v1`, context))).code).toBe(
        "EGRESS_BLOCKED_BY_POLICY",
      );
    }
    expect(lookups).toEqual([]);
  });

  test.each(unapprovableHosts)("%s stays closed although its approval was forged", async (host) => {
    const always = gate("model-call", () => true);
    for (const scheme of ["http", "https"]) {
      const url = `${scheme}://${host}/`;
      allowed = URL.parse(url)?.host ?? "";
      const { code } = await failureOf(send(always, url, contexts[0]?.context as EgressContext));
      expect([scheme, code]).toEqual([scheme, "EGRESS_BLOCKED_BY_POLICY"]);
    }
    expect(lookups).toEqual([]);
  });

  const modelCall = contexts[0]?.context as EgressContext;

  test("S7 showing it anything needs consent, before any lookup", async () => {
    allowed = "nas.lan:8443";
    const wary = createEgress({
      policy: () => ({ allowedHosts: new Map([["remote", allowed]]) }),
      isApproved: () => true,
      consent: { isConsented: () => false },
      record: (event) => records.push(event),
      resolve: async (hostname) => {
        lookups.push(hostname);
        return [{ address: "192.168.7.20", family: 4 }];
      },
    });
    gates.push(wary);
    expect((await failureOf(send(wary, "http://nas.lan:8443/v1", modelCall))).code).toBe("EGRESS_CONSENT_REQUIRED");
    expect(lookups).toEqual([]);
  });

  test.each<[string, () => unknown]>([
    ["no", () => false],
    ["undefined", () => undefined],
    ["something truthy", () => "yes"],
    [
      "a throw",
      () => {
        throw new Error("the database is gone");
      },
    ],
    ["a rejection", () => Promise.reject(new Error("the database is gone"))],
  ])("an approval that answers %s is none", async (_name, isApproved) => {
    allowed = "192.168.7.20:11434";
    const egress = gate("model-call", isApproved as () => boolean);
    const error = await failureOf(send(egress, "http://192.168.7.20:11434/v1", modelCall));
    expect(error.code).toBe("EGRESS_BLOCKED_BY_POLICY");
  });

  test("a refusal says what the operator could approve", async () => {
    const egress = gate("model-call", () => false);
    for (const [url, host] of [
      ["http://192.168.7.20:11434/v1", "192.168.7.20:11434"],
      ["https://192.168.7.20/v1", "192.168.7.20:443"],
      ["http://nas.lan/v1", "nas.lan:80"],
      ["https://nas.lan/v1", "nas.lan:443"],
    ] as const) {
      allowed = new URL(url).host;
      const error = await failureOf(send(egress, url, modelCall));
      expect(error.message).toContain(`If ${host} is a host of your local network, the operator can approve it`);
      expect(error.info).toMatchObject({
        error_code: "EGRESS_BLOCKED_BY_POLICY",
        actions: expect.arrayContaining(["open_settings"]),
        detail: { host, approvable: true },
      });
    }
    // Only the name that https may go to was looked up.
    expect(lookups).toEqual(["nas.lan"]);
  });

  test("a name that was approved leads nowhere else: not to loopback, not to the internet, not to both", async () => {
    allowed = "nas.lan:8443";
    for (const addresses of [
      ["127.0.0.1"],
      ["::1"],
      ["93.184.216.34"],
      ["192.168.7.20", "93.184.216.34"],
      ["169.254.169.254"],
    ]) {
      const egress = createEgress({
        policy: () => ({ allowedHosts: new Map([["remote", allowed]]) }),
        isApproved: () => true,
        consent: { isConsented: () => true },
        record: () => {},
        resolve: async () => addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
      });
      gates.push(egress);
      const error = await failureOf(send(egress, "https://nas.lan:8443/v1", modelCall));
      expect(error.code).toBe("EGRESS_BLOCKED_BY_POLICY");
      expect(error.message).toContain("which is not in a private network");
    }
  });
});

describe("S8 in a local network", () => {
  const possible = process.platform === "linux" && spawnSync("unshare", ownNetwork("true")).status === 0;

  test.skipIf(!possible)(
    "[needs a network namespace] what was approved is reached, in the clear and by TLS, and nothing else is",
    async () => {
      const authority = makeAuthority();
      const setting = { ca: authority.ca, identity: authority.issue("nas.lan", "192.168.7.20") };
      const script = join(import.meta.dirname, "../test/in-local-network.ts");
      const { stdout } = await promisify(execFile)("unshare", [
        ...ownNetwork(`exec "$0" "$@"`),
        process.execPath,
        script,
        JSON.stringify(setting),
      ]);
      const blocked = "EGRESS_BLOCKED_BY_POLICY";
      expect(JSON.parse(stdout)).toEqual({
        outcomes: {
          literal: "hello",
          literalWithTls: "hello",
          literalOfSix: "hello",
          sameInAnotherNotation: "hello",
          name: "hello",
          nameWithTls: "hello",
          certificateOfAnotherName: "ERR_TLS_CERT_ALTNAME_INVALID",
          anotherWorkspace: blocked,
          anotherPort: blocked,
          redirectToAnotherPort: blocked,
          redirectToLoopback: blocked,
          redirectToApproved: blocked,
          reboundToInternet: blocked,
          reboundToLoopback: blocked,
          reboundToLinkLocal: blocked,
          mixedWithInternet: blocked,
          mixedWithLoopback: blocked,
          mapped: blocked,
          revoked: blocked,
        },
        received: [
          "192.168.7.20 192.168.7.20:11434 /1",
          "192.168.7.20 192.168.7.20:8443 /2",
          "fd12:3456::20 [fd12:3456::20]:11434 /3",
          "192.168.7.20 192.168.7.20:11434 /4",
          "192.168.7.20 nas.lan:11434 /5",
          "192.168.7.20 nas.lan:8443 /6",
          "192.168.7.20 192.168.7.20:11434 /7?to=http://192.168.7.20:11435/no",
          "192.168.7.20 192.168.7.20:11434 /8?to=http://127.0.0.1:11434/no",
          "192.168.7.20 192.168.7.20:11434 /9?to=http://nas.lan:11434/no",
        ],
        lookups: ["nas.lan", "nas.lan", "other.lan"],
        proxied: 0,
      });
    },
  );
});
