import { BenchtopError, type ErrorCode } from "@benchtop/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ProviderPart } from "../../src/index.ts";
import { connect } from "./connect.ts";
import { faultNames, type FaultName } from "./faults.ts";
import { dialectNames, FaultServer, type DialectName } from "./server.ts";

let server: FaultServer;
beforeAll(async () => {
  server = await FaultServer.start();
});
afterAll(() => server.close());

/** What a provider's misbehaviour may be called. */
const codes: ReadonlySet<ErrorCode> = new Set([
  "PROVIDER_UNAVAILABLE",
  "PROVIDER_RATE_LIMITED",
  "PROVIDER_AUTH_FAILED",
  "PROVIDER_NOT_CONFIGURED",
  "NETWORK_UNAVAILABLE",
  "CONTEXT_EXHAUSTED",
  "VALIDATION_FAILED",
  "USER_CANCELED",
]);

const endless: readonly FaultName[] = faultNames.filter((name) => name.endsWith("without end"));

describe.for(dialectNames)("H4 over the protocol %s", (dialect) => {
  test.for(faultNames)("a provider that %s gives an answer or an error of the taxonomy", async (fault) => {
    const seeds = endless.includes(fault) ? [1] : [1, 2, 3, 4, 5, 6, 7, 8];
    for (const outcome of await Promise.all(seeds.map((seed) => heard(dialect, fault, seed)))) {
      if (outcome.error === undefined) {
        expect(outcome.finishes).toEqual([outcome.parts - 1]);
      } else {
        expect(BenchtopError.is(outcome.error), String(outcome.error)).toBe(true);
        const error = outcome.error as BenchtopError;
        expect(codes).toContain(error.code);
        expect(error.info.provider_id).toBe(dialect);
        expect(outcome.finishes).toEqual([]);
      }
    }
    expect(server.trapped).toBe(0);
  });
});

async function heard(
  dialect: DialectName,
  fault: FaultName,
  seed: number,
): Promise<{ parts: number; finishes: number[]; error?: unknown }> {
  const adapter = connect(dialect, server.urlOf({ seed, dialect, faulty: 1, among: [fault] }));
  const signal = AbortSignal.timeout(endless.includes(fault) ? 20_000 : 200);
  const finishes: number[] = [];
  let parts = 0;
  const keep = (part: ProviderPart): void => {
    if (part.type === "finish") finishes.push(parts);
    parts += 1;
  };
  try {
    const request = { modelId: "faulty", messages: [{ role: "user" as const, content: "Hello?" }] };
    for await (const batch of adapter.stream(request, signal)) for (const part of batch) keep(part);
    return { parts, finishes };
  } catch (error) {
    return { parts, finishes, error };
  }
}
