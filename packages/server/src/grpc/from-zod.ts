import { z } from "zod";
import { pascalCase, snakeCase, type Choice, type Field, type Message, type Shape, type Variant } from "./message.ts";

/**
 * Reads zod schemas as protobuf messages. The rules are those of docs/grpc.md. Schemas with a name become messages of that
 * name, wherever they are used; others are nested where they stand. Throws for a schema that proto has no honest form for.
 */
export class MessageReader {
  readonly #names: ReadonlyMap<z.ZodType, string>;
  readonly #named = new Map<z.ZodType, Message>();

  constructor(names: ReadonlyMap<z.ZodType, string>) {
    this.#names = names;
  }

  /** The messages that were met under a name of their own, in the order of their names. */
  get named(): readonly Message[] {
    return [...this.#named.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  nameOf(schema: z.ZodType): string | undefined {
    return this.#names.get(schema);
  }

  /** The fields of an object as a message of this name, whether or not the schema has one. */
  object(schema: z.ZodType, name: string): Message {
    const { shape, catchall } = objectOf(schema, name);
    const fields = Object.entries(shape).flatMap(([key, field]) => this.#field(key, field, name));
    return { name, fields, ...(catchall && { rest: restField }) };
  }

  #field(key: string, schema: z.ZodType, parent: string): Field[] {
    const { inner, optional, nullable, fallback } = unwrap(schema);
    const shape = this.#shape(inner, `${parent}.${pascalCase(key)}`);
    const name = snakeCase(key);
    const mayBeLeftOut = optional || fallback !== undefined;
    const besideNull = nullable && mayBeLeftOut;
    const besideEmpty = shape.kind === "list" && Array.isArray(fallback) && fallback.length > 0;
    const isPlural = shape.kind === "list" || shape.kind === "map";
    return [
      {
        key,
        name,
        shape,
        optional: (mayBeLeftOut || nullable) && !isPlural,
        mayBeAbsent: mayBeLeftOut || nullable,
        absent: nullable && !mayBeLeftOut ? null : undefined,
        ...(besideNull && { beside: { name: `${name}_null`, value: null } }),
        ...(besideEmpty && { beside: { name: `${name}_empty`, value: [] } }),
      },
    ];
  }

  #shape(schema: z.ZodType, path: string): Shape {
    const { def } = schema._zod as unknown as { readonly def: { readonly type: string } };
    if (schema instanceof z.ZodLazy) return this.#shape(schema.unwrap() as z.ZodType, path);
    if (schema instanceof z.ZodString || schema instanceof z.ZodStringFormat)
      return { kind: "scalar", scalar: "string" };
    if (schema instanceof z.ZodEnum) {
      return { kind: "scalar", scalar: "string", values: schema.options.map(String) };
    }
    if (schema instanceof z.ZodBoolean) return { kind: "scalar", scalar: "bool" };
    if (schema instanceof z.ZodNumber) return { kind: "scalar", scalar: isInteger(schema) ? "int64" : "double" };
    if (schema instanceof z.ZodLiteral) return literal(schema);
    if (schema instanceof z.ZodArray) return this.#list(schema.element as z.ZodType, path);
    if (schema instanceof z.ZodTuple) return this.#tuple(schema.def.items as readonly z.ZodType[], path);
    if (schema instanceof z.ZodRecord) return this.#record(schema.valueType as z.ZodType, path);
    if (schema instanceof z.ZodDiscriminatedUnion) return this.#message(schema, path);
    if (schema instanceof z.ZodUnion) return union(schema.options as readonly z.ZodType[]);
    if (schema instanceof z.ZodObject || schema instanceof z.ZodIntersection) return this.#message(schema, path);
    throw new TypeError(`${path} is of the type ${def.type}, which has no form in proto.`);
  }

