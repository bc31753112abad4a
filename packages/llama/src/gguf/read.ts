import type { BenchtopError } from "@benchtop/protocol/errors";
import { checkMetadata, type FoundField } from "./check-metadata.ts";
import { checkTensors } from "./check-tensors.ts";
import { DistinctTokens } from "./distinct-tokens.ts";
import type { GgufField } from "./field.ts";
import { notGguf, tellingBytes } from "./first-bytes.ts";
import type { GgufHeader, GgufTensor, GgufValue } from "./gguf.ts";
import { HeaderBytes } from "./header-bytes.ts";
import {
  arrayType,
  padded,
  scalarBytes,
  scalarTypeOf,
  tensorDimensions,
  tensorNameBytes,
  tensorTypeByNumber,
  type GgufScalarType,
} from "./layout.ts";
import { ggufLimits as limits } from "./limits.ts";
import { refusal } from "./refusal.ts";

/**
 * Reads what a GGUF file says of itself, and checks it as strictly as llama.cpp does or more strictly: what this accepts has a
 * header that does not lead llama.cpp to read beside its memory. Numbers that make no sense for an architecture still end the
 * process that llama.cpp runs in. It reads the header only, through a window, within `ggufLimits`; arrays of more than `keptElements` elements are not kept. Symbolic links are followed.
 *
 * Throws `VALIDATION_FAILED` for everything that is no sound GGUF file, `FILE_READ_FAILED`, and the signal's reason.
 */
export async function readGgufHeader(path: string, signal?: AbortSignal): Promise<GgufHeader> {
  return reading(path, signal, async (bytes, exact) => {
    const { version, fields, tensors: count } = await readStart(bytes);
    const found = await readFields(bytes, fields, { elements: limits.keptElements, exact });
    const alignment = checkMetadata(found, count);
    const tensors = await readTensors(bytes, count);
    const dataOffset = tensors.length === 0 ? bytes.position : padded(bytes.position, alignment);
    checkTensors(tensors, { dataOffset, alignment, fileBytes: bytes.fileBytes });
    const metadata = new Map([...found].map(([key, field]) => [key, valueOf(field)] as const));
    return { version, metadata, tensors, dataOffset, fileBytes: bytes.fileBytes };
  });
}

/**
 * All metadata with its types and whole arrays, as `writeGguf` takes it: for a file that goes on from this one. Takes the memory
 * that a vocabulary takes. Throws as `readGgufHeader`.
 */
export async function readGgufFields(path: string, signal?: AbortSignal): Promise<ReadonlyMap<string, GgufField>> {
  return reading(path, signal, async (bytes, exact) => {
    const { fields, tensors } = await readStart(bytes);
    const found = await readFields(bytes, fields, { elements: limits.arrayElements, exact });
    checkMetadata(found, tensors);
    return new Map([...found].map(([key, field]) => [key, fieldOf(field)] as const));
  });
}

/** Reads once more, exactly, where two tokens only seem to be equal. */
async function reading<T>(
  path: string,
  signal: AbortSignal | undefined,
  action: (bytes: HeaderBytes, exact: boolean) => Promise<T>,
): Promise<T> {
  try {
    return await HeaderBytes.use(path, signal, (bytes) => action(bytes, false));
  } catch (thrown) {
    if (thrown !== seeminglyTwice) throw thrown;
    return HeaderBytes.use(path, signal, (bytes) => action(bytes, true));
  }
}

const seeminglyTwice = new Error("Two tokens may be equal.");

/** What is kept of fields, and whether tokens are compared letter by letter. */
interface Keeping {
  readonly elements: number;
  readonly exact: boolean;
}

