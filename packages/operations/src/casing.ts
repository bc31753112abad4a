import { BenchtopError } from "@benchtop/protocol";
import { z } from "zod";

/**
 * The two spellings of one schema's values: camelCase as in TypeScript and REST, snake_case as in JSON-RPC. Only names
 * that a schema gives are converted; what is free-form (`Json`, `z.unknown`, keys of records) passes as it is, down to its
 * last key. Values that need no change come back as the same object.
 */
export interface Casing {
  readonly toSnake: (value: unknown) => unknown;
  /**
   * Keys that the schema does not name stay as they are. Throws `VALIDATION_FAILED` for one that is a name of the schema
   * in camelCase: there is one spelling, and a field that is set must not be passed over in silence.
   */
  readonly toCamel: (value: unknown) => unknown;
}

/** Compiled at the first use of a schema, then kept as long as the schema is. */
export function casingOf(schema: z.ZodType): Casing {
  const known = compiled.get(schema);
  if (known !== undefined) return known;
  const casing = compile(schema);
  compiled.set(schema, casing);
  return casing;
}

/** `baseManifestHash` as `base_manifest_hash`; names that are in snake_case already stay. */
export function snakeName(name: string): string {
  return name.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
}

const compiled = new WeakMap<z.ZodType, Casing>();

type Convert = (value: unknown) => unknown;
type Direction = "toSnake" | "toCamel";

function compile(schema: z.ZodType): Casing {
  if (!hasRenames(schema, new Set())) return unchanged;
  return { toSnake: new Compiler("toSnake").converter(schema), toCamel: new Compiler("toCamel").converter(schema) };
}

const same: Convert = (value) => value;
const unchanged: Casing = { toSnake: same, toCamel: same };

/** Whether anything below a schema is spelled in two ways. Schemas may refer to themselves. */
function hasRenames(schema: z.ZodType, seen: Set<z.ZodType>): boolean {
  if (seen.has(schema)) return false;
  seen.add(schema);
  if (schema instanceof z.ZodObject && Object.keys(schema.shape).some((name) => snakeName(name) !== name)) return true;
  return partsOf(schema).some((part) => hasRenames(part, seen));
}

function partsOf(schema: z.ZodType): readonly z.ZodType[] {
  if (schema instanceof z.ZodObject) return Object.values(schema.shape) as z.ZodType[];
  if (schema instanceof z.ZodArray) return [schema.element as z.ZodType];
  if (schema instanceof z.ZodTuple) return schema.def.items as readonly z.ZodType[];
  if (schema instanceof z.ZodRecord) return [schema.valueType as z.ZodType];
  if (schema instanceof z.ZodUnion) return schema.options as readonly z.ZodType[];
  if (schema instanceof z.ZodIntersection) return [schema.def.left, schema.def.right] as z.ZodType[];
  const inner = innerOf(schema);
  return inner === undefined ? [] : [inner];
}

/** What a wrapper wraps; undefined for what is none. */
function innerOf(schema: z.ZodType): z.ZodType | undefined {
  if (schema instanceof z.ZodLazy) return schema.unwrap() as z.ZodType;
  if (schema instanceof z.ZodPipe) {
    const before = schema.in as z.ZodType;
    return before instanceof z.ZodTransform ? (schema.out as z.ZodType) : before;
  }
  const isWrapper =
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodNonOptional ||
    schema instanceof z.ZodReadonly ||
    schema instanceof z.ZodCatch;
  return isWrapper ? (schema.unwrap() as z.ZodType) : undefined;
}

/** One direction of one schema. A part that refers back to a schema that is being compiled finds it when it is called. */
class Compiler {
  readonly #direction: Direction;
  readonly #converters = new Map<z.ZodType, { convert: Convert }>();

  constructor(direction: Direction) {
    this.#direction = direction;
  }

  converter(schema: z.ZodType): Convert {
    if (!hasRenames(schema, new Set())) return same;
    const known = this.#converters.get(schema);
    if (known !== undefined) return (value) => known.convert(value);
    const entry = { convert: same };
    this.#converters.set(schema, entry);
    entry.convert = this.#compile(schema);
    return entry.convert;
  }

