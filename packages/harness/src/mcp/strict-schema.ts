import { BenchtopError, type Json } from "@benchtop/protocol";
import type { JsonSchema } from "../tools/tool.ts";

const maxSchemaCharacters = 100_000;
const maxDepth = 40;

/**
 * The input schema of a server in the strict form that a registry takes: JSON Schema 2020-12 with known keywords, every
 * constraint beside its type. Servers write older drafts and keywords of their own; those are translated where that is
 * exact and left out otherwise, since the server checks its arguments itself. A `pattern` goes to the description: an
 * expression of a stranger can stop the process. Throws `VALIDATION_FAILED` for what is no schema, or too large.
 */
export function strictSchema(schema: unknown): JsonSchema {
  if (!isObject(schema)) throw refused("its input schema is missing");
  if (schema["type"] !== undefined && schema["type"] !== "object") throw refused("its input is not an object");
  if (JSON.stringify(schema).length > maxSchemaCharacters) {
    throw refused(`its input schema is longer than ${maxSchemaCharacters} characters`);
  }
  return { ...strict({ ...schema, type: "object" }, 0), type: "object" };
}

type Schema = { [keyword: string]: Json };

/** Keywords whose value is a schema, a list of schemas, or schemas by name. */
const single = new Set(["additionalProperties", "not", "contains", "if", "then", "else", "propertyNames", "items"]);
const lists = new Set(["anyOf", "oneOf", "allOf", "prefixItems"]);
const named = new Set(["properties", "$defs", "definitions", "dependentSchemas"]);

/** Keywords that stay as they are, and the type of value that they constrain; `any` for every type. */
const constraints: Readonly<Record<string, string>> = {
  type: "any",
  enum: "any",
  const: "any",
  $ref: "any",
  title: "any",
  description: "any",
  default: "any",
  examples: "any",
  deprecated: "any",
  format: "string",
  minLength: "string",
  maxLength: "string",
  minimum: "number",
  maximum: "number",
  exclusiveMinimum: "number",
  exclusiveMaximum: "number",
  multipleOf: "number",
  minItems: "array",
  maxItems: "array",
  uniqueItems: "array",
  minContains: "array",
  maxContains: "array",
  required: "object",
  minProperties: "object",
  maxProperties: "object",
  dependentRequired: "object",
};
const typeOfApplicator: Readonly<Record<string, string>> = {
  properties: "object",
  additionalProperties: "object",
  propertyNames: "object",
  dependentSchemas: "object",
  items: "array",
  prefixItems: "array",
  contains: "array",
};

function strict(schema: Schema, depth: number): Schema {
  if (depth > maxDepth) throw refused(`its input schema is nested deeper than ${maxDepth} levels`);
  const source = modern(schema);
  const result: Schema = {};
  for (const [keyword, value] of Object.entries(source)) {
    if (single.has(keyword)) result[keyword] = part(value, depth);
    else if (lists.has(keyword) && Array.isArray(value)) result[keyword] = value.map((item) => part(item, depth));
    else if (named.has(keyword) && isObject(value)) {
      result[keyword] = Object.fromEntries(Object.entries(value).map(([name, item]) => [name, part(item, depth)]));
    } else if (keyword in constraints) result[keyword] = value;
  }
  return withTypes(result);
}

function part(value: Json, depth: number): Json {
  if (typeof value === "boolean") return value;
  if (!isObject(value)) throw refused("a part of its input schema is no schema");
  return strict(value, depth + 1);
}

/** What older drafts and OpenAPI wrote in another way. */
function modern(schema: Schema): Schema {
  const result = { ...schema };
  if (Array.isArray(result["items"])) {
    result["prefixItems"] = result["items"];
    delete result["items"];
    if (result["additionalItems"] !== undefined) result["items"] = result["additionalItems"];
  }
  for (const limit of ["exclusiveMinimum", "exclusiveMaximum"]) {
    if (typeof result[limit] === "boolean") delete result[limit];
  }
  if (result["nullable"] === true && typeof result["type"] === "string") result["type"] = [result["type"], "null"];
  // What its patterns allow would be forbidden without them.
  if (isObject(result["patternProperties"])) delete result["additionalProperties"];
  if (typeof result["pattern"] === "string") {
    const said = typeof result["description"] === "string" ? `${result["description"]} ` : "";
    result["description"] = `${said}(pattern: ${result["pattern"].slice(0, 500)})`;
  }
  if (typeof result["required"] === "boolean") delete result["required"];
  return result;
}

/** A constraint without the type that it is about is ignored by other values, and refused by the registry: it gets its type, or goes. */
function withTypes(schema: Schema): Schema {
  const about = new Set(
    Object.keys(schema)
      .map((keyword) => constraints[keyword] ?? typeOfApplicator[keyword] ?? "any")
      .filter((type) => type !== "any"),
  );
  const types = typesOf(schema);
  if (about.size === 0 || (types && [...about].every((type) => types.includes(type)))) return closedTuple(schema);
  const [only] = about;
  if (!types && about.size === 1 && only !== undefined) return closedTuple({ type: only, ...schema });
  const kept = Object.entries(schema).filter(([keyword]) => {
    const type = constraints[keyword] ?? typeOfApplicator[keyword] ?? "any";
    return type === "any" || types?.includes(type) === true;
  });
  return closedTuple(Object.fromEntries(kept));
}

function typesOf({ type }: Schema): string[] | undefined {
  if (type === undefined) return undefined;
  const types = (Array.isArray(type) ? type : [type]).map(String);
  return types.includes("integer") ? [...types, "number"] : types;
}

/** A strict tuple has as many items as it describes; one that may be shorter or longer has no strict form. */
function closedTuple(schema: Schema): Schema {
  const { prefixItems, items, ...rest } = schema;
  if (!Array.isArray(prefixItems)) return schema;
  const exact = rest["minItems"] === prefixItems.length && (items === false || rest["maxItems"] === prefixItems.length);
  return exact ? { ...rest, prefixItems, items: false } : rest;
}

function isObject(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refused(why: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `The tool cannot be used: ${why}.`);
}
