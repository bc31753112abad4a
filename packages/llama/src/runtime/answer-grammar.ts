import type { Json } from "@benchtop/protocol";
import { refused } from "./check-request.ts";
import { requestLimits as limits } from "./limits.ts";

/**
 * A grammar (GBNF) of the JSON texts that a schema allows, so that a model can write nothing else. Properties come in the order
 * of the schema, optional ones where the model wants them. What a grammar cannot promise (a `pattern`, a bound of a fraction) is
 * refused by name, `VALIDATION_FAILED`; annotations, and `format`, which is one, are passed over (JSON Schema 2020-12, 7.2.1).
 */
export function answerGrammar(schema: Json): string {
  const rules = new Map<string, string>(basicRules);
  const references = new Map<string, string>();
  let made = 0;

  const add = (name: string, body: string): string => {
    made += body.length;
    if (made > limits.grammarLength * 8) throw refused("The schema of the answer makes too large a grammar.");
    rules.set(name, body);
    return name;
  };
  const fresh = (): string => `r${rules.size}`;
  const named = (body: string): string => (/^[a-z0-9-]+$/.test(body) ? body : add(fresh(), body));

  const visit = (value: Json | undefined, path: string): string => {
    if (value === undefined || value === true) return "value";
    if (value === false) throw refused(`Nothing is allowed at ${path} of the schema: no answer is possible.`);
    if (!isObject(value)) throw refused(`There is no schema at ${path}.`);
    for (const keyword of unsupported) {
      if (keyword in value && value[keyword] !== false) {
        throw refused(
          `A grammar cannot promise "${keyword}" (at ${path} of the schema). Leave it out, or ask without a schema.`,
        );
      }
    }
    if (typeof value["$ref"] === "string") return reference(value["$ref"], path);
    if ("const" in value) return literal(value["const"] ?? null);
    if ("enum" in value) return alternatives(arrayAt(value, "enum", path).map(literal), path);
    for (const keyword of ["oneOf", "anyOf", "allOf"]) {
      if (!(keyword in value)) continue;
      const schemas = arrayAt(value, keyword, path);
      const beside = constraints.find((each) => each in value && each !== "type" && each !== keyword);
      if (beside !== undefined || (keyword === "allOf" && schemas.length > 1)) {
        throw refused(`A grammar cannot promise "${keyword}" beside other conditions (at ${path} of the schema).`);
      }
      return alternatives(
        schemas.map((each, index) => visit(each, `${path}/${keyword}/${index}`)),
        path,
      );
    }
    const types = typeof value["type"] === "string" ? [value["type"]] : typesOf(value, path);
    return alternatives(
      types.map((type) => ofType(type, value, path)),
      path,
    );
  };

  const ofType = (type: Json, value: JsonObject, path: string): string => {
    if (type === "object") return objectOf(value, path);
    if (type === "array") return arrayOf(value, path);
    if (type === "string") return stringOf(value, path);
    if (type === "integer" || type === "number") return numberOf(type, value, path);
    if (type === "boolean" || type === "null") return type;
    throw refused(`There is no type ${JSON.stringify(type)} (at ${path} of the schema).`);
  };

  /** One rule for "the properties from here on" with nothing written yet, and one for with something written. */
  const objectOf = (value: JsonObject, path: string): string => {
    const properties = value["properties"] ?? {};
    if (!isObject(properties)) throw refused(`"properties" at ${path} of the schema is no object.`);
    const required = new Set(value["required"] === undefined ? [] : arrayAt(value, "required", path));
    const names = Object.keys(properties);
    const undescribed = [...required].filter((name) => typeof name !== "string" || !names.includes(name));
    if (value["additionalProperties"] === false && undescribed.length > 0) {
      throw refused(`"required" at ${path} of the schema names a property that is not allowed.`);
    }
    if (undescribed.length > 0)
      throw refused(`"required" at ${path} of the schema names a property that is not described.`);
    const open = value["additionalProperties"] !== undefined && value["additionalProperties"] !== false;
    const any = names.length === 0 && value["additionalProperties"] === undefined;
    const more =
      open || any
        ? named(`string ":" ws-one ${visit(value["additionalProperties"], `${path}/additionalProperties`)}`)
        : undefined;
    let first = more === undefined ? "" : `(${more} ("," ws ${more})*)?`;
    let rest = more === undefined ? "" : `("," ws ${more})*`;
    for (const name of names.toReversed()) {
      const pair = named(
        `${literal(name)} ":" ws-one ${visit(properties[name], `${path}/properties/${pointer(name)}`)}`,
      );
      const [firstAfter, restAfter] = [rest === "" ? "" : named(rest), first === "" ? "" : named(first)];
      first = required.has(name)
        ? `${pair} ${firstAfter}`
        : `${pair} ${firstAfter} | ${restAfter === "" ? '""' : restAfter}`;
      rest = required.has(name) ? `"," ws ${pair} ${firstAfter}` : `("," ws ${pair})? ${firstAfter}`;
    }
    return named(first === "" ? '"{" ws "}"' : `"{" ws ${named(first)} ws "}"`);
  };

  const arrayOf = (value: JsonObject, path: string): string => {
    const [least, most] = bounds(value, "minItems", "maxItems", path);
    if (value["prefixItems"] !== undefined) {
      const items = arrayAt(value, "prefixItems", path).map((each, index) =>
        visit(each, `${path}/prefixItems/${index}`),
      );
      if (least > items.length || most < items.length || (value["items"] ?? false) !== false) {
        throw refused(`A grammar cannot promise "prefixItems" beside other items (at ${path} of the schema).`);
      }
      return named(`"[" ws ${items.join(' "," ws ')} ws "]"`);
    }
    const item = visit(value["items"], `${path}/items`);
    if (most === 0) return named('"[" ws "]"');
    const some = `${item} ("," ws ${item})${range(Math.max(0, least - 1), most - 1)}`;
    return named(`"[" ws ${least > 0 ? some : `(${some})?`} ws "]"`);
  };

  const stringOf = (value: JsonObject, path: string): string => {
    const [least, most] = bounds(value, "minLength", "maxLength", path);
    if (least === 0 && most === Infinity) return "string";
    return named(`"\\"" character${range(least, most)} "\\""`);
  };

  const reference = (target: string, path: string): string => {
    const known = references.get(target);
    if (known !== undefined) return known;
    if (references.size >= limits.schemaDepth * 4) throw refused("The schema of the answer has too many references.");
    const found = target === "#" ? schema : lookUp(schema, target);
    if (found === undefined) throw refused(`"${target.slice(0, 100)}" leads nowhere (at ${path} of the schema).`);
    const name = `ref${references.size}`;
    references.set(target, name);
    add(name, "");
    return add(name, visit(found, target));
  };

  const alternatives = (bodies: readonly string[], path: string): string => {
    if (bodies.length === 0) throw refused(`Nothing is allowed at ${path} of the schema: no answer is possible.`);
    return bodies.length === 1 ? (bodies[0] ?? "") : named(bodies.join(" | "));
  };

  add("root", visit(schema, "#"));
  return [...rules].map(([name, body]) => `${name} ::= ${body}`).join("\n");
}