async function readStart(bytes: HeaderBytes): Promise<{ version: 2 | 3; fields: number; tensors: number }> {
  const telling = Math.min(bytes.fileBytes, tellingBytes);
  await bytes.load(telling);
  const start = bytes.peek(telling);
  const magic = start.toString("latin1", 0, 4);
  if (magic === "FUGG") throw bigEndian();
  if (magic !== "GGUF") throw notGguf(start);
  await bytes.load(24);
  bytes.u32();
  const version = bytes.u32();
  // A small number in the other order has nothing in its lower half.
  if (version !== 0 && version % 2 ** 16 === 0) throw bigEndian();
  if (version === 1) {
    throw refusal("This is version 1 of GGUF, which nothing reads any more. Choose a newer file of this model.");
  }
  if (version !== 2 && version !== 3) {
    throw refusal(`This is version ${version} of GGUF; Benchtop reads versions 2 and 3.`);
  }
  const tensors = bytes.size();
  const fields = bytes.size();
  if (tensors > limits.tensors) throw refusal(`The GGUF file says that it has more than ${limits.tensors} tensors.`);
  if (fields > limits.fields)
    throw refusal(`The GGUF file says that it has more than ${limits.fields} metadata fields.`);
  return { version, fields, tensors };
}

async function readFields(bytes: HeaderBytes, count: number, keep: Keeping): Promise<Map<string, FoundField>> {
  const found = new Map<string, FoundField>();
  for (let index = 0; index < count; index++) {
    const key = await readName(bytes, limits.keyBytes, "field");
    if (found.has(key)) throw refusal(`The GGUF file has the field ${quoted(key)} twice.`);
    await bytes.load(4);
    const number = bytes.u32();
    found.set(key, number === arrayType ? await readArray(bytes, key, keep) : await readSingle(bytes, key, number));
  }
  return found;
}

async function readSingle(bytes: HeaderBytes, key: string, number: number): Promise<FoundField> {
  const type = scalarTypeOf(number);
  if (!type) throw refusal(`The field ${quoted(key)} is of the unknown type ${number}.`);
  if (type === "string") return { type, array: false, length: 1, values: [await readText(bytes, key)] };
  await bytes.load(scalarBytes[type]);
  const values = decode(bytes.take(scalarBytes[type]), type, key);
  return { type, array: false, length: 1, values };
}

async function readArray(bytes: HeaderBytes, key: string, keep: Keeping): Promise<FoundField> {
  await bytes.load(12);
  const number = bytes.u32();
  const length = bytes.size();
  if (number === arrayType)
    throw refusal(`The field ${quoted(key)} is an array of arrays, which llama.cpp does not read.`);
  const type = scalarTypeOf(number);
  if (!type) throw refusal(`The field ${quoted(key)} is an array of the unknown type ${number}.`);
  if (length > limits.arrayElements) {
    throw refusal(`The field ${quoted(key)} is an array of more than ${limits.arrayElements} elements.`);
  }
  if (type === "string") return readStrings(bytes, key, length, keep);
  const kept = length <= keep.elements;
  const size = length * scalarBytes[type];
  if (!kept) {
    bytes.skip(size);
    return { type, array: true, length, values: undefined };
  }
  await bytes.load(size);
  return { type, array: true, length, values: decode(bytes.take(size), type, key) };
}

async function readStrings(bytes: HeaderBytes, key: string, length: number, keep: Keeping): Promise<FoundField> {
  const isVocabulary = key === "tokenizer.ggml.tokens";
  if (isVocabulary && length > limits.tokens) throw refusal(`The vocabulary has more than ${limits.tokens} tokens.`);
  const tokens = isVocabulary ? new DistinctTokens(length, keep.exact) : undefined;
  const values: string[] | undefined = length <= keep.elements ? [] : undefined;
  for (let index = 0; index < length; index++) {
    if (!bytes.has(8)) await bytes.load(8);
    const size = bytes.size();
    if (size > limits.stringBytes) throw tooLong(key);
    if (!bytes.has(size)) await bytes.load(size);
    tokens?.add(bytes.peek(size), index);
    if (values) values.push(bytes.text(size));
    else bytes.skip(size);
  }
  if (tokens?.hasTwice())
    throw keep.exact ? refusal("The vocabulary of the GGUF file has a token twice.") : seeminglyTwice;
  return { type: "string", array: true, length, values };
}

