import type { Operation, OperationId } from "@benchtop/operations";
import * as fc from "fast-check";
import { z } from "zod";
import { exampleInputs, type Belongings } from "../example-inputs.ts";

type Input = Record<string, unknown>;
interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

/**
 * Inputs as an attacker would make them from the published schema: a valid one of which some fields are replaced by a value
 * of the right type, of a wrong one, or by something that breaks parsers, and to which unknown fields are added.
 */
export function hostileInputs(operation: Operation, belongings: Belongings): fc.Arbitrary<Input> {
  const example = exampleInputs[operation.id as OperationId].input(belongings);
  const schema = z.toJSONSchema(operation.input, { io: "input", unrepresentable: "any" }) as Schema;
  const fields = Object.entries(schema.properties ?? {}).filter(([name]) => !onThisMachine.has(name));
  if (fields.length === 0) return fc.tuple(stray).map(([extra]) => ({ ...example, ...extra }));
  const change = fc
    .constantFrom(...fields)
    .chain(([name, type]) => fc.tuple(fc.constant(name), fc.oneof(typed(type), anything)));
  return fc
    .tuple(fc.array(change, { minLength: 1, maxLength: 3 }), fc.option(stray, { nil: {} }), fc.boolean())
    .map(([changes, extra, drop]) => {
      const input: Input = { ...example, ...extra };
      for (const [name, value] of changes) {
        if (drop && changes.length === 2) delete input[name];
        else define(input, name, value);
      }
      return input;
    });
}

/** Fields that name folders of this machine or addresses: what a test must not fill with anything. */
const onThisMachine = new Set(["sources", "destinationDir", "baseUrl"]);

function define(input: Input, name: string, value: unknown): void {
  Object.defineProperty(input, name, { value, enumerable: true, configurable: true, writable: true });
}

/** A value that the schema allows, or nearly. */
function typed(schema: Schema, depth = 0): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined && depth < 4) return fc.oneof(...choices.map((choice) => typed(choice, depth + 1)));
  switch (schema.type) {
    case "string":
      return text;
    case "integer":
    case "number":
      return fc.oneof(
        fc.integer(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.constantFrom(0, -1, 2 ** 53),
      );
    case "boolean":
      return fc.boolean();
    case "array":
      return fc.array(depth < 4 && schema.items ? typed(schema.items, depth + 1) : text, { maxLength: 5 });
    case "object": {
      const properties = Object.entries(schema.properties ?? {});
      if (properties.length === 0 || depth >= 4) return fc.dictionary(text, fc.jsonValue(), { maxKeys: 4 });
      const parts = Object.fromEntries(properties.map(([name, part]) => [name, typed(part, depth + 1)]));
      return fc.record(parts, { requiredKeys: [] });
    }
    default:
      return fc.jsonValue();
  }
}

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom(
    "",
    "\0",
    "a\0b",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\Windows",
    "con",
    "wb_0",
    "run_0",
    "__proto__",
    "constructor",
    "%00",
    "%2e%2e%2f",
    "' OR 1=1 --",
    "{{constructor}}",
    "\u202Egnp.exe",
    "\uD800",
    "𝕳𝖊𝖑𝖑𝖔",
    "a".repeat(20_000),
    "2026-02-30T99:99:99Z",
    "9".repeat(400),
  ),
);

const anything = fc.oneof(
  text,
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    1e308,
    2 ** 63,
    [],
    {},
    [[]],
    nested(2000),
    Array.from({ length: 20_000 }, (_, index) => index),
    Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`field${index}`, index])),
  ),
);

const stray = fc.constantFrom<Input>(
  { unknown: 1 },
  { workspaceId: "ws_of_somebody_else" },
  { userId: "owner" },
  JSON.parse('{"__proto__": {"permissions": ["system:read"]}}') as Input,
  { constructor: { prototype: { polluted: true } } },
  { toString: "x" },
);

function nested(depth: number): unknown {
  let value: unknown = [];
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}
