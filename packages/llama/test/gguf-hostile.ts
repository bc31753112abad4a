import { arrayType, scalarBytes, scalarTypes, type GgufScalarType } from "../src/gguf/layout.ts";

/** A field exactly as wrong as it is asked to be. */
export interface RawField {
  readonly key?: string | Uint8Array;
  /** What the file says that the key's length is. */
  readonly keyLength?: bigint;
  readonly type?: number;
  /** What stands behind the type. */
  readonly value?: Uint8Array;
}

export interface RawTensor {
  readonly name?: string | Uint8Array;
  readonly nameLength?: bigint;
  readonly dimensions?: number;
  readonly shape?: readonly bigint[];
  readonly type?: number;
  readonly offset?: bigint;
}

export interface RawGguf {
  readonly magic?: string;
  readonly version?: number;
  readonly fieldCount?: bigint;
  readonly tensorCount?: bigint;
  readonly fields?: readonly RawField[];
  readonly tensors?: readonly RawTensor[];
  /** Bytes of data behind the header, which is padded to 32. */
  readonly data?: number;
}

/** A GGUF file as bytes: one field and one tensor that are sound, unless told otherwise. */
export function rawGguf(file: RawGguf = {}): Buffer {
  const fields = file.fields ?? [field("general.architecture", "llama")];
  const tensors = file.tensors ?? [{}];
  const start = Buffer.concat([
    Buffer.from(file.magic ?? "GGUF", "latin1"),
    u32(file.version ?? 3),
    u64(file.tensorCount ?? BigInt(tensors.length)),
    u64(file.fieldCount ?? BigInt(fields.length)),
  ]);
  const header = Buffer.concat([start, ...fields.map(fieldBytes), ...tensors.map(tensorBytes)]);
  const padding = (32 - (header.length % 32)) % 32;
  return Buffer.concat([header, Buffer.alloc(padding + (file.data ?? 64))]);
}

/** A field that is sound in itself. */
export function field(key: string, value: string | number | boolean, type: GgufScalarType = typeFor(value)): RawField {
  return { key, type: scalarTypes[type], value: scalar(value, type) };
}

export function arrayField(key: string, type: GgufScalarType, values: readonly (string | number)[]): RawField {
  return rawArray(
    key,
    scalarTypes[type],
    BigInt(values.length),
    Buffer.concat(values.map((value) => scalar(value, type))),
  );
}

/** An array that says what it is asked to say. */
export function rawArray(key: string, type: number, length: bigint, values: Uint8Array = Buffer.alloc(0)): RawField {
  return { key, type: arrayType, value: Buffer.concat([u32(type), u64(length), values]) };
}

export function text(value: string | Uint8Array, length?: bigint): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([u64(length ?? BigInt(bytes.length)), bytes]);
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

export function fieldBytes({ key = "key", keyLength, type = scalarTypes.u32, value = u32(1) }: RawField): Buffer {
  return Buffer.concat([text(key, keyLength), u32(type), value]);
}

function tensorBytes(tensor: RawTensor): Buffer {
  const shape = tensor.shape ?? [16n];
  return Buffer.concat([
    text(tensor.name ?? "weights", tensor.nameLength),
    u32(tensor.dimensions ?? shape.length),
    ...shape.map(u64),
    u32(tensor.type ?? 0),
    u64(tensor.offset ?? 0n),
  ]);
}

function typeFor(value: string | number | boolean): GgufScalarType {
  return typeof value === "string" ? "string" : typeof value === "boolean" ? "bool" : "u32";
}

function scalar(value: string | number | boolean, type: GgufScalarType): Buffer {
  if (type === "string") return text(String(value));
  const bytes = Buffer.alloc(8);
  if (type === "f32") bytes.writeFloatLE(Number(value));
  else if (type === "f64") bytes.writeDoubleLE(Number(value));
  else bytes.writeBigInt64LE(BigInt(value));
  return bytes.subarray(0, scalarBytes[type]);
}