  #list(element: z.ZodType, path: string): Shape {
    if (unwrap(element).inner !== element)
      throw new TypeError(`${path}: an element of a list cannot be absent in proto.`);
    const shape = this.#shape(element, singular(path));
    // Proto has no lists of lists: the inner one becomes a message.
    return { kind: "list", element: shape.kind === "list" ? values(shape, singular(path)) : shape };
  }

  #tuple(items: readonly z.ZodType[], path: string): Shape {
    const [first, ...rest] = items.map((item) => this.#shape(item, path));
    if (first === undefined || rest.some((shape) => JSON.stringify(shape) !== JSON.stringify(first))) {
      throw new TypeError(`${path}: only tuples of one kind of element have a form in proto.`);
    }
    return values({ kind: "list", element: first }, path);
  }

  #record(value: z.ZodType, path: string): Shape {
    const shape = this.#shape(value, `${path}Value`);
    return shape.kind === "scalar" || shape.kind === "message" ? { kind: "map", value: shape } : { kind: "struct" };
  }

  #message(schema: z.ZodType, path: string): Shape {
    const name = this.#names.get(schema);
    const known = this.#named.get(schema);
    if (known !== undefined) return { kind: "message", message: known };
    const message =
      schema instanceof z.ZodDiscriminatedUnion ? this.#union(schema, name ?? path) : this.object(schema, name ?? path);
    if (name !== undefined) this.#named.set(schema, message);
    return { kind: "message", message };
  }

  /** What all variants share stands once in the message itself; what is each one's own is a message in the `oneof`. */
  #union(schema: z.ZodDiscriminatedUnion, name: string): Message {
    const { discriminator } = schema.def;
    const options = (schema.options as readonly z.ZodType[]).map((option) => objectOf(option, name).shape);
    const [first = {}, ...others] = options;
    const shared = Object.keys(first).filter((key) => others.every((other) => other[key] === first[key]));
    const variants = options.map((option): Variant => {
      const literal = literalOf(option[discriminator], name);
      const own = Object.entries(option).filter(([key]) => key !== discriminator && !shared.includes(key));
      const path = `${name}.${pascalCase(literal)}`;
      const fields = own.flatMap(([key, field]) => this.#field(key, field, path));
      return { literal, name: snakeCase(literal), message: { name: path, fields } };
    });
    const choice: Choice = { name: "variant", discriminator, variants };
    const names = variants.map(({ literal }) => literal);
    return {
      name,
      fields: [
        {
          key: discriminator,
          name: snakeCase(discriminator),
          shape: { kind: "scalar", scalar: "string", values: names },
          optional: false,
          absent: undefined,
        },
        ...shared.flatMap((key) => this.#field(key, first[key] as z.ZodType, name)),
      ],
      choice,
    };
  }
}

const restField: Field = {
  key: "",
  name: "other_fields",
  shape: { kind: "struct" },
  optional: false,
  absent: undefined,
};

interface ObjectShape {
  readonly shape: Readonly<Record<string, z.ZodType>>;
  readonly catchall: boolean;
}

function objectOf(schema: z.ZodType, path: string): ObjectShape {
  if (schema instanceof z.ZodObject) {
    const { catchall } = schema.def;
    const isOpen = catchall !== undefined && !(catchall instanceof z.ZodNever);
    return { shape: schema.shape, catchall: isOpen };
  }
  if (schema instanceof z.ZodIntersection) {
    const left = objectOf(schema.def.left as z.ZodType, path);
    const right = objectOf(schema.def.right as z.ZodType, path);
    return { shape: { ...left.shape, ...right.shape }, catchall: left.catchall || right.catchall };
  }
  throw new TypeError(`${path} is no object.`);
}

interface Unwrapped {
  readonly inner: z.ZodType;
  readonly optional: boolean;
  readonly nullable: boolean;
  readonly fallback: unknown;
}

function unwrap(schema: z.ZodType): Unwrapped {
  if (schema instanceof z.ZodOptional) return { ...unwrap(schema.unwrap() as z.ZodType), optional: true };
  if (schema instanceof z.ZodNullable) return { ...unwrap(schema.unwrap() as z.ZodType), nullable: true };
  if (schema instanceof z.ZodDefault) {
    return { ...unwrap(schema.unwrap() as z.ZodType), optional: true, fallback: schema.def.defaultValue };
  }
  return { inner: schema, optional: false, nullable: false, fallback: undefined };
}

function isInteger(schema: z.ZodNumber): boolean {
  return schema.format === "safeint" || schema.isInt;
}

function literal(schema: z.ZodLiteral): Shape {
  const [value] = schema.values;
  switch (typeof value) {
    case "string":
      return { kind: "scalar", scalar: "string", values: [value] };
    case "boolean":
      return { kind: "scalar", scalar: "bool" };
    case "number":
      return { kind: "scalar", scalar: Number.isInteger(value) ? "int64" : "double" };
    default:
      return { kind: "json" };
  }
}

function literalOf(schema: z.ZodType | undefined, path: string): string {
  const value = schema instanceof z.ZodLiteral ? schema.value : undefined;
  if (typeof value === "string") return value;
  throw new TypeError(`${path}: the variants of a union must be told apart by a text.`);
}

/** A boolean that a query may write as text is a boolean; everything else that is one of several is free-form. */
function union(options: readonly z.ZodType[]): Shape {
  return options.some((option) => option instanceof z.ZodBoolean) && options.every(isBooleanOrText)
    ? { kind: "scalar", scalar: "bool" }
    : { kind: "json" };
}

function isBooleanOrText(schema: z.ZodType): boolean {
  return schema instanceof z.ZodBoolean || schema instanceof z.ZodPipe || schema instanceof z.ZodCodec;
}

function values(list: Shape, name: string): Shape {
  const field: Field = { key: "", name: "values", shape: list, optional: false, absent: undefined };
  return { kind: "message", message: { name, fields: [field] } };
}

/** The name of one of several: `RunsStartRequest.Attachments` → `RunsStartRequest.Attachment`. */
function singular(path: string): string {
  return path.replace(/ies$/, "y").replace(/(?<!s)s$/, "");
}