async function readTensors(bytes: HeaderBytes, count: number): Promise<GgufTensor[]> {
  const tensors: GgufTensor[] = [];
  for (let index = 0; index < count; index++) {
    const name = await readName(bytes, tensorNameBytes, "tensor");
    await bytes.load(4);
    const dimensions = bytes.u32();
    if (dimensions < 1 || dimensions > tensorDimensions) {
      throw refusal(`The tensor ${quoted(name)} has ${dimensions} dimensions; there are 1 to ${tensorDimensions}.`);
    }
    await bytes.load(8 * dimensions + 12);
    const shape = Array.from({ length: dimensions }, () => bytes.size());
    const number = bytes.u32();
    const offset = bytes.size();
    const type = tensorTypeByNumber.get(number);
    if (!type) {
      throw refusal(
        `The tensor ${quoted(name)} is of type ${number}, which this Benchtop does not know. The file may be newer, or so old that its type was given up.`,
      );
    }
    const weights = shape.reduce((product, each) => product * each, 1);
    if (weights === 0) throw refusal(`The tensor ${quoted(name)} has a dimension of 0.`);
    if (weights > Number.MAX_SAFE_INTEGER) throw refusal(`The tensor ${quoted(name)} is larger than any file.`);
    if ((shape[0] ?? 0) % type.blockWeights !== 0) {
      throw refusal(`The tensor ${quoted(name)} has rows that are no whole blocks of ${type.name}.`);
    }
    tensors.push({ name, shape, type: type.name, offset, bytes: (weights / type.blockWeights) * type.blockBytes });
  }
  return tensors;
}

/** Names are printable ASCII without quotes around: a terminal and a log can show them. */
async function readName(bytes: HeaderBytes, most: number, of: "field" | "tensor"): Promise<string> {
  await bytes.load(8);
  const size = bytes.size();
  if (size === 0) throw refusal(`The GGUF file has a ${of} without a name.`);
  if (size > most) throw refusal(`The GGUF file has a ${of} with a name of more than ${most} bytes.`);
  await bytes.load(size);
  const name = bytes.text(size);
  if (!/^[\x20-\x7e]+$/.test(name)) throw refusal(`The GGUF file has a ${of} whose name is no printable ASCII.`);
  return name;
}

async function readText(bytes: HeaderBytes, key: string): Promise<string> {
  await bytes.load(8);
  const size = bytes.size();
  if (size > limits.stringBytes) throw tooLong(key);
  await bytes.load(size);
  return bytes.text(size);
}

function decode(bytes: Buffer, type: Exclude<GgufScalarType, "string">, key: string): (number | bigint | boolean)[] {
  const width = scalarBytes[type];
  const values = Array.from({ length: bytes.length / width }, (_, index) => readers[type](bytes, index * width));
  if (type === "bool" && bytes.some((value) => value > 1)) {
    throw refusal(`The field ${quoted(key)} is neither true nor false.`);
  }
  return values;
}

const readers: Readonly<
  Record<Exclude<GgufScalarType, "string">, (bytes: Buffer, at: number) => number | bigint | boolean>
> = {
  u8: (bytes, at) => bytes.readUInt8(at),
  i8: (bytes, at) => bytes.readInt8(at),
  u16: (bytes, at) => bytes.readUInt16LE(at),
  i16: (bytes, at) => bytes.readInt16LE(at),
  u32: (bytes, at) => bytes.readUInt32LE(at),
  i32: (bytes, at) => bytes.readInt32LE(at),
  f32: (bytes, at) => bytes.readFloatLE(at),
  f64: (bytes, at) => bytes.readDoubleLE(at),
  bool: (bytes, at) => bytes.readUInt8(at) === 1,
  u64: (bytes, at) => bytes.readBigUInt64LE(at),
  i64: (bytes, at) => bytes.readBigInt64LE(at),
};

function valueOf({ type, array, length, values }: FoundField): GgufValue {
  if (!values) return { elements: type, length };
  return array ? values : (values[0] ?? "");
}

function fieldOf({ type, array, values = [] }: FoundField): GgufField {
  // The values were decoded by this very type.
  return (array ? { type: `${type}[]`, value: values } : { type, value: values[0] }) as GgufField;
}

function quoted(name: string): string {
  return `\`${name.length > 80 ? `${name.slice(0, 80)}…` : name}\``;
}

function bigEndian(): BenchtopError {
  return refusal(
    "This GGUF file was written for big-endian machines. Choose the file for ordinary (little-endian) ones.",
  );
}

function tooLong(key: string): BenchtopError {
  return refusal(`The field ${quoted(key)} holds a text of more than ${limits.stringBytes / 2 ** 20} MiB.`);
}
