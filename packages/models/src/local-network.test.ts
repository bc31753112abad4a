import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEgress, type Egress, type EgressRecord } from "@benchtop/egress";
import { BenchtopError } from "@benchtop/protocol";
import { openStore, type Store } from "@benchtop/store";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EgressExceptions } from "./egress-exceptions.ts";
import { Providers } from "./providers.ts";
import { openSecrets } from "./secrets.ts";

const ours = "default";
const theirs = "ws_01jd0000000000000000000000";
const userId = "usr_operator";
let folder: string;
let store: Store;
let egress: Egress;
let exceptions: EgressExceptions;
let providers: Providers;
let records: EgressRecord[];
let lookups: string[];
let consented: boolean;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "benchtop-local-network-"));
  records = [];
  lookups = [];
  consented = true;
  store = await openStore({ home: join(folder, "home") });
  exceptions = new EgressExceptions({ store });
  egress = createEgress({
    policy: (workspaceId) => ({ allowedHosts: providers.allowedHosts(workspaceId) }),
    isApproved: (workspaceId, host) => exceptions.isApproved(workspaceId, host),
    consent: { isConsented: () => consented },
    record: (event) => records.push(event),
    resolve: async (hostname) => {
      lookups.push(hostname);
      return [];
    },
  });
  const secrets = await openSecrets({ home: join(folder, "home"), configDir: join(folder, "config") });
  providers = new Providers({ store, secrets, egress });
});
afterEach(async () => {
  await egress.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

async function failureOf(attempt: Promise<unknown>): Promise<BenchtopError> {
  const error: unknown = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!BenchtopError.is(error)) throw new Error(`expected a BenchtopError, got ${String(error)}`);
  return error;
}

const lab = (baseUrl: string) => ({ name: "lab", kind: "openai-chat", baseUrl }) as const;
const approve = (host: string, workspaceId = ours) =>
  exceptions.approve(workspaceId, { host, note: " the lab ", userId });

describe("S8 hosts of the local network that the operator approved", () => {
  test("are kept with who approved them and why, once each, and are the workspace's own", async () => {
    const approved = await approve("NAS.lan:8443");
    expect(approved).toMatchObject({ host: "nas.lan:8443", note: "the lab", approvedBy: userId });
    await exceptions.approve(ours, { host: "nas.lan:8443", note: "another", userId: "usr_2" });
    await approve("10.0.0.7:80");
    expect(await exceptions.list(ours)).toMatchObject([
      { host: "10.0.0.7:80" },
      { host: "nas.lan:8443", note: "another", approvedBy: "usr_2" },
    ]);
    expect(await exceptions.list(theirs)).toEqual([]);
    await exceptions.revoke(ours, "NAS.lan:8443");
    expect((await exceptions.list(ours)).map(({ host }) => host)).toEqual(["10.0.0.7:80"]);
    expect((await failureOf(exceptions.revoke(ours, "nas.lan:8443"))).code).toBe("NOT_FOUND");
    expect((await failureOf(exceptions.revoke(theirs, "10.0.0.7:80"))).code).toBe("NOT_FOUND");
    expect(await exceptions.list(ours)).toHaveLength(1);
  });

  test.each(["127.0.0.1:11434", "localhost:80", "169.254.169.254:80", "8.8.8.8:443", "0xc0a80114:80", "nas.lan", ""])(
    "%j is not approved, and nothing is kept",
    async (host) => {
      expect(["EGRESS_BLOCKED_BY_POLICY", "VALIDATION_FAILED"]).toContain((await failureOf(approve(host))).code);
      expect(await exceptions.list(ours)).toEqual([]);
    },
  );

  test.each([
    ["http://192.168.7.20:11434/v1", "192.168.7.20:11434"],
    ["https://192.168.7.20/v1", "192.168.7.20:443"],
    ["http://[fd12:3456::20]:11434/v1", "[fd12:3456::20]:11434"],
    ["http://nas.lan/v1", "nas.lan:80"],
  ])("a provider at %s is added once %s is approved, and needs consent like any elsewhere", async (baseUrl, host) => {
    const error = await failureOf(providers.add(ours, lab(baseUrl)));
    expect(error.info).toMatchObject({
      error_code: "EGRESS_BLOCKED_BY_POLICY",
      actions: expect.arrayContaining(["open_settings"]),
      detail: { host, approvable: true },
    });
    expect(error.message).toContain(`If ${host} is a host of your local network, the operator can approve it`);
    await approve(host, theirs);
    expect((await failureOf(providers.add(ours, lab(baseUrl)))).code).toBe("EGRESS_BLOCKED_BY_POLICY");
    await approve(host);
    expect(await providers.add(ours, lab(baseUrl))).toMatchObject({ baseUrl, local: false });
    expect((await failureOf(providers.add(ours, { ...lab(baseUrl), local: true }))).code).toBe(
      "EGRESS_BLOCKED_BY_POLICY",
    );
    const model = await providers.resolve(ours, "lab/small");
    expect(model.local).toBe(false);
    expect(model.prices).toBeNull();
    consented = false;
    const request = { modelId: "small", messages: [{ role: "user" as const, content: "private words" }] };
    const asked = model.adapter({ runId: "run_1", scopeHash: "abc" }).stream(request, new AbortController().signal);
    expect((await failureOf(asked[Symbol.asyncIterator]().next())).code).toBe("EGRESS_CONSENT_REQUIRED");
    expect(lookups).toEqual([]);
  });

  test("what cannot be approved is refused without an offer to", async () => {
    for (const baseUrl of ["http://169.254.169.254/v1", "http://100.100.100.200/v1", "https://8.8.8.8/v1"]) {
      const error = await failureOf(providers.add(ours, lab(baseUrl)));
      expect(error.code).toBe("EGRESS_BLOCKED_BY_POLICY");
      expect(error.message).not.toContain("operator can approve");
      expect(error.info.detail?.["approvable"]).toBeUndefined();
    }
  });

  test("are closed from the next request on once that is taken back, also for a call that goes on", async () => {
    await approve("nas.lan:80");
    await providers.add(ours, lab("http://nas.lan/v1"));
    const adapter = (await providers.resolve(ours, "lab/small")).adapter({ runId: "run_1", scopeHash: "abc" });
    const request = { modelId: "small", messages: [{ role: "user" as const, content: "private words" }] };
    const ask = () => failureOf(adapter.stream(request, new AbortController().signal)[Symbol.asyncIterator]().next());
    // It is looked up, and found nowhere.
    expect((await ask()).code).toBe("NETWORK_UNAVAILABLE");
    expect(lookups).toEqual(["nas.lan"]);
    await exceptions.revoke(ours, "nas.lan:80");
    const error = await ask();
    expect(error.code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect(error.info).toMatchObject({ provider_id: "lab", detail: { host: "nas.lan:80" } });
    expect(lookups).toEqual(["nas.lan"]);
    expect((await failureOf(providers.test(ours, "lab"))).code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect((await providers.models(ours)).unavailable).toMatchObject([{ providerId: "lab" }]);
    expect(lookups).toEqual(["nas.lan"]);
    expect(records.map(({ outcome }) => outcome)).toEqual(["failed", "blocked", "blocked", "blocked"]);
  });

  test("an approval that another process took back is none here", async () => {
    await approve("nas.lan:80");
    await providers.add(ours, lab("http://nas.lan/v1"));
    await store.db.deleteFrom("egress_exceptions").execute();
    expect((await failureOf(providers.test(ours, "lab"))).code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect(lookups).toEqual([]);
  });
});
