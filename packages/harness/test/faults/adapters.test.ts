import assert from "node:assert/strict";
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

const endless: ReadonlySet<FaultName> = new Set(faultNames.filter((name) => name.endsWith("without end")));

describe.for(dialectNames)("H4 over the protocol %s", (dialect) => {
  test.for(faultNames)("a provider that %s gives an answer or an error of the taxonomy", async (fault) => {
    const seeds = endless.has(fault) ? [1] : [1, 2, 3, 4, 5, 6, 7, 8];
    for (const outcome of await Promise.all(seeds.map((seed) => heard(dialect, fault, seed)))) {
      assertAnswerOrError(outcome, dialect);
    }
    expect(server.trapped).toBe(0);
  });
});

interface Heard {
  readonly parts: number;
  /** Places of the parts that say that the answer is whole. */
  readonly finishes: readonly number[];
  readonly error?: unknown;
}

function assertAnswerOrError({ parts, finishes, error }: Heard, dialect: DialectName): void {
  if (error === undefined) {
    assert.deepEqual(finishes, [parts - 1]);
    return;
  }
  assert.ok(BenchtopError.is(error));
  assert.ok(codes.has(error.code), error.code);
  assert.equal(error.info.provider_id, dialect);
  assert.deepEqual(finishes, []);
}

async function heard(dialect: DialectName, fault: FaultName, seed: number): Promise<Heard> {
  const adapter = connect(dialect, server.urlOf({ seed, dialect, faulty: 1, among: [fault] }));
  const signal = AbortSignal.timeout(endless.has(fault) ? 20_000 : 200);
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
