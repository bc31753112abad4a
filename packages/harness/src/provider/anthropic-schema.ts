import type { Json } from "@benchtop/protocol";
import type { JsonSchema } from "../tools/tool.ts";

/**
 * A schema in the part of JSON Schema that Anthropic's decoder guarantees; undefined where that would be another schema: it
 * refers to itself, leaves an object open, or has more optional members than are taken. A limit that the decoder does not
 * know becomes a sentence of the description, for the model to read and the loop to check.
 * https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
 */
export function decodableSchema(schema: JsonSchema): JsonSchema | undefined {
  const reduction: Reduction = { optional: 0 };
  try {
    const reduced = reduce(schema, reduction, 0);
    return reduction.optional <= mostOptional && !refersToItself(schema) ? reduced : undefined;
  } catch (thrown) {
    if (thrown instanceof NotDecodable) return undefined;
    throw thrown;
  }
}

const mostOptional = 24;
const deepest = 32;

interface Reduction {
  optional: number;
}

class NotDecodable extends Error {}

function reduce(schema: Json | undefined, reduction: Reduction, depth: number): JsonSchema {
  if (!isObject(schema) || depth > deepest) throw new NotDecodable();
  const reducePart = (part: Json) => reduce(part, reduction, depth + 1);
  const reduced: Record<string, Json> = {};
  const limits: string[] = [];
  for (const [keyword, value] of Object.entries(schema)) {
    switch (keyword) {
      case "properties":
      case "$defs":
      case "definitions":
        reduced[keyword] = eachMember(value, reducePart);
        break;
      case "anyOf":
      case "oneOf":
        reduced["anyOf"] = eachItem(value, reducePart);
        break;
      case "allOf":
        reduced[keyword] = eachItem(value, reducePart);
        break;
      case "items":
        reduced[keyword] = reducePart(value);
        break;
      case "additionalProperties":
        if (value !== false) throw new NotDecodable();
        break;
      case "$schema":
      case "$id":
        break;
      default:
        if (kept.has(keyword) || (keyword === "format" && formats.has(value))) reduced[keyword] = value;
        else if (limiting.has(keyword)) limits.push(`${keyword}: ${JSON.stringify(value)}`);
        else throw new NotDecodable();
    }
  }
  const { description } = schema;
  const words = typeof description === "string" ? [description, limits.join(", ")] : [limits.join(", ")];
  return closed(limits.length > 0 ? { ...reduced, description: words.join("\n") } : reduced, reduction);
}

function eachMember(value: Json, reducePart: (part: Json) => JsonSchema): Json {
  if (!isObject(value)) throw new NotDecodable();
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, reducePart(part)]));
}

function eachItem(value: Json, reducePart: (part: Json) => JsonSchema): Json {
  if (!Array.isArray(value)) throw new NotDecodable();
  return value.map(reducePart);
}

function closed(schema: Record<string, Json>, reduction: Reduction): JsonSchema {
  const { type, properties, required } = schema;
  const isObjectType = type === "object" || (Array.isArray(type) && type.includes("object"));
  if (!isObjectType && properties === undefined) return schema;
  if (!isObject(properties)) throw new NotDecodable();
  reduction.optional += Object.keys(properties).length - (Array.isArray(required) ? required.length : 0);
  return { ...schema, additionalProperties: false };
}

/** True when a definition reaches itself. References elsewhere than to definitions count as such: they cannot be followed. */
function refersToItself(root: JsonSchema): boolean {
  const finished = new Set<string>();
  const visit = (name: string, above: readonly string[]): boolean => {
    if (above.includes(name)) return true;
    if (finished.has(name)) return false;
    const [, keyword = "", key = ""] = /^#\/(\$defs|definitions)\/([^/]+)$/.exec(name) ?? [];
    const definitions = root[keyword];
    const target = isObject(definitions) ? definitions[key] : undefined;
    if (target === undefined) return true;
    const isCircular = references(target).some((reference) => visit(reference, [...above, name]));
    finished.add(name);
    return isCircular;
  };
  return references(root).some((reference) => visit(reference, []));
}

function references(value: Json): string[] {
  if (Array.isArray(value)) return value.flatMap(references);
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, part]) =>
    key === "$ref" && typeof part === "string" ? [part] : references(part),
  );
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const kept: ReadonlySet<string> = new Set([
  "type",
  "enum",
  "const",
  "$ref",
  "title",
  "description",
  "default",
  "required",
]);
const limiting: ReadonlySet<string> = new Set(
  (
    "minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength pattern minItems maxItems " +
    "uniqueItems minProperties maxProperties format examples"
  ).split(" "),
);
const formats: ReadonlySet<Json> = new Set("date-time time date duration email hostname uri ipv4 ipv6 uuid".split(" "));
