import type { Schema } from "./document.ts";

/** How a value of a schema is entered. What no form shows well is written as JSON. */
export type Control =
  | { readonly kind: "text"; readonly multiline: boolean; readonly nullable: boolean }
  | { readonly kind: "number"; readonly integer: boolean; readonly nullable: boolean }
  | { readonly kind: "boolean"; readonly nullable: boolean }
  | { readonly kind: "choice"; readonly options: readonly string[]; readonly nullable: boolean }
  | { readonly kind: "choices"; readonly options: readonly string[] }
  | { readonly kind: "list"; readonly items: Schema }
  | {
      readonly kind: "object";
      readonly fields: readonly { readonly name: string; readonly required: boolean; readonly schema: Schema }[];
    }
  | { readonly kind: "json" };

const json: Control = { kind: "json" };
/** A text that may be longer than this gets room for lines. */
const longLine = 1000;
const deepest = 6;

export function controlOf(given: Schema, schemas: Readonly<Record<string, Schema>>, depth = 0): Control {
  const { schema, nullable } = unwrap(given, schemas);
  if (schema === undefined || depth > deepest) return json;
  if (schema.enum !== undefined) {
    return schema.enum.every((each) => typeof each === "string")
      ? { kind: "choice", options: schema.enum, nullable }
      : json;
  }
  if (typeof schema.const === "string") return { kind: "choice", options: [schema.const], nullable };
  switch (schema.type) {
    case "string":
      return { kind: "text", multiline: (schema.maxLength ?? 0) > longLine, nullable };
    case "integer":
    case "number":
      return { kind: "number", integer: schema.type === "integer", nullable };
    case "boolean":
      return { kind: "boolean", nullable };
    case "array":
      return nullable ? json : listOf(schema.items, schemas, depth);
    case "object":
      return nullable || schema.properties === undefined ? json : objectOf(schema);
    default:
      return json;
  }
}

function listOf(items: Schema | undefined, schemas: Readonly<Record<string, Schema>>, depth: number): Control {
  if (items === undefined) return json;
  const item = controlOf(items, schemas, depth + 1);
  if (item.kind === "json") return json;
  return item.kind === "choice" && !item.nullable
    ? { kind: "choices", options: item.options }
    : { kind: "list", items };
}

function objectOf(schema: Schema): Control {
  return {
    kind: "object",
    fields: Object.entries(schema.properties ?? {}).map(([name, each]) => ({
      name,
      required: schema.required?.includes(name) ?? false,
      schema: each,
    })),
  };
}

/** The schema behind references and `or null`; undefined where there are several of them. */
export function unwrap(
  given: Schema,
  schemas: Readonly<Record<string, Schema>>,
): { readonly schema: Schema | undefined; readonly nullable: boolean } {
  const named = given.$ref === undefined ? given : schemas[given.$ref.slice(given.$ref.lastIndexOf("/") + 1)];
  if (named === undefined) return { schema: undefined, nullable: false };
  const options = named.anyOf ?? named.oneOf;
  if (options !== undefined) {
    const others = options.filter(({ type }) => type !== "null");
    const [only] = others;
    const schema = others.length === 1 && only !== undefined ? unwrap(only, schemas).schema : undefined;
    return { schema, nullable: others.length < options.length };
  }
  if (Array.isArray(named.type)) {
    const types = (named.type as readonly string[]).filter((type) => type !== "null");
    const [only] = types;
    return types.length === 1 && only !== undefined
      ? { schema: { ...named, type: only }, nullable: types.length < named.type.length }
      : { schema: undefined, nullable: false };
  }
  return { schema: named, nullable: false };
}

/** What a schema asks for, in a few words: `integer, 1 to 1000, 100 unless given`. */
export function describe(given: Schema, schemas: Readonly<Record<string, Schema>>): string {
  const { schema, nullable } = unwrap(given, schemas);
  const words = schema === undefined ? ["any JSON"] : [typeWord(schema), ...limits(schema)];
  if (nullable) words.push("or null");
  if (given.default !== undefined) words.push(`${JSON.stringify(given.default)} unless given`);
  return words.join(", ");
}

function typeWord(schema: Schema): string {
  if (schema.enum !== undefined) return "one of these";
  if (schema.type === "array") return "list";
  return typeof schema.type === "string" ? schema.type : "any JSON";
}

/** Limits that nobody would reach are not worth a word. */
const huge = 1_000_000_000;

function limits(schema: Schema): string[] {
  const { minimum, maximum, maxLength, maxItems } = schema;
  const words: string[] = [];
  const top = maximum !== undefined && maximum < huge ? maximum : undefined;
  const bottom = minimum !== undefined && minimum > -huge ? minimum : undefined;
  if (bottom !== undefined && top !== undefined) words.push(`${bottom} to ${top}`);
  else if (top !== undefined) words.push(`at most ${top}`);
  else if (bottom !== undefined) words.push(`at least ${bottom}`);
  if (maxLength !== undefined && schema.enum === undefined)
    words.push(`at most ${maxLength.toLocaleString("en-US")} characters`);
  if (maxItems !== undefined) words.push(`at most ${maxItems}`);
  return words;
}
