import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readDataset } from "./dataset.ts";
import { loadSuite, parseSuite } from "./suite-file.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-suite-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, text: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

async function failure(path: string): Promise<BenchtopError> {
  const thrown: unknown = await loadSuite(path).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (BenchtopError.is(thrown)) return thrown;
  throw new Error("The suite was accepted.", { cause: thrown });
}

const whole = `name: capitals
model: openai/gpt-5.2
prompt: "What is the capital of {{input}}?"
cases:
  - { input: France, expected: Paris }
  - { id: it, input: Italy, expected: Rome }
evaluators:
  - type: contains
`;

test("H6 a suite file becomes a suite with every default in it", async () => {
  expect(await loadSuite(await file("suite.yaml", whole))).toMatchObject({
    name: "capitals",
    models: ["openai/gpt-5.2"],
    repeat: 1,
    concurrency: 4,
    cases: [{ id: "case-1", input: "France" }, { id: "it" }],
    evaluators: [{ type: "contains", match: "all", threshold: 1 }],
    thresholds: {},
  });
});

test("H6 the command line's models and repetitions replace those of the file", async () => {
  const path = await file("override.yaml", whole);
  expect(await loadSuite(path, { models: ["a/b", "c/d"], repeat: 3, concurrency: 2 })).toMatchObject({
    models: ["a/b", "c/d"],
    repeat: 3,
    concurrency: 2,
  });
});

test("H6 a dataset is read from beside the suite, and its errors name its own lines", async () => {
  await file(
    "cases.jsonl",
    '{"input":"France","expected":"Paris"}\n\n{"id":7,"input":{"country":"Italy"},"expected":"Rome"}\n',
  );
  const suite = whole.replace(/cases:\n(?: {2}-.*\n)+/, "dataset: cases.jsonl\n");
  expect((await loadSuite(await file("with-dataset.yaml", suite))).cases).toEqual([
    { id: "line-1", input: "France", expected: "Paris" },
    { id: "7", input: { country: "Italy" }, expected: "Rome" },
  ]);
  await file("cases.jsonl", '{"input":"France","expected":"Paris"}\n{"input":"Italy"\n');
  expect((await failure(await file("with-dataset.yaml", suite))).message).toBe("cases.jsonl:2: This line is not JSON.");
  await file("cases.jsonl", '{"input":"France","expected":"Paris"}\n{"expected":"Rome"}\n');
  expect((await failure(await file("with-dataset.yaml", suite))).message).toMatch(/^cases\.jsonl:2: input: /);
  await file("cases.jsonl", '{"input":"France","expected":"Paris"}\n\n{"input":"Italy"}\n');
  expect((await failure(await file("with-dataset.yaml", suite))).message).toMatch(
    /^cases\.jsonl:3: .*"contains" needs/,
  );
});

