import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { clientAddress } from "./client-address.ts";
import { FailedAttempts } from "./failed-attempts.ts";
import { networkOf } from "./network.ts";
import { RateLimits } from "./rate-limits.ts";
import { RecentIdentities } from "./recent-identities.ts";

test.each([
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["", ""],
])("what comes from %s is counted for %s", (address, network) => {
  expect(networkOf(address)).toBe(network);
});

describe("rate limits", () => {
  const limits = new RateLimits({ identity: { perSecond: 2, burst: 4 }, address: { perSecond: 1, burst: 1 } });
  const taken = (caller: string, kind: "identity" | "address" | "wrong-proof", at: number): boolean => {
    try {
      limits.take(caller, kind, at);
      return true;
    } catch {
      return false;
    }
  };

  test("give so many at once and so many a second after that", () => {
    expect([0, 0, 0, 0, 0].map((at) => taken("a", "identity", at))).toEqual([true, true, true, true, false]);
    expect([400, 500, 500, 1500, 1500, 1500].map((at) => taken("a", "identity", at))).toEqual([
      false,
      true,
      false,
      true,
      true,
      false,
    ]);
  });

  test("count identities, addresses and wrong proofs of an address apart", () => {
    expect(taken("192.0.2.1", "address", 0)).toBe(true);
    expect(taken("192.0.2.1", "wrong-proof", 0)).toBe(true);
    expect(taken("::ffff:192.0.2.1", "address", 0)).toBe(false);
    expect(taken("192.0.2.1", "identity", 0)).toBe(true);
  });

  test("are not forgotten for who keeps asking, however many others come once", () => {
    for (let count = 0; count < 4; count++) taken("busy", "identity", 0);
    const asked: boolean[] = [];
    for (let other = 0; other < 30_000; other++) {
      taken(`other ${other}`, "identity", 0);
      if (other % 1000 === 0) asked.push(taken("busy", "identity", 0));
    }
    expect(asked).not.toContain(true);
  });
});

describe("failed attempts", () => {
  test("of one address do not hold up another, and are forgotten after a minute", () => {
    const attempts = new FailedAttempts(2, 60_000);
    attempts.failed("10.0.0.1", 0);
    attempts.failed("10.0.0.1", 1);
    expect(attempts.blockedFor("10.0.0.1", 2)).toBe(59_998);
    expect(attempts.blockedFor("10.0.0.2", 2)).toBe(0);
    expect(attempts.blockedFor("10.0.0.1", 60_000)).toBe(0);
  });

  test("of the addresses that one customer has count together", () => {
    const attempts = new FailedAttempts(2, 60_000);
    attempts.failed("2001:db8::1", 0);
    attempts.failed("2001:db8::2", 0);
    expect(attempts.blockedFor("2001:db8::3", 1)).toBe(59_999);
  });
});

describe("identities that are known", () => {
  const identity = {} as Parameters<RecentIdentities["add"]>[1]["identity"];

  test("are known for a second, not after they expire, and not after a change", () => {
    const recent = new RecentIdentities();
    recent.add("a", { identity, expiresAt: null }, recent.changes, 0);
    expect(recent.get("a", 999)).toBeDefined();
    expect(recent.get("a", 1000)).toBeUndefined();
    recent.add("b", { identity, expiresAt: new Date(500).toISOString() }, recent.changes, 0);
    expect(recent.get("b", 499)).toBeDefined();
    expect(recent.get("b", 500)).toBeUndefined();
    recent.add("c", { identity, expiresAt: null }, recent.changes, 0);
    recent.clear();
    expect(recent.get("c", 1)).toBeUndefined();
  });

  test("are not known by what was read before a change", () => {
    const recent = new RecentIdentities();
    const { changes } = recent;
    recent.clear();
    recent.add("a", { identity, expiresAt: null }, changes, 0);
    expect(recent.get("a", 1)).toBeUndefined();
  });
});

describe("P1.4 the address that a request comes from", () => {
  const proxies = new Set(["127.0.0.1", "10.0.0.2", "2001:db8::9"]);
  const from = (remoteAddress: string, forwarded?: string) =>
    clientAddress(
      { headers: forwarded === undefined ? {} : { "x-forwarded-for": forwarded }, socket: { remoteAddress } as Socket },
      proxies,
    );

  test.each<[string, string | undefined, string, string]>([
    ["192.0.2.1", undefined, "192.0.2.1", "no proxy"],
    ["192.0.2.1", "198.51.100.1", "192.0.2.1", "somebody who claims to be one"],
    ["127.0.0.1", undefined, "127.0.0.1", "a program beside the proxy"],
    ["127.0.0.1", "198.51.100.1", "198.51.100.1", "the proxy's client"],
    ["::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1", "the proxy, by IPv6"],
    ["127.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1", "a client who writes the header as well"],
    ["127.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1", "two proxies"],
    ["127.0.0.1", "10.0.0.2, 2001:db8::9", "10.0.0.2", "nothing but proxies"],
    ["127.0.0.1", "198.51.100.1, nonsense", "127.0.0.1", "what is no address"],
    ["127.0.0.1", "", "127.0.0.1", "an empty header"],
  ])("%s with %s is %s: %s", (remote, forwarded, address) => {
    expect(from(remote, forwarded)).toBe(address);
  });
});