  #compile(schema: z.ZodType): Convert {
    if (schema instanceof z.ZodObject) return this.#object(schema.shape);
    if (schema instanceof z.ZodIntersection) return this.#object(shapeOf(schema));
    if (schema instanceof z.ZodArray) return this.#array(schema.element as z.ZodType);
    if (schema instanceof z.ZodTuple) return this.#tuple(schema.def.items as readonly z.ZodType[]);
    if (schema instanceof z.ZodRecord) return this.#record(schema.valueType as z.ZodType);
    if (schema instanceof z.ZodDiscriminatedUnion) return this.#discriminated(schema);
    if (schema instanceof z.ZodUnion) return this.#union(schema.options as readonly z.ZodType[]);
    const inner = innerOf(schema);
    return inner === undefined ? same : this.converter(inner);
  }

  #object(shape: Shape): Convert {
    const toSnake = this.#direction === "toSnake";
    const fields = new Map<string, { readonly target: string; readonly convert: Convert }>();
    const misspelled = new Map<string, string>();
    for (const [name, schema] of Object.entries(shape)) {
      const snake = snakeName(name);
      const source = toSnake ? name : snake;
      if (fields.has(source)) throw new Error(`Two fields are called ${source} in snake_case.`);
      fields.set(source, { target: toSnake ? snake : name, convert: this.converter(schema) });
      if (!toSnake && snake !== name) misspelled.set(name, snake);
    }
    return (value) => {
      if (!isObject(value)) return value;
      const result: Record<string, unknown> = {};
      for (const key of Object.keys(value)) {
        const field = fields.get(key);
        if (field !== undefined) result[field.target] = field.convert(value[key]);
        else if (misspelled.has(key)) throw wrongSpelling(key, misspelled.get(key)!);
        else setOwn(result, key, value[key]);
      }
      return result;
    };
  }

  #array(element: z.ZodType): Convert {
    const convert = this.converter(element);
    return (value) => (Array.isArray(value) ? value.map((item) => convert(item)) : value);
  }

  #tuple(items: readonly z.ZodType[]): Convert {
    const converters = items.map((item) => this.converter(item));
    return (value) => (Array.isArray(value) ? value.map((item, place) => (converters[place] ?? same)(item)) : value);
  }

  #record(valueType: z.ZodType): Convert {
    const convert = this.converter(valueType);
    return (value) => {
      if (!isObject(value)) return value;
      const result: Record<string, unknown> = {};
      for (const key of Object.keys(value)) setOwn(result, key, convert(value[key]));
      return result;
    };
  }

  #discriminated(union: z.ZodDiscriminatedUnion): Convert {
    const { discriminator } = union.def;
    const key = this.#direction === "toSnake" ? discriminator : snakeName(discriminator);
    const byValue = new Map<unknown, Convert>();
    for (const option of union.options as readonly z.ZodType[]) {
      const convert = this.converter(option);
      for (const value of option._zod.propValues?.[discriminator] ?? []) byValue.set(value, convert);
    }
    return (value) => (isObject(value) ? (byValue.get(value[key]) ?? same)(value) : value);
  }

  /** Where more than one option could have been meant, the first that the value fits is. */
  #union(options: readonly z.ZodType[]): Convert {
    const only = options.find((option) => hasRenames(option, new Set()));
    const structured = options.filter(canHoldKeys);
    if (only !== undefined && structured.length === 1) return this.converter(only);
    const converters = structured.map((option) => ({ option, convert: this.converter(option) }));
    if (this.#direction === "toSnake") {
      return (value) => (converters.find(({ option }) => option.safeParse(value).success)?.convert ?? same)(value);
    }
    return (value) => {
      for (const { option, convert } of converters) {
        const converted = convert(value);
        if (option.safeParse(converted).success) return converted;
      }
      return value;
    };
  }
}

type Shape = Readonly<Record<string, z.ZodType>>;

function shapeOf(schema: z.ZodType): Shape {
  if (schema instanceof z.ZodObject) return schema.shape;
  if (schema instanceof z.ZodIntersection) {
    return { ...shapeOf(schema.def.left as z.ZodType), ...shapeOf(schema.def.right as z.ZodType) };
  }
  const inner = innerOf(schema);
  if (inner !== undefined) return shapeOf(inner);
  throw new Error("Only objects can be intersected in a schema that is spelled in two ways.");
}

function canHoldKeys(schema: z.ZodType): boolean {
  if (schema instanceof z.ZodUnknown || schema instanceof z.ZodAny) return true;
  if (schema instanceof z.ZodUnion) return (schema.options as readonly z.ZodType[]).some(canHoldKeys);
  const inner = innerOf(schema);
  return inner === undefined ? partsOf(schema).length > 0 || schema instanceof z.ZodObject : canHoldKeys(inner);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Also for `__proto__`, which an assignment would take for the prototype. */
function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== "__proto__") target[key] = value;
  else Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

function wrongSpelling(given: string, expected: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `Fields are in snake_case here: ${expected}, not ${given}.`, {
    phase: "settings",
    detail: { fields: [given] },
  });
}