test.each([
  ["an unknown field", whole.replace("prompt:", "promt:"), "suite.yaml:3: promt: There is no such field"],
  [
    "a misspelt field that is needed",
    whole.replace("evaluators:", "evaluator:"),
    "suite.yaml:7: evaluator: There is no such field",
  ],
  ["a field that is missing", whole.replace("name: capitals\n", ""), "suite.yaml:1: name: This field is missing"],
  [
    "an id that would steer a terminal",
    whole.replace("id: it", 'id: "\\e[31mit"'),
    "suite.yaml:6: cases.1.id: No line breaks or control characters",
  ],
  ["a field that would steer one", `${whole}"\\e[2J": 1\n`, "suite.yaml:9: \uFFFD[2J: There is no such field"],
  ["a wrong kind of value", `${whole}repeat: many\n`, "suite.yaml:9: repeat: "],
  [
    "an evaluator that does not exist",
    whole.replace("type: contains", "type: vibes"),
    "suite.yaml:8: evaluators.0.type: ",
  ],
  ["a field of an evaluator", `${whole}    threshold: 2\n`, "suite.yaml:9: evaluators.0.threshold: "],
  [
    "a variable that no case has",
    whole.replace("{{input}}", "{{country}}"),
    'suite.yaml:5: cases.0: The prompt uses {{country}}, which case "case-1" does not have',
  ],
  [
    "an id that is used twice",
    whole.replace("{ input: France", "{ id: it, input: France"),
    'suite.yaml:6: cases.1.id: The id "it" is used twice',
  ],
  [
    "a threshold for no evaluator",
    `${whole}thresholds:\n  evaluators:\n    exact: { passRate: 1 }\n`,
    'suite.yaml:11: thresholds.evaluators.exact: There is no evaluator "exact"',
  ],
  ["two evaluators of one name", `${whole}  - type: contains\n`, "suite.yaml:9: evaluators.1.name: Two evaluators"],
  ["a model and models", `${whole}models: [a/b]\n`, "suite.yaml:2: model: Give `model` or `models`, not both"],
  [
    "neither cases nor a dataset",
    whole.replace(/cases:\n(?: {2}-.*\n)+/, ""),
    "suite.yaml:1: name: Give either `cases` or a `dataset`",
  ],
  [
    "a pattern that is none",
    whole.replace("type: contains", "type: regex\n    pattern: '('"),
    'suite.yaml:5: cases.0: The evaluator "regex" has a pattern',
  ],
  [
    "a schema that is none",
    whole.replace("type: contains", "type: json-schema\n    schema: { type: objekt }"),
    "suite.yaml:9: evaluators.0.schema: It is no strict JSON Schema",
  ],
  ["YAML that is none", `${whole}  bad: [1,\n`, "This is not valid YAML"],
  ["a key that is given twice", `${whole}name: again\n`, "suite.yaml:9: This is not valid YAML (duplicate key)."],
])("H6 %s is refused with its place", async (_, text, message) => {
  const error = await failure(await file("suite.yaml", text));
  expect(error.code).toBe("VALIDATION_FAILED");
  expect(error.message).toContain(message);
});

test.each([
  [
    "aliases that multiply",
    `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n`,
  ],
  ["brackets without end", "a: ".padEnd(200_000, "[")],
  ["blocks without end", "- ".repeat(5000)],
  ["an alias of itself", "a: &a [*a]\n"],
  ["a tag that makes code", "name: !!js/function 'function () { return 1 }'\n"],
  ["bytes that are no text", new Uint8Array([0xff, 0xfe, 0x00])],
  ["nothing", ""],
  ["a file that is too large", "#".repeat(5_000_001)],
])("H6 a suite of %s is refused and does no harm", async (_, text) => {
  expect((await failure(await file("evil.yaml", text))).code).toBe("VALIDATION_FAILED");
});

test("H6 a suite that cannot be read says so", async () => {
  expect((await failure(join(folder, "missing.yaml"))).message).toContain("missing.yaml cannot be read (ENOENT)");
  const suite = whole.replace(/cases:\n(?: {2}-.*\n)+/, "dataset: missing.jsonl\n");
  expect((await failure(await file("suite.yaml", suite))).code).toBe("FILE_READ_FAILED");
});

test("H6 a dataset is read line by line across chunks, and refuses what is no text", async () => {
  const rows = Array.from({ length: 3000 }, (_, index) => JSON.stringify({ input: `ä${"x".repeat(100)}${index}` }));
  const path = await file("long.jsonl", rows.join("\n"));
  const read = [];
  for await (const { line, case: item } of readDataset(path)) read.push([line, item.input]);
  expect(read).toHaveLength(3000);
  expect(read.at(-1)).toEqual([3000, `ä${"x".repeat(100)}2999`]);

  const broken = readDataset(await file("broken.jsonl", new Uint8Array([0x7b, 0x7d, 0x0a, 0xff, 0x0a])));
  await expect(broken.next()).rejects.toThrow(/^broken\.jsonl:1: input: /);
  const binary = readDataset(await file("binary.jsonl", new Uint8Array([0xff, 0x0a])));
  await expect(binary.next()).rejects.toThrow("binary.jsonl:1: This line is not UTF-8.");
});

test("H6 a suite that comes as data is checked the same way", () => {
  const suite = { name: "a", models: ["x/y"], evaluators: [{ type: "exact" }], cases: [{ id: "1", input: "q" }] };
  expect(() => parseSuite(suite)).toThrow('cases.0: The evaluator "exact" needs `expected`');
  expect(() => parseSuite({ ...suite, models: ["x"] })).toThrow("models.0: A model is written provider/model");
  expect(() => parseSuite({ ...suite, models: ["x/y", "x/y"], evaluators: [{ type: "numeric", value: 1 }] })).toThrow(
    "named twice",
  );
});