type JsonObject = { [key: string]: Json };

/** White space is bounded, or a model that is at a loss would write nothing else. */
const basicRules: readonly [name: string, body: string][] = [
  ["ws", String.raw`"" | " " | "\n" [ \t]{0,20}`],
  ["ws-one", String.raw`" "?`],
  ["character", String.raw`[^"\\\x7F\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4})`],
  ["string", String.raw`"\"" character* "\""`],
  ["digits", "[0-9]{1,15}"],
  ["natural", "[0] | [1-9] [0-9]{0,14}"],
  ["integer", '"-"? natural'],
  ["number", '"-"? natural ("." digits)? ([eE] [-+]? [0-9]{1,3})?'],
  ["boolean", '"true" | "false"'],
  ["null", '"null"'],
  ["object", '"{" ws (string ":" ws-one value ("," ws string ":" ws-one value)*)? ws "}"'],
  ["array", '"[" ws (value ("," ws value)*)? ws "]"'],
  ["value", "object | array | string | number | boolean | null"],
];

const unsupported = [
  "pattern",
  "multipleOf",
  "uniqueItems",
  "contains",
  "minContains",
  "maxContains",
  "patternProperties",
  "propertyNames",
  "minProperties",
  "maxProperties",
  "dependentRequired",
  "dependentSchemas",
  "dependencies",
  "unevaluatedItems",
  "unevaluatedProperties",
  "additionalItems",
  "if",
  "then",
  "else",
  "not",
  "$dynamicRef",
  "$recursiveRef",
];

const constraints = [
  "type",
  "properties",
  "required",
  "additionalProperties",
  "items",
  "prefixItems",
  "minItems",
  "maxItems",
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "oneOf",
  "anyOf",
  "allOf",
];

/** Whole numbers within two bounds are written out up to this many. */
const writtenOut = 1000;

