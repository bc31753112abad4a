import * as fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { casingOf, operations, snakeName, type Operation } from "./index.ts";

/** A value in both spellings, made from a schema the slow and obvious way. */
type Pair = readonly [camel: unknown, snake: unknown];

/** Free-form values, with every name that a careless conversion could touch. */
const freeForm = fc
  .letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom(null, true, 1.5, "workbenchId", "run_id"),
      fc.array(tie("value"), { maxLength: 2 }),
      fc.dictionary(fc.constantFrom("runId", "run_id", "inputTokens", "type", "", "__proto__"), tie("value"), {
        maxKeys: 3,
        noNullPrototype: true,
      }),
    ),
  }))
  .value.map((value) => structuredClone(value));

const alike = (arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<Pair> => arbitrary.map((value) => [value, value]);

function pairs(schema: z.ZodType): fc.Arbitrary<Pair> {
  if (schema instanceof z.ZodObject) return objectPairs(schema.shape);
  if (schema instanceof z.ZodIntersection) {
    return fc.tuple(pairs(schema.def.left as z.ZodType), pairs(schema.def.right as z.ZodType)).map(([left, right]) => [
      { ...(left[0] as object), ...(right[0] as object) },
      { ...(left[1] as object), ...(right[1] as object) },
    ]);
  }
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return pairs(schema.unwrap() as z.ZodType);
  if (schema instanceof z.ZodNullable) {
    return fc.oneof(alike(fc.constant(null)), pairs(schema.unwrap() as z.ZodType));
  }
  if (schema instanceof z.ZodArray) return listPairs(fc.array(pairs(schema.element as z.ZodType), { maxLength: 2 }));
  if (schema instanceof z.ZodTuple) {
    return listPairs(fc.tuple(...(schema.def.items as z.ZodType[]).map((item) => pairs(item))));
  }
  if (schema instanceof z.ZodRecord) {
    const keys = fc.constantFrom("exactMatch", "exact_match", "model-graded");
    return fc
      .dictionary(keys, pairs(schema.valueType as z.ZodType), { noNullPrototype: true })
      .map((entries) => [
        Object.fromEntries(Object.entries(entries).map(([key, [camel]]) => [key, camel])),
        Object.fromEntries(Object.entries(entries).map(([key, [, snake]]) => [key, snake])),
      ]);
  }
  if (schema instanceof z.ZodUnion) return fc.oneof(...(schema.options as z.ZodType[]).map((option) => pairs(option)));
  if (schema instanceof z.ZodLiteral) return alike(fc.constantFrom(...schema.values));
  if (schema instanceof z.ZodEnum) return alike(fc.constantFrom(...schema.options));
  if (schema instanceof z.ZodLazy) {
    const inner = schema.unwrap() as z.ZodType;
    return inner instanceof z.ZodUnion ? alike(freeForm) : pairs(inner);
  }
  if (schema instanceof z.ZodPipe) return pairs(schema.in as z.ZodType);
  return alike(fc.oneof(fc.string(), fc.integer(), fc.boolean()));
}

function objectPairs(shape: Record<string, z.ZodType>): fc.Arbitrary<Pair> {
  const names = Object.keys(shape);
  const optional = new Set(names.filter((name) => shape[name] instanceof z.ZodOptional));
  const fields = Object.fromEntries(names.map((name) => [name, pairs(shape[name]!)]));
  const required = names.filter((name) => !optional.has(name));
  return fc
    .record(fields, { requiredKeys: required, noNullPrototype: true })
    .map((values) => [
      Object.fromEntries(Object.entries(values).map(([name, pair]) => [name, pair[0]])),
      Object.fromEntries(Object.entries(values).map(([name, pair]) => [snakeName(name), pair[1]])),
    ]);
}

function listPairs(list: fc.Arbitrary<readonly Pair[]>): fc.Arbitrary<Pair> {
  return list.map((items) => [items.map(([camel]) => camel), items.map(([, snake]) => snake)]);
}

const all = Object.values(operations) as Operation[];

test.each(all.map((operation) => [operation.rpc, operation] as const))(
  "S12 what %s takes and answers is spelled in both ways, and nothing free-form is touched",
  (_, { input, output }) => {
    for (const schema of [input, output]) {
      const { toSnake, toCamel } = casingOf(schema);
      fc.assert(
        fc.property(pairs(schema), ([camel, snake]) => {
          expect(toSnake(camel)).toEqual(snake);
          expect(toCamel(snake)).toEqual(camel);
        }),
        { numRuns: 25 },
      );
    }
  },
);

test("S12 no name of any operation has anything but lower-case letters, digits and underscores in snake_case", () => {
  const names = new Set(all.flatMap(({ input }) => Object.keys(input.shape)).map(snakeName));
  for (const name of names) expect(name).toMatch(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
});

test("S12 a field in camelCase is refused and not passed over, however deep it is", () => {
  const { toCamel } = casingOf(
    z.object({ workbenchId: z.string(), items: z.array(z.object({ dryRun: z.boolean() })) }),
  );
  for (const value of [{ workbenchId: "x" }, { workbench_id: "x", items: [{ dryRun: true }] }]) {
    expect(() => toCamel(value)).toThrow(
      expect.objectContaining({ code: "VALIDATION_FAILED", message: expect.stringContaining("snake_case") as unknown }),
    );
  }
});

test("names that a schema does not know stay as they are", () => {
  const { toCamel, toSnake } = casingOf(z.object({ runId: z.string() }));
  expect(toCamel({ run_id: "r", someThing: { runId: 1 } })).toEqual({ runId: "r", someThing: { runId: 1 } });
  expect(toSnake({ runId: "r", someThing: 1 })).toEqual({ run_id: "r", someThing: 1 });
});

test("a field called __proto__ changes no prototype", () => {
  const { toCamel } = casingOf(z.object({ runId: z.string() }));
  const converted = toCamel(JSON.parse('{"run_id":"r","__proto__":{"admin":true}}')) as { admin?: boolean };
  expect(converted.admin).toBeUndefined();
  expect(Object.getPrototypeOf(converted)).toBe(Object.prototype);
});

test("what needs no conversion is not copied", () => {
  const value = { name: "x", tags: [{ note: 1 }] };
  const { toSnake, toCamel } = casingOf(z.object({ name: z.string(), tags: z.array(z.object({ note: z.int() })) }));
  expect(toSnake(value)).toBe(value);
  expect(toCamel(value)).toBe(value);
});

test("a value of a union is spelled as the option that it fits", () => {
  const { toSnake, toCamel } = casingOf(
    z.union([z.object({ fileId: z.string() }), z.record(z.string(), z.int()), z.string(), z.array(z.int())]),
  );
  expect(toSnake({ fileId: "f" })).toEqual({ file_id: "f" });
  expect(toSnake({ fileId: 1 })).toEqual({ fileId: 1 });
  expect(toCamel({ file_id: "f" })).toEqual({ fileId: "f" });
  expect(toCamel({ file_id: 1 })).toEqual({ file_id: 1 });
  expect(toCamel(["file_id"])).toEqual(["file_id"]);
});

test("a schema that refers to itself is followed", () => {
  interface Tree {
    nodeName: string;
    childNodes: Tree[];
  }
  const Tree: z.ZodType<Tree> = z.object({ nodeName: z.string(), childNodes: z.array(z.lazy(() => Tree)) });
  const { toSnake } = casingOf(Tree);
  expect(toSnake({ nodeName: "a", childNodes: [{ nodeName: "b", childNodes: [] }] })).toEqual({
    node_name: "a",
    child_nodes: [{ node_name: "b", child_nodes: [] }],
  });
});
