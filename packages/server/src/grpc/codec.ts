import { create, type DescMessage, type FileRegistry, type Message as ProtoMessage } from "@bufbuild/protobuf";
import { messageNamed } from "./descriptors.ts";
import { fromValue, toPlain, toValue } from "./json-value.ts";
import type { Field, Message, Shape } from "./message.ts";

/** Turns values of the operations' schemas into protobuf messages and back. */
export interface Codec {
  encode(value: unknown): ProtoMessage;
  decode(message: ProtoMessage): Record<string, unknown>;
}

type Properties = Record<string, unknown>;

/** How the value of one field is written and read. */
interface Conversion {
  readonly encode: (value: unknown) => unknown;
  readonly decode: (value: unknown) => unknown;
}

interface FieldConversion extends Conversion {
  readonly field: Field;
  /** The property of the protobuf message. */
  readonly property: string;
  readonly besideProperty: string | undefined;
}

/** Codecs by message; each is made when it is first needed. */
export class Codecs {
  readonly #registry: FileRegistry;
  readonly #codecs = new Map<Message, Codec>();

  constructor(registry: FileRegistry) {
    this.#registry = registry;
  }

  of(message: Message): Codec {
    const codec = this.#codecs.get(message) ?? this.#make(message);
    this.#codecs.set(message, codec);
    return codec;
  }

  #make(message: Message): Codec {
    const descriptor = messageNamed(this.#registry, message.name);
    const fields = message.fields.map((field) => this.#field(field, descriptor));
    const known = new Set(message.fields.map(({ key }) => key));
    const choice = message.choice && this.#choice(message, descriptor);
    return {
      encode: (value) => {
        const source = value as Properties;
        const target = create(descriptor) as ProtoMessage & Properties;
        for (const field of fields) encodeField(field, source, target);
        choice?.encode(source, target);
        if (message.rest !== undefined) {
          target["otherFields"] = toPlain(
            Object.fromEntries(Object.entries(source).filter(([key]) => !known.has(key))),
          );
        }
        return target;
      },
      decode: (proto) => {
        const source = proto as ProtoMessage & Properties;
        const target: Properties = {};
        if (message.rest !== undefined) define(target, toPlain(source["otherFields"] ?? {}));
        for (const field of fields) decodeField(field, source, target);
        choice?.decode(source, target);
        return target;
      },
    };
  }

  #field(field: Field, descriptor: DescMessage): FieldConversion {
    return {
      ...this.#conversion(field.shape),
      field,
      property: propertyOf(descriptor, field.name),
      besideProperty: field.beside && propertyOf(descriptor, field.beside.name),
    };
  }

  /** The `oneof`: a variant of a union lies in the value itself, a part of a file in a property of its own. */
  #choice({ choice }: Message, descriptor: DescMessage) {
    const { discriminator, name = "", variants = [] } = choice ?? {};
    const cases = variants.flatMap(({ message, literal, name: field }) =>
      message === undefined ? [] : [{ literal, property: propertyOf(descriptor, field), message }],
    );
    return {
      encode: (source: Properties, target: Properties): void => {
        const found = cases.find(({ literal }) =>
          discriminator === undefined ? source[literal] !== undefined : source[discriminator] === literal,
        );
        if (found === undefined) return;
        const value = discriminator === undefined ? source[found.literal] : source;
        target[name] = { case: found.property, value: this.of(found.message).encode(value) };
      },
      decode: (source: Properties, target: Properties): void => {
        const chosen = source[name] as { readonly case?: string; readonly value?: ProtoMessage };
        const found = cases.find(({ property }) => property === chosen.case);
        if (found === undefined || chosen.value === undefined) return;
        const value = this.of(found.message).decode(chosen.value);
        if (discriminator === undefined) target[found.literal] = value;
        else define(target, { ...value, [discriminator]: found.literal });
      },
    };
  }

  #conversion(shape: Shape): Conversion {
    switch (shape.kind) {
      case "scalar":
        return shape.scalar === "int64" ? int64 : asIs;
      case "json":
        return { encode: (value) => toValue(value), decode: (value) => fromValue(value as ProtoMessage) };
      case "struct":
        return { encode: toPlain, decode: toPlain };
      case "message":
        return this.#nested(shape.message);
      case "list": {
        const { encode, decode } = this.#conversion(shape.element);
        return {
          encode: (value) => (value as readonly unknown[]).map(encode),
          decode: (value) => (value as readonly unknown[]).map(decode),
        };
      }
      default: {
        const { encode, decode } = this.#conversion(shape.value);
        const each = (convert: (value: unknown) => unknown) => (value: unknown) =>
          define(
            {},
            Object.fromEntries(Object.entries(value as Properties).map(([key, item]) => [key, convert(item)])),
          );
        return { encode: each(encode), decode: each(decode) };
      }
    }
  }

  /** A message, or the one that stands for a list where proto has no other form. */
  #nested(message: Message): Conversion {
    const [only] = message.fields;
    const isList = message.fields.length === 1 && only?.key === "";
    return {
      encode: (value) => this.of(message).encode(isList ? { "": value } : value),
      decode: (value) => {
        const decoded = this.of(message).decode(value as ProtoMessage);
        return isList ? decoded[""] : decoded;
      },
    };
  }
}

const asIs: Conversion = { encode: (value) => value, decode: (value) => value };

/** Numbers that are too large to be exact become ones that the schemas refuse. */
const int64: Conversion = { encode: (value) => BigInt(value as number), decode: (value) => Number(value) };

function encodeField(
  { field, property, besideProperty, encode }: FieldConversion,
  source: Properties,
  target: Properties,
): void {
  const value = source[field.key];
  if (besideProperty !== undefined && isBeside(field, value)) target[besideProperty] = true;
  // Free-form JSON has a null of its own.
  else if (value !== undefined && (value !== null || field.shape.kind === "json")) target[property] = encode(value);
}

function decodeField(
  { field, property, besideProperty, decode }: FieldConversion,
  source: Properties,
  target: Properties,
): void {
  const value = source[property];
  if (besideProperty !== undefined && source[besideProperty] === true) target[field.key] = field.beside?.value;
  else if (value !== undefined && !isEmpty(field, value)) target[field.key] = decode(value);
  else if (field.absent === null) target[field.key] = null;
}

function isBeside({ beside }: Field, value: unknown): boolean {
  return beside?.value === null ? value === null : Array.isArray(value) && value.length === 0;
}

/** Lists and maps cannot be absent in proto: where the schema lets them be, an empty one is as good as none. */
function isEmpty({ shape, mayBeAbsent }: Field, value: unknown): boolean {
  const isPlural = shape.kind === "list" || shape.kind === "map";
  return isPlural && mayBeAbsent === true && Object.keys(value as Properties).length === 0;
}

/** Copies own properties as own properties, one named `__proto__` included. */
function define(target: Properties, source: unknown): Properties {
  for (const [key, value] of Object.entries(source as Properties)) {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return target;
}

function propertyOf(descriptor: DescMessage, name: string): string {
  const field = descriptor.fields.find((each) => each.name === name);
  if (field !== undefined) return field.localName;
  throw new Error(`The descriptors do not know ${descriptor.typeName}.${name}: run  node scripts/proto.ts`);
}
