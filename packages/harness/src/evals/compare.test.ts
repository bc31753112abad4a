import type { Json } from "@benchtop/protocol";
import { expect, test } from "vitest";
import { compareReports } from "./compare.ts";
import { runSuite } from "./run-suite.ts";
import { parseSuite } from "./suite-file.ts";

/** A report in which the model answers each case with the text given for it. */
async function reportOf(answers: Record<string, string | readonly string[]>, fields: Record<string, Json> = {}) {
  const suite = parseSuite({
    name: "yes",
    models: ["test/a"],
    evaluators: [{ type: "exact", value: "yes" }],
    cases: Object.keys(answers).map((id) => ({ id, input: id })),
    ...fields,
  });
  return await runSuite(suite, {
    runCase: async ({ caseId, repetition }) => {
      const said = answers[caseId] ?? "";
      return { output: typeof said === "string" ? said : (said[repetition - 1] ?? ""), durationMs: 10, costMicros: 5 };
    },
  });
}

test("H6 a comparison names what was fixed, what regressed, and how likely that is by chance", async () => {
  const before = await reportOf({ a: "yes", b: "no", c: "yes", d: "no", gone: "yes" });
  const after = await reportOf({ a: "yes", b: "yes", c: "no", d: "yes", added: "yes" });
  const { models, suiteChanged } = compareReports(before, after);
  expect(suiteChanged).toBe(false);
  expect(models).toMatchObject([
    {
      fixed: 2,
      regressed: 1,
      same: 1,
      unmatched: 2,
      passRate: { before: 0.5, after: 0.75 },
      costMicros: { before: 20, after: 20 },
      pValue: 1,
    },
  ]);
  expect(models[0]?.cases.map(({ caseId, change }) => [caseId, change])).toEqual([
    ["a", "same"],
    ["b", "fixed"],
    ["c", "regressed"],
    ["d", "fixed"],
    ["gone", "removed"],
    ["added", "added"],
  ]);
});

test("H6 repetitions are compared by the share that passed", async () => {
  const before = await reportOf({ a: ["yes", "no", "no"], b: ["yes", "yes", "yes"] }, { repeat: 3 });
  const after = await reportOf({ a: ["yes", "yes", "no"], b: ["yes", "yes", "yes"] }, { repeat: 3 });
  expect(compareReports(before, after).models[0]).toMatchObject({
    fixed: 1,
    same: 1,
    cases: [{ before: { passRate: 1 / 3 }, after: { passRate: 2 / 3 } }, {}],
  });
});

test("H6 a case that was edited in between is no regression, and a changed suite is said", async () => {
  const before = await reportOf({ a: "yes" });
  const edited = await reportOf({ a: "no" }, { cases: [{ id: "a", input: "another question" }] });
  expect(compareReports(before, edited).models[0]).toMatchObject({
    regressed: 0,
    unmatched: 1,
    cases: [{ change: "edited" }],
  });
  const stricter = await reportOf({ a: "no" }, { evaluators: [{ type: "exact", value: "maybe" }] });
  expect(compareReports(before, stricter)).toMatchObject({ suiteChanged: true, models: [{ regressed: 1 }] });
});

test("H6 models are compared with themselves, with the only other one, or as the caller says", async () => {
  const one = await reportOf({ a: "yes" });
  const other = await reportOf({ a: "no" }, { models: ["test/b"] });
  const both = await reportOf({ a: "yes" }, { models: ["test/c", "test/d"] });
  expect(compareReports(one, other).models).toMatchObject([
    { beforeModel: "test/a", afterModel: "test/b", regressed: 1 },
  ]);
  expect(() => compareReports(one, both)).toThrow("no model in common");
  expect(compareReports(both, both, { beforeModel: "test/c", afterModel: "test/d" }).models).toMatchObject([
    { same: 1 },
  ]);
  expect(() => compareReports(one, both, { afterModel: "test/x" })).toThrow("no model test/x");
});
