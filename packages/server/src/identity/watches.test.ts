import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, type Store } from "@benchtop/store";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openLog, type Log } from "../log/log.ts";
import { FailedAttempts } from "./failed-attempts.ts";
import { Identities } from "./identities.ts";
import { findKey } from "./lookup.ts";
import type { Proof } from "./proof.ts";
import { RateLimits } from "./rate-limits.ts";
import { Watches } from "./watches.ts";

let home: string;
let store: Store;
let log: Log;
let identities: Identities;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "benchtop-watches-"));
  store = await openStore({ home });
  log = openLog({ home });
  const limits = { rateLimits: new RateLimits(), failedSignIns: new FailedAttempts() };
  identities = new Identities({ store, log, bootstrapToken: "bootstrap", ...limits });
});
afterEach(async () => {
  await identities.close();
  await log.close();
  await store.close();
  await rm(home, { recursive: true });
});

const nobody: Proof = {
  authorization: undefined,
  cookie: undefined,
  foreign: false,
  workspace: undefined,
  address: "192.0.2.1",
  userAgent: undefined,
};

async function makeKey() {
  const operator = await identities.identify({ ...nobody, authorization: "Bearer bootstrap" });
  const { key, secret } = await identities.keys.create(operator, {
    name: "k",
    scopes: ["runs:read"],
    expiresInDays: 1,
  });
  return { operator, keyId: key.keyId, proof: { ...nobody, authorization: `Bearer ${secret}` } };
}

test("P1.4 a look finds what time or another process took away, and what lost the one permission that matters", async () => {
  const watches = new Watches({ db: store.db, log });
  const [first, second, third] = [await makeKey(), await makeKey(), await makeKey()];
  const watch = async ({ keyId }: typeof first) => {
    const finding = await findKey(store.db, { id: keyId }, undefined);
    if (!finding.found) throw new Error("The key is not there.");
    return watches.watch(finding.identity, "runs:read", true).signal;
  };
  const signals = [await watch(first), await watch(second), await watch(third)];
  const set = (keyId: string, values: object) =>
    store.db.updateTable("api_keys").set(values).where("id", "=", keyId).execute();
  await set(first.keyId, { expires_at: "2020" });
  await set(second.keyId, { scopes: '["runs:write"]' });
  watches.check();
  await vi.waitFor(() => expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, false]));
  watches.close();
});

test("P1.4 what was revoked between a proof and the watch over it is noticed, too", async () => {
  const { operator, keyId, proof } = await makeKey();
  const identity = await identities.identify(proof);
  await identities.keys.revoke(operator, keyId);
  const watch = identities.watch(identity, "runs:read");
  await vi.waitFor(() => expect(watch.signal.aborted).toBe(true));
  watch.end();
});

test("P1.4 a watch that has ended is not looked after any more", async () => {
  const { operator, keyId, proof } = await makeKey();
  const watch = identities.watch(await identities.identify(proof), "runs:read");
  const other = identities.watch(await identities.identify(proof), "runs:read");
  watch.end();
  await identities.keys.revoke(operator, keyId);
  await vi.waitFor(() => expect(other.signal.aborted).toBe(true));
  expect(watch.signal.aborted).toBe(false);
});
