import { EvaluatorSpec, type Json } from "@benchtop/protocol";
import { afterAll, expect, test } from "vitest";
import { customEvaluator, type Judged, type Judgement } from "./evaluator.ts";
import { createEvaluator, lastNumber } from "./evaluators.ts";
import { TimedChecks } from "./timed-check.ts";

const checks = new TimedChecks(1000);
afterAll(() => checks.close());

function judgedOf(output: string, item: Record<string, Json> = {}): Judged {
  return {
    case: { id: "a", input: "question", ...item },
    output,
    result: { output, durationMs: 1 },
    events: [],
    repetition: 1,
    prompt: "question",
    ask: () => Promise.reject(new Error("This evaluator asks no model.")),
  };
}

async function judge(spec: Record<string, Json>, output: string, expected?: Json): Promise<Judgement> {
  const evaluator = createEvaluator(EvaluatorSpec.parse(spec), checks);
  const judged = judgedOf(output, expected === undefined ? {} : { expected });
  return await evaluator.evaluate(judged, AbortSignal.timeout(20_000));
}

test("H6 exact compares texts after the normalisations that were asked for, and no others", async () => {
  expect(await judge({ type: "exact" }, " Paris\n", "Paris")).toMatchObject({ outcome: "passed", score: 1 });
  expect(await judge({ type: "exact" }, "paris", "Paris")).toMatchObject({ outcome: "failed", score: 0 });
  const all = { type: "exact", normalise: ["case", "whitespace", "punctuation", "unicode"] };
  expect(await judge(all, "  The  ﬁnal\nanswer: PARIS! ", "the final answer paris")).toMatchObject({
    outcome: "passed",
  });
  expect(await judge({ type: "exact", normalise: [] }, "Paris ", "Paris")).toMatchObject({ outcome: "failed" });
});

test("H6 exact compares JSON by value where JSON is expected", async () => {
  expect(await judge({ type: "exact" }, '{ "b": [1, 2], "a": true }', { a: true, b: [1, 2] })).toMatchObject({
    outcome: "passed",
  });
  expect(await judge({ type: "exact" }, '{"a":1}', { a: 2 })).toMatchObject({ outcome: "failed" });
  expect(await judge({ type: "exact", value: false }, "false")).toMatchObject({ outcome: "passed" });
});

test("H6 contains scores the share of the texts that occur", async () => {
  const values = ["red", "green", "blue"];
  expect(await judge({ type: "contains", values }, "Red and GREEN")).toMatchObject({ outcome: "failed", score: 2 / 3 });
  expect(await judge({ type: "contains", values, threshold: 0.5 }, "Red and GREEN")).toMatchObject({
    outcome: "passed",
  });
  expect(await judge({ type: "contains", values, match: "any", caseSensitive: true }, "Red")).toMatchObject({
    outcome: "failed",
  });
  expect(await judge({ type: "contains", values, match: "none" }, "yellow")).toMatchObject({ outcome: "passed" });
  expect(await judge({ type: "contains" }, "in Paris", ["Paris"])).toMatchObject({ outcome: "passed" });
});

test("H6 a catastrophic pattern is given up and graded as nothing, and the next check works", async () => {
  const evil = await judge({ type: "regex", pattern: "^(a+)+$" }, `${"a".repeat(40)}!`);
  expect(evil).toMatchObject({ outcome: "ungraded", score: null });
  expect(evil.reason).toContain("1000 ms");
  expect(await judge({ type: "regex", pattern: "^yes", flags: "im" }, "well\nYES")).toMatchObject({
    outcome: "passed",
  });
  expect(await judge({ type: "regex" }, "no", "^yes$")).toMatchObject({ outcome: "failed" });
});

test("H6 a schema with a catastrophic pattern is given up as well", async () => {
  const schema = { type: "object", properties: { a: { type: "string", pattern: "^(a+)+$" } } };
  const answer = JSON.stringify({ a: `${"a".repeat(40)}!` });
  expect(await judge({ type: "json-schema", schema }, answer)).toMatchObject({ outcome: "ungraded" });
});

test("H6 json-schema says what is wrong, and reads a fenced answer unless told not to", async () => {
  const schema = {
    type: "object",
    properties: { n: { type: "integer" } },
    required: ["n"],
    additionalProperties: false,
  };
  const spec = { type: "json-schema", schema };
  expect(await judge(spec, '{"n": 1}')).toMatchObject({ outcome: "passed" });
  expect(await judge(spec, '```json\n{"n": 1}\n```')).toMatchObject({ outcome: "passed" });
  expect(await judge({ ...spec, fenced: false }, '```json\n{"n": 1}\n```')).toMatchObject({ outcome: "failed" });
  expect(await judge(spec, '{"n": "1"}')).toMatchObject({ outcome: "failed", reason: "/n must be integer." });
  expect(await judge(spec, "n is 1")).toMatchObject({ outcome: "failed", reason: "The answer is not JSON." });
});

test("H6 numeric reads the last number and accepts either tolerance", async () => {
  expect(await judge({ type: "numeric" }, "2 + 2 = 4.", 4)).toMatchObject({ outcome: "passed" });
  expect(await judge({ type: "numeric", absolute: 0.5 }, "about 4.4", 4)).toMatchObject({ outcome: "passed" });
  expect(await judge({ type: "numeric", relative: 0.01 }, "1,009 metres", "1000")).toMatchObject({ outcome: "passed" });
  expect(await judge({ type: "numeric", relative: 0.001 }, "1,009 metres", 1000)).toMatchObject({ outcome: "failed" });
  expect(await judge({ type: "numeric" }, "four", 4)).toMatchObject({ outcome: "failed" });
  expect([lastNumber("-1.5e3"), lastNumber("−7"), lastNumber(".5"), lastNumber("none")]).toEqual([
    -1500,
    -7,
    0.5,
    undefined,
  ]);
});

test("H6 a custom evaluator scores between 0 and 1, and a score outside is no score", async () => {
  const length = customEvaluator("short", ({ output }) => (output.length < 5 ? 1 : 0.25), 0.5);
  const signal = AbortSignal.timeout(20_000);
  expect(await length.evaluate(judgedOf("hey"), signal)).toMatchObject({ outcome: "passed", score: 1 });
  expect(await length.evaluate(judgedOf("hello"), signal)).toMatchObject({ outcome: "failed", score: 0.25 });
  expect(await customEvaluator("broken", () => Number.NaN).evaluate(judgedOf(""), signal)).toMatchObject({
    outcome: "ungraded",
  });
});
