import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { operation, operations, type Operation } from "../packages/operations/src/index.ts";
import { lock, problemsOf } from "../scripts/api-shapes/lock.ts";
import { changesBetween, shapesOf } from "../scripts/api-shapes/shape.ts";

const root = resolve(import.meta.dirname, "..");

test("W4 the API is what its last version note says: whoever changes a public operation writes one", () => {
  expect(problemsOf(root, shapesOf(Object.values(operations)))).toEqual([]);
});

const Event = z.discriminatedUnion("type", [
  z.object({ type: z.literal("Started"), at: z.string() }),
  z.object({ type: z.literal("Ended"), at: z.string(), reason: z.string().optional() }),
]);
const input = z.object({
  plantId: z.string().max(100),
  litres: z.number().min(0).default(1),
  mode: z.enum(["rain", "can"]).optional(),
  note: z.string().nullable().optional(),
  tags: z.array(z.string()).optional(),
});
const output = z.object({
  watered: z.boolean(),
  level: z.enum(["low", "high"]),
  by: z.string().nullable(),
  hint: z.string().optional(),
  events: z.array(Event),
});
const water = operation({
  id: "garden.water",
  rpc: "GardenWater",
  method: "POST",
  path: "/api/v1/garden/{plantId}",
  permission: "workbenches:write",
  summary: "Water a plant.",
  input,
  output,
  errors: ["NOT_FOUND"],
});
const changesTo = (changed: Partial<Operation>) =>
  changesBetween(shapesOf([water]), shapesOf([{ ...water, ...changed }]));

describe("W4 what a program relies on", () => {
  test.each<[string, Partial<Operation>]>([
    ["the route", { path: "/api/v1/gardens/{plantId}" }],
    ["the method", { method: "PUT" }],
    ["the RPC name", { rpc: "WaterGarden" }],
    ["the permission", { permission: "runs:write" }],
    ["the status", { status: 201 }],
    ["a field that is taken no more", { input: input.omit({ note: true }) }],
    ["a field that must be given", { input: input.extend({ where: z.string() }) }],
    ["an optional field that must be given", { input: input.required({ mode: true }) }],
    ["a value that is refused", { input: input.extend({ mode: z.enum(["rain"]).optional() }) }],
    ["null that is refused", { input: input.extend({ note: z.string().optional() }) }],
    ["a lower limit", { input: input.extend({ plantId: z.string().max(10) }) }],
    ["a limit where there was none", { input: input.extend({ tags: z.array(z.string()).max(3).optional() }) }],
    ["a pattern", { input: input.extend({ plantId: z.string().max(100).regex(/^p/) }) }],
    ["another default", { input: input.extend({ litres: z.number().min(0).default(2) }) }],
    ["another type", { input: input.extend({ litres: z.string().default("1") }) }],
    ["whole numbers alone", { input: input.extend({ litres: z.int().min(0).default(1) }) }],
    ["items of another type", { input: input.extend({ tags: z.array(z.number()).optional() }) }],
    ["an answer without a field", { output: output.omit({ watered: true }) }],
    ["an answer whose field may be absent", { output: output.partial({ watered: true }) }],
    ["an answer that may be null", { output: output.extend({ watered: z.boolean().nullable() }) }],
    ["an answer of another type", { output: output.extend({ watered: z.string() }) }],
    ["an answer of more types", { output: output.extend({ by: z.union([z.string(), z.number()]).nullable() }) }],
    ["an answer whose values are others", { output: output.extend({ level: z.enum(["dry"]) }) }],
    [
      "a field of one type of event",
      {
        output: output.extend({
          events: z.array(z.discriminatedUnion("type", [z.object({ type: z.literal("Started") }), Event.options[1]])),
        }),
      },
    ],
  ])("%s: changing it is breaking", (_, changed) => {
    expect(changesTo(changed).filter(({ kind }) => kind === "breaking")).not.toEqual([]);
  });

  test.each<[string, Partial<Operation>]>([
    ["a field that may be given", { input: input.extend({ where: z.string().optional() }) }],
    ["a value that is taken", { input: input.extend({ mode: z.enum(["rain", "can", "hose"]).optional() }) }],
    ["a field that may be left out", { input: input.partial({ plantId: true }) }],
    ["null that is taken", { input: input.extend({ mode: z.enum(["rain", "can"]).nullable().optional() }) }],
    ["a higher limit", { input: input.extend({ plantId: z.string().max(200) }) }],
    ["a new field of the answer", { output: output.extend({ at: z.string() }) }],
    ["a new value in the answer", { output: output.extend({ level: z.enum(["low", "high", "flood"]) }) }],
    ["an answer that is always there", { output: output.required({ hint: true }) }],
    ["an answer that is never null", { output: output.extend({ by: z.string() }) }],
    ["a new error", { errors: ["NOT_FOUND", "DISK_FULL"] }],
    [
      "a new type of event",
      {
        output: output.extend({
          events: z.array(z.discriminatedUnion("type", [...Event.options, z.object({ type: z.literal("Paused") })])),
        }),
      },
    ],
  ])("%s is an addition", (_, changed) => {
    const changes = changesTo(changed);
    expect(changes).not.toEqual([]);
    expect(changes.filter(({ kind }) => kind === "breaking")).toEqual([]);
  });

  test("a new operation is an addition, and one that is gone is breaking", () => {
    expect(changesBetween({}, shapesOf([water]))).toMatchObject([{ kind: "additive" }]);
    expect(changesBetween(shapesOf([water]), {})).toMatchObject([{ kind: "breaking" }]);
    expect(changesTo({ summary: "Water it." })).toEqual([]);
  });
});