function numberOf(type: "integer" | "number", value: JsonObject, path: string): string {
  const bound = (keyword: string): number | undefined => {
    const found = value[keyword];
    if (found === undefined) return undefined;
    if (typeof found !== "number") throw refused(`"${keyword}" at ${path} of the schema is no number.`);
    // What no whole number of JavaScript's passes is no bound: schema libraries write it for every integer.
    return Math.abs(found) >= Number.MAX_SAFE_INTEGER ? undefined : found;
  };
  const unpromised = (keyword: string): never => {
    throw refused(
      `A grammar cannot promise this "${keyword}" of a ${type} (at ${path} of the schema). Give two whole bounds at most ${writtenOut} apart, or none.`,
    );
  };
  const above = bound("exclusiveMinimum");
  const below = bound("exclusiveMaximum");
  if (type === "number" && above !== undefined) unpromised("exclusiveMinimum");
  if (type === "number" && below !== undefined) unpromised("exclusiveMaximum");
  const least = larger(bound("minimum"), above === undefined ? undefined : Math.floor(above) + 1);
  const most = smaller(bound("maximum"), below === undefined ? undefined : Math.ceil(below) - 1);
  if (least === undefined && most === undefined) return type;
  if (least === undefined || most === undefined) {
    if (least === 0) return type === "integer" ? "natural" : 'natural ("." digits)?';
    if (least === 1 && type === "integer") return "[1-9] [0-9]{0,14}";
    return unpromised(least === undefined ? "maximum" : "minimum");
  }
  if (type === "number" && !(Number.isInteger(least) && Number.isInteger(most))) return unpromised("minimum");
  const [from, to] = [Math.ceil(least), Math.floor(most)];
  if (from > to) throw refused(`Nothing is allowed at ${path} of the schema: no answer is possible.`);
  if (to - from > writtenOut) return unpromised("maximum");
  const whole = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  if (type === "integer") return `(${whole.map((each) => `"${each}"`).join(" | ")})`;
  // 3 may go on to 3.7 below 4, and -3 to -3.7 above -4; 0 both ways.
  const texts = whole.flatMap((each) => [
    each < to && each >= 0 ? `"${each}" ("." digits)?` : `"${each}"`,
    ...(each > from && each <= 0 ? [`"-${Math.abs(each)}" "." digits`] : []),
  ]);
  return `(${texts.join(" | ")})`;
}

function literal(value: Json): string {
  return `"${JSON.stringify(JSON.stringify(value)).slice(1, -1)}"`;
}

function bounds(value: JsonObject, lower: string, upper: string, path: string): [least: number, most: number] {
  const read = (keyword: string, otherwise: number): number => {
    const found = value[keyword];
    if (found === undefined) return otherwise;
    if (typeof found === "number" && Number.isInteger(found) && found >= 0 && found <= limits.repetitions) return found;
    throw refused(`"${keyword}" at ${path} of the schema has to be a whole number from 0 to ${limits.repetitions}.`);
  };
  const [least, most] = [read(lower, 0), read(upper, Infinity)];
  if (least > most) throw refused(`Nothing is allowed at ${path} of the schema: no answer is possible.`);
  return [least, most];
}

function range(least: number, most: number): string {
  if (most === Infinity) return least === 0 ? "*" : `{${least},}`;
  return `{${least},${most}}`;
}

function typesOf(value: JsonObject, path: string): Json[] {
  if (value["type"] !== undefined) return arrayAt(value, "type", path);
  if ("properties" in value || "required" in value || "additionalProperties" in value) return ["object"];
  if ("items" in value || "prefixItems" in value) return ["array"];
  const condition = constraints.find((keyword) => keyword in value);
  if (condition !== undefined) throw refused(`"${condition}" at ${path} of the schema wants a "type" beside it.`);
  return ["object", "array", "string", "number", "boolean", "null"];
}

function arrayAt(value: JsonObject, keyword: string, path: string): Json[] {
  const found = value[keyword];
  if (Array.isArray(found)) return found;
  throw refused(`"${keyword}" at ${path} of the schema is no list.`);
}

function lookUp(schema: Json, target: string): Json | undefined {
  if (!target.startsWith("#/")) return undefined;
  let found: Json | undefined = schema;
  for (const step of target.slice(2).split("/")) {
    const key = decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof found !== "object" || found === null) return undefined;
    found = Object.hasOwn(found, key) ? (found as JsonObject)[key] : undefined;
  }
  return found;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function pointer(key: string): string {
  return key.slice(0, 60).replaceAll("~", "~0").replaceAll("/", "~1");
}

function larger(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}

function smaller(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}
