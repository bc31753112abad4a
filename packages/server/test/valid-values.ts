import * as fc from "fast-check";
import { z } from "zod";

/** Values that a schema allows, of every shape that the operations use. Objects are plain, and absent fields are left out. */
export function validValues(schema: z.ZodType, depth = 0): fc.Arbitrary<unknown> {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) {
    return fc.option(validValues(schema.unwrap() as z.ZodType, depth), { nil: undefined });
  }
  if (schema instanceof z.ZodNullable)
    return fc.option(validValues(schema.unwrap() as z.ZodType, depth), { nil: null });
  if (schema instanceof z.ZodLazy) return validLazy(schema, depth);
  if (schema instanceof z.ZodObject) return validObject(schema, depth);
  if (schema instanceof z.ZodIntersection) {
    const sides = [schema.def.left, schema.def.right].map((side) => validValues(side as z.ZodType, depth));
    return fc.tuple(...sides).map(([left, right]) => ({ ...(left as object), ...(right as object) }));
  }
  if (schema instanceof z.ZodArray) {
    return fc.array(validValues(schema.element as z.ZodType, depth + 1), {
      minLength: minimumOf(schema),
      maxLength: 3,
    });
  }
  if (schema instanceof z.ZodTuple) {
    return fc.tuple(...(schema.def.items as z.ZodType[]).map((item) => validValues(item, depth)));
  }
  if (schema instanceof z.ZodRecord) {
    return fc.dictionary(fc.string({ maxLength: 8 }), validValues(schema.valueType as z.ZodType, depth + 1), {
      maxKeys: 3,
    });
  }
  if (schema instanceof z.ZodUnion) {
    const options = (schema.options as z.ZodType[]).filter((option) => !(option instanceof z.ZodCodec));
    return fc.oneof(...options.map((option) => validValues(option, depth)));
  }
  if (schema instanceof z.ZodLiteral) return fc.constantFrom(...schema.values);
  if (schema instanceof z.ZodEnum) return fc.constantFrom(...schema.options);
  if (schema instanceof z.ZodBoolean) return fc.boolean();
  if (schema instanceof z.ZodNull) return fc.constant(null);
  if (schema instanceof z.ZodNumber) return validNumber(schema);
  if (schema instanceof z.ZodString || schema instanceof z.ZodStringFormat) {
    return fc.oneof(
      fc.string({ unit: "binary", maxLength: 12 }),
      fc.constantFrom("", "a".repeat(64), "provider/model"),
    );
  }
  throw new TypeError(`No values are known for a schema of the type ${schema.type}.`);
}

/** Free-form JSON contains itself; everything else that is lazy does not. */
function validLazy(schema: z.ZodLazy, depth: number): fc.Arbitrary<unknown> {
  const inner = schema.unwrap() as z.ZodType;
  if (!(inner instanceof z.ZodUnion)) return validValues(inner, depth);
  return fc.jsonValue({ maxDepth: Math.max(0, 3 - depth) }).map(withoutNegativeZero);
}

function validObject(schema: z.ZodObject, depth: number): fc.Arbitrary<unknown> {
  const fields = Object.entries(schema.shape);
  const known = fc.record(Object.fromEntries(fields.map(([key, field]) => [key, validValues(field, depth + 1)])));
  const { catchall } = schema.def;
  const isOpen = catchall !== undefined && !(catchall instanceof z.ZodNever);
  const rest = isOpen
    ? fc.dictionary(fc.stringMatching(/^x[a-z]{1,5}$/), fc.jsonValue({ maxDepth: 1 }))
    : fc.constant({});
  return fc
    .tuple(known, rest)
    .map(([named, others]) =>
      Object.fromEntries(
        Object.entries({ ...named, ...(withoutNegativeZero(others) as object) }).filter(
          ([, value]) => value !== undefined,
        ),
      ),
    );
}

function validNumber(schema: z.ZodNumber): fc.Arbitrary<number> {
  const min = Math.max(schema.minValue ?? -Infinity, Number.MIN_SAFE_INTEGER);
  const max = Math.min(schema.maxValue ?? Infinity, Number.MAX_SAFE_INTEGER);
  return schema.isInt
    ? fc.integer({ min: Math.ceil(min), max: Math.floor(max) })
    : fc.double({ min, max, noNaN: true }).map((value) => value + 0);
}

function minimumOf(schema: z.ZodArray): number {
  return (schema._zod.bag as { readonly minimum?: number }).minimum ?? 0;
}

/** JSON has no −0. */
function withoutNegativeZero(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value)) as unknown;
}