describe("W4 a change of the API", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "benchtop-shapes-"));
    cpSync(join(root, "packages/operations/src/version.ts"), join(folder, "packages/operations/src/version.ts"));
    cpSync(join(root, "docs/api-changes.md"), join(folder, "docs/api-changes.md"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const before = shapesOf([water]);
  const more = shapesOf([{ ...water, input: input.extend({ where: z.string().optional() }) }]);
  const less = shapesOf([{ ...water, output: output.omit({ watered: true }) }]);
  const note = (text: string) => writeFileSync(join(folder, "docs/api-changes.md"), `# Changes\n\n${text}\n`);

  test("is not taken without a note that names the operation and has a high enough number", () => {
    note("## 1.0\n\nThe first.");
    lock(folder, before);
    expect(problemsOf(folder, before)).toEqual([]);
    expect(problemsOf(folder, more)).toEqual(["additive: `garden.water` input.where is new"]);
    expect(() => lock(folder, more)).toThrow("needs a note for version 1.1");
    note("## 1.1\n\nSomething.\n\n## 1.0\n\nThe first.");
    expect(() => lock(folder, more)).toThrow("does not name these operations");
    note("## 1.1\n\n`garden.water` may be told where.\n\n## 1.0\n\nThe first.");
    expect(lock(folder, more)).toHaveLength(1);
    expect(problemsOf(folder, more)).toEqual([]);
    expect(readFileSync(join(folder, "packages/operations/src/version.ts"), "utf8")).toContain('"1.1"');
  });

  test("needs another major number when something is taken away", () => {
    note("## 1.2\n\n`garden.water` says less.\n\n## 1.1\n\nBefore.");
    expect(() => lock(folder, less)).toThrow("needs a note for version 2.0");
    note("## 2.0\n\n`garden.water` says less.\n\n## 1.1\n\nBefore.");
    expect(lock(folder, less).map(({ kind }) => kind)).toContain("breaking");
  });

  test("cannot be slipped in by writing over the shapes", () => {
    const file = join(folder, "docs/api-shapes.json");
    writeFileSync(file, JSON.stringify({ version: "2.0", operations: before }));
    expect(problemsOf(folder, before)).toEqual(["the note of 2.0 is for other shapes"]);
  });
});
