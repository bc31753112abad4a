import { operations, type Operation } from "@benchtop/operations";
import type { ErrorCode } from "@benchtop/protocol";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../../../../test/model-server.ts";
import type { Carrier } from "../permissions/carriers.ts";
import { seed, type Seeded } from "../permissions/seeds.ts";
import type { TestDaemon } from "../test-daemon.ts";
import { hostileInputs } from "./inputs.ts";

const inputsEach = Number(process.env["FUZZ_INPUTS"] ?? 12);
/** The same inputs each time, so that a red run is about the change; other seeds and more inputs are for who goes looking. */
const inputSeed = Number(process.env["FUZZ_SEED"] ?? 1);

/** What any operation may answer, besides what it declares. */
const anyOperation: readonly ErrorCode[] = ["VALIDATION_FAILED", "AUTH_REQUIRED", "PERMISSION_DENIED", "RATE_LIMITED"];

/** What takes things away comes last, so that there is something to call the others about. */
const all = (Object.values(operations) as Operation[]).toSorted(
  (a, b) => Number(a.method === "DELETE") - Number(b.method === "DELETE"),
);

/**
 * Every operation on every transport is called with inputs made from its own schema to do harm, by somebody who may do
 * everything. Whatever comes, the answer is one of those that the operation declares, and the daemon goes on.
 */
export function fuzzSuite(
  start: () => Promise<TestDaemon>,
  carriersOf: (daemon: TestDaemon) => readonly Carrier[],
): void {
  let models: ModelServer;
  let daemon: TestDaemon;
  let seeded: Seeded;
  let carriers: readonly Carrier[] = [];
  let calls = 0;

  beforeAll(async () => {
    models = await startModelServer();
    daemon = await start();
    // Nobody here is refused for being late: no key has to expire.
    seeded = await seed(daemon, "aardvark", models.url, () => undefined);
    carriers = carriersOf(daemon);
  }, 60_000);
  afterAll(async () => {
    console.log(`fuzz: ${calls} hostile calls on ${carriers.map(({ name }) => name).join(", ")}`);
    for (const carrier of carriers) await carrier[Symbol.asyncDispose]();
    await daemon[Symbol.asyncDispose]();
    await models.close();
  });

  test.each(all.map((operation) => [operation.id, operation] as const))(
    "W4 whatever is sent to %s, it answers as it declares",
    async (_, operation) => {
      const declared = new Set<string>([
        ...anyOperation,
        ...operation.errors,
        // A part of an address can be made so that the address is another one, where there is nothing.
        ...(operation.path.includes("{") ? ["NOT_FOUND"] : []),
      ]);
      const surprises: string[] = [];
      const credentials = { token: daemon.token, workspace: seeded.workspaceId };
      for (const carrier of carriers.filter((each) => each.offers(operation))) {
        for (const input of fc.sample(hostileInputs(operation, seeded), { numRuns: inputsEach, seed: inputSeed })) {
          calls += 1;
          const outcome = await carrier.call(operation, input, credentials);
          if (outcome.ok || declared.has(outcome.code)) continue;
          surprises.push(
            `${carrier.name}: ${outcome.code} for ${JSON.stringify(input).slice(0, 500)} (FUZZ_SEED=${inputSeed})`,
          );
        }
      }
      expect(surprises).toEqual([]);
      expect((await daemon.fetch("/readyz", { token: null })).status).toBe(200);
    },
    30_000,
  );
}
