import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Lab } from "../bench/compared/lab.ts";
import { scenarios } from "../bench/compared/scenarios.ts";

/**
 * The rows of docs/harness/compared.md that are ours: the scenarios that `node bench/compared.ts` also runs with the peers,
 * with processes of their own, SIGKILL where a crash is meant, and the SQLite store.
 */
describe("what a run survives", () => {
  const lab = new Lab();
  beforeAll(async () => void (await lab.open()));
  afterAll(() => lab.close());

  test.each(scenarios)("$test", { timeout: 120_000 }, async (scenario) => {
    const finding = await scenario.run(lab, "benchtop");
    expect(finding).toMatchObject({ good: true });
  });
});
