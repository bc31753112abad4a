import { arrayType, scalarBytes, scalarTypes, type GgufScalarType } from "./layout.ts";
import { refusal } from "./refusal.ts";

type NumberType = Exclude<GgufScalarType, "string" | "bool" | "u64" | "i64">;

/**
 * A value with the type that it has in the file: llama.cpp reads `block_count` as a u32 and refuses the same number as a u64.
 * A type with `[]` is an array of it. GGUF allows arrays of arrays; llama.cpp reads none, so there are none here.
 */
export type GgufField =
  | { readonly type: NumberType; readonly value: number }
  | { readonly type: "u64" | "i64"; readonly value: number | bigint }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: `${NumberType}[]`; readonly value: ArrayLike<number> }
  | { readonly type: "u64[]" | "i64[]"; readonly value: ArrayLike<number | bigint> }
  | { readonly type: "bool[]"; readonly value: readonly boolean[] }
  | { readonly type: "string[]"; readonly value: readonly string[] };

/** The field as it lies in the file behind its key. Throws `VALIDATION_FAILED` for a value that its type cannot hold. */
export function encodeField(key: string, field: GgufField): Uint8Array {
  const name = field.type.replace("[]", "") as GgufScalarType;
  const number = scalarTypes[name];
  if (!field.type.endsWith("[]")) {
    return Buffer.concat([u32(number), encodeValues(key, name, [field.value as Scalar])]);
  }
  const values = field.value as ArrayLike<Scalar>;
  const head = Buffer.alloc(16);
  head.writeUInt32LE(arrayType, 0);
  head.writeUInt32LE(number, 4);
  head.writeBigUInt64LE(BigInt(values.length), 8);
  return Buffer.concat([head, encodeValues(key, name, values)]);
}

/** Its length in eight bytes, then the text in UTF-8. */
export function encodeString(text: string): Uint8Array {
  const bytes = Buffer.alloc(8 + Buffer.byteLength(text));
  bytes.writeBigUInt64LE(BigInt(bytes.length - 8), 0);
  bytes.write(text, 8);
  return bytes;
}

type Scalar = number | bigint | boolean | string;

function encodeValues(key: string, name: GgufScalarType, values: ArrayLike<Scalar>): Uint8Array {
  if (name === "string") return Buffer.concat(Array.from(values, (value) => encodeString(String(value))));
  const width = scalarBytes[name];
  const bytes = Buffer.alloc(width * values.length);
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    try {
      writers[name](bytes, value, index * width);
    } catch (cause) {
      if (!(cause instanceof RangeError) && !(cause instanceof TypeError) && !(cause instanceof SyntaxError))
        throw cause;
      throw refusal(`The field \`${key}\` has a value that ${name} cannot hold.`);
    }
  }
  return bytes;
}

type Writer = (bytes: Buffer, value: Scalar | undefined, at: number) => void;

const writers: Readonly<Record<Exclude<GgufScalarType, "string">, Writer>> = {
  u8: (bytes, value, at) => bytes.writeUInt8(whole(value), at),
  i8: (bytes, value, at) => bytes.writeInt8(whole(value), at),
  u16: (bytes, value, at) => bytes.writeUInt16LE(whole(value), at),
  i16: (bytes, value, at) => bytes.writeInt16LE(whole(value), at),
  u32: (bytes, value, at) => bytes.writeUInt32LE(whole(value), at),
  i32: (bytes, value, at) => bytes.writeInt32LE(whole(value), at),
  f32: (bytes, value, at) => bytes.writeFloatLE(Number(value), at),
  f64: (bytes, value, at) => bytes.writeDoubleLE(Number(value), at),
  bool: (bytes, value, at) => bytes.writeUInt8(value ? 1 : 0, at),
  u64: (bytes, value, at) => bytes.writeBigUInt64LE(BigInt(value ?? Number.NaN), at),
  i64: (bytes, value, at) => bytes.writeBigInt64LE(BigInt(value ?? Number.NaN), at),
};

function whole(value: Scalar | undefined): number {
  if (typeof value !== "number" || !Number.isInteger(value)) throw new RangeError("no whole number");
  return value;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value, 0);
  return bytes;
}
