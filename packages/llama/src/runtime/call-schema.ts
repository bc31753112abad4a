import type { Json } from "@benchtop/protocol";
import type { GbnfJsonSchema } from "node-llama-cpp";

/**
 * The arguments of a tool as far as a grammar of node-llama-cpp's can hold a model to them: required properties with their
 * types, then any others. A property of theirs is always written, so optional ones cannot be named. What this lets pass is for
 * the schema itself to refuse, which whoever executes the call checks anyway. Undefined for a tool that takes nothing.
 */
export function callSchema(schema: Json): GbnfJsonSchema | undefined {
  const object = isObject(schema) ? schema : {};
  const takesNothing = Object.keys(propertiesOf(object)).length === 0 && !isObject(object["additionalProperties"]);
  return takesNothing ? undefined : objectSchema(object, { schema, within: [], budget: { left: 2000 } });
}

/** References are looked up in the whole schema, and not followed within themselves; what is too large is anything. */
interface Place {
  readonly schema: Json;
  readonly within: readonly string[];
  readonly budget: { left: number };
}

type JsonObject = { [key: string]: Json };

function wide(schema: Json | undefined, place: Place): GbnfJsonSchema {
  place.budget.left -= 1;
  if (!isObject(schema) || place.budget.left < 0) return anything();
  const { $ref: target, const: constant, enum: values } = schema;
  if (typeof target === "string") return reference(target, place);
  if (isScalar(constant)) return { const: constant };
  if (Array.isArray(values) && values.length > 0 && values.every(isScalar)) return { enum: values };
  const choices = schema["oneOf"] ?? schema["anyOf"];
  if (Array.isArray(choices) && choices.length > 0) return { oneOf: choices.map((choice) => wide(choice, place)) };
  const types = Array.isArray(schema["type"]) ? schema["type"] : [schema["type"]];
  const [only, ...others] = types.map((type) => ofType(type, schema, place));
  if (only === undefined) return anything();
  return others.length === 0 ? only : { oneOf: [only, ...others] };
}

function ofType(type: Json | undefined, schema: JsonObject, place: Place): GbnfJsonSchema {
  switch (type) {
    case "string":
    case "number":
    case "integer":
    case "boolean":
    case "null":
      return { type };
    case "array":
      return { type: "array", items: wide(schema["items"], place) };
    case "object":
      return objectSchema(schema, place);
    default:
      return anything();
  }
}

function objectSchema(schema: JsonObject, place: Place): GbnfJsonSchema {
  const properties = Object.entries(propertiesOf(schema));
  const required = new Set(Array.isArray(schema["required"]) ? schema["required"] : []);
  const named = properties.filter(([name]) => required.has(name)).map(([name, each]) => [name, wide(each, place)]);
  const more = schema["additionalProperties"];
  const mayHaveMore = named.length < properties.length || more === true || isObject(more) || properties.length === 0;
  return {
    type: "object",
    properties: Object.fromEntries(named) as Record<string, GbnfJsonSchema>,
    ...(mayHaveMore && { additionalProperties: true }),
  };
}

function reference(target: string, place: Place): GbnfJsonSchema {
  const { schema, within } = place;
  if (within.includes(target) || within.length > 16) return anything();
  let found: Json | undefined = schema;
  for (const step of target.startsWith("#/") ? target.slice(2).split("/") : ["", ""]) {
    found = isObject(found) && Object.hasOwn(found, step) ? found[step] : undefined;
  }
  return wide(found, { ...place, within: [...within, target] });
}

function anything(): GbnfJsonSchema {
  return {
    oneOf: [
      { type: ["string", "number", "boolean", "null"] },
      { type: "object", additionalProperties: true },
      { type: "array" },
    ],
  };
}

function propertiesOf(schema: JsonObject): JsonObject {
  return isObject(schema["properties"]) ? schema["properties"] : {};
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isScalar(value: Json | undefined): value is string | number | boolean | null {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}
