import { BenchtopError } from "@benchtop/protocol/errors";
import type { Koffi, NativeLibraries, Pointer } from "../ffi/library.ts";
import { listenToLog } from "../ffi/native-log.ts";
import { callAside } from "../ffi/native-process.ts";
import type { QuantizationType, TensorFallback } from "./quantization.ts";

/** What `llama_model_quantize` is asked to do. Only for a child process. */
export interface QuantizeCall {
  readonly sourcePath: string;
  readonly outputPath: string;
  readonly type: QuantizationType;
  readonly threads: number;
  readonly allowRequantize: boolean;
  /** Written over the metadata of the source. Keys and texts of at most 127 bytes, numbers that fit in 32 bits. */
  readonly metadata: ReadonlyMap<string, string | number>;
  /** By tensor: how much each column of its rows matters. */
  readonly importance?: ReadonlyMap<string, Float32Array>;
}

export interface QuantizeOutcome {
  /** Of all weights in their new types, without header and padding. */
  readonly weightBytes: number;
  readonly fallbacks: readonly TensorFallback[];
}

/** Number of llama.cpp's `enum llama_ftype`. */
const fileTypes: Readonly<Record<QuantizationType, number>> = {
  F16: 1,
  BF16: 32,
  Q8_0: 7,
  Q6_K: 18,
  Q5_K_M: 17,
  Q4_K_M: 15,
  Q4_0: 2,
};

export interface LlamaQuantizer {
  /** What the result will be, without writing it; takes no time, as no weight is read. */
  plan(call: QuantizeCall): Promise<QuantizeOutcome>;
  write(call: QuantizeCall, onTensor: (tensor: string, index: number, count: number) => void): Promise<QuantizeOutcome>;
  /** The options that llama.cpp gets for this call, by its own names; those that are addresses are left out. */
  parameters(call: QuantizeCall): Record<string, number | boolean>;
}

/** After `llama_model_quantize_params` of llama.h, of the version in `knownVersion`. */
export function openLlamaQuantizer({ koffi, llama }: NativeLibraries): LlamaQuantizer {
  const params = koffi.struct({
    nthread: "int32_t",
    ftype: "int",
    output_tensor_type: "int",
    token_embedding_type: "int",
    allow_requantize: "bool",
    quantize_output_tensor: "bool",
    only_copy: "bool",
    pure: "bool",
    keep_split: "bool",
    dry_run: "bool",
    imatrix: "void *",
    kv_overrides: "void *",
    tt_overrides: "void *",
    prune_layers: "void *",
    max_buf_size: "size_t",
  });
  const defaults = llama.func("llama_model_quantize_default_params", params, [])() as Params;
  checkLayout(defaults);
  const quantize = llama.func("llama_model_quantize", "uint32_t", ["str", "str", koffi.pointer(params)]);
  const log = listenToLog(koffi, llama);

  const paramsOf = (call: QuantizeCall): Params => ({
    ...defaults,
    nthread: call.threads,
    ftype: fileTypes[call.type],
    allow_requantize: call.allowRequantize,
    // Rows are quantized each for itself, so a smaller buffer changes no byte. llama.cpp's own 8 GiB are not everybody's.
    max_buf_size: 512 * 2 ** 20,
  });

  async function run(call: QuantizeCall, dryRun: boolean, onTensor?: TensorListener): Promise<QuantizeOutcome> {
    const reading = readLog(onTensor);
    using memory = new NativeMemory(koffi);
    using _listening = log.listen(reading.line, reading.text);
    const status = await callAside(quantize, call.sourcePath, call.outputPath, {
      ...paramsOf(call),
      dry_run: dryRun,
      kv_overrides: overrides(memory, call.metadata),
      imatrix: call.importance === undefined ? null : importanceData(memory, call.importance),
    });
    if (status !== 0) throw new QuantizeFailure(log.firstError());
    return reading.outcome();
  }

  return {
    plan: async (call) => await run(call, true),
    write: async (call, onTensor) => await run(call, false, onTensor),
    parameters: (call) =>
      Object.fromEntries(
        Object.entries(paramsOf(call)).filter(
          (entry): entry is [string, number | boolean] => entry[1] !== null && entry[0] !== "dry_run",
        ),
      ),
  };
}

/** llama.cpp gave up; `message` is what it says of it. */
export class QuantizeFailure extends Error {}

type Params = Record<string, number | boolean | Pointer>;
type TensorListener = (tensor: string, index: number, count: number) => void;

/** Another layout would show here: values that only these fields have, at both ends and in the middle. */
function checkLayout(defaults: Params): void {
  const { nthread, ftype, quantize_output_tensor, dry_run, imatrix, prune_layers, max_buf_size } = defaults;
  const asKnown =
    nthread === 0 &&
    ftype === fileTypes.Q8_0 &&
    quantize_output_tensor === true &&
    dry_run === false &&
    imatrix === null &&
    prune_layers === null &&
    Number(max_buf_size) === 8 * 2 ** 30;
  if (asKnown) return;
  throw new BenchtopError(
    "PROVIDER_UNAVAILABLE",
    "The installed llama.cpp takes other options for quantizing than this Benchtop knows. Install the version of node-llama-cpp that Benchtop names in its package.json.",
    { phase: "job", retryable: false },
  );
}

/**
 * llama.cpp tells what it does in its log alone:
 * `[   3/  21] blk.0.attn_q.weight   - [   256,   256,     1,     1], type =    f32, …`
 * `warning: blk.0.attn_k.weight      - ncols     96 not divisible by 256 (required for type    q4_K) -> falling back to    q5_0`
 * `…: quant size  =     0.77 MiB (4.89 BPW)`
 */
function readLog(onTensor: TensorListener | undefined) {
  const fallbacks: TensorFallback[] = [];
  let weightBytes = 0;
  return {
    text: (line: string): void => {
      const [, index, count, tensor] = /^\[ *(\d+)\/ *(\d+)\] (.+?) +- \[[^[]*$/.exec(line) ?? [];
      // The line is told in parts; its first is the one that ends behind the type.
      if (tensor !== undefined && line.endsWith(", ")) onTensor?.(tensor, Number(index), Number(count));
    },
    line: (line: string): void => {
      const [, tensor, columns, wanted, used] =
        /^warning: (.+?) +- ncols +(\d+) not divisible by +\d+ \(required for type +(\w+)\).*-> falling back to +(\w+)$/.exec(
          line,
        ) ?? [];
      if (tensor !== undefined && wanted !== undefined && used !== undefined) {
        fallbacks.push({ tensor, columns: Number(columns), wanted: ofFile(wanted), used: ofFile(used) });
      }
      const [, mebibytes] = /: quant size += +([\d.]+) MiB /.exec(line) ?? [];
      // Told in hundredths: half of one more is never too little.
      if (mebibytes !== undefined) weightBytes = Math.ceil((Number(mebibytes) + 0.005) * 2 ** 20);
    },
    outcome: (): QuantizeOutcome => ({ weightBytes, fallbacks }),
  };
}

/** The log writes `q4_K` and `f16` where files have `Q4_K` and `F16`. */
const ofFile = (type: string): string => type.toUpperCase();

/** An array of `llama_model_kv_override`; an empty key ends it. */
function overrides(memory: NativeMemory, metadata: ReadonlyMap<string, string | number>): Pointer {
  const keyAt = 4;
  const valueAt = 136;
  const size = 264;
  const bytes = memory.bytes((metadata.size + 1) * size);
  for (const [index, [key, value]] of [...metadata].entries()) {
    const at = index * size;
    writeText(bytes, at + keyAt, key);
    if (typeof value === "string") {
      bytes.writeInt32LE(overrideTypes.text, at);
      writeText(bytes, at + valueAt, value);
    } else {
      bytes.writeInt32LE(overrideTypes.integer, at);
      bytes.writeBigInt64LE(BigInt(value), at + valueAt);
    }
  }
  return memory.addressOf(bytes);
}

/** Of `enum llama_model_kv_override_type`. */
const overrideTypes = { integer: 0, text: 3 } as const;

function writeText(bytes: Buffer, at: number, text: string): void {
  if (Buffer.byteLength(text) > 127) throw new RangeError("llama.cpp takes metadata of at most 127 bytes.");
  bytes.write(text, at);
}

/** An array of `llama_model_imatrix_data`; a null name ends it. */
function importanceData(memory: NativeMemory, importance: ReadonlyMap<string, Float32Array>): Pointer {
  const { koffi } = memory;
  const entry = koffi.struct({ name: "void *", data: "void *", size: "size_t" });
  const entryBytes = koffi.sizeof(entry);
  const list = memory.addressOf(memory.bytes((importance.size + 1) * entryBytes));
  for (const [index, [name, values]] of [...importance].entries()) {
    const text = memory.bytes(Buffer.byteLength(name) + 1);
    text.write(name);
    const data = memory.bytes(values.byteLength);
    data.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    koffi.encode(list, index * entryBytes, entry, {
      name: memory.addressOf(text),
      data: memory.addressOf(data),
      size: values.length,
    });
  }
  return list;
}

/** Memory of C that stays where it is for as long as a call takes. */
class NativeMemory {
  readonly koffi: Koffi;
  readonly #pointers = new Map<Buffer, bigint>();

  constructor(koffi: Koffi) {
    this.koffi = koffi;
  }

  /** All zero. */
  bytes(length: number): Buffer {
    const pointer = this.koffi.alloc("uint8_t", length) as bigint;
    const bytes = Buffer.from(this.koffi.view(pointer, length)).fill(0);
    this.#pointers.set(bytes, pointer);
    return bytes;
  }

  addressOf(bytes: Buffer): Pointer {
    return this.#pointers.get(bytes) ?? null;
  }

  [Symbol.dispose](): void {
    for (const pointer of this.#pointers.values()) this.koffi.free(pointer);
    this.#pointers.clear();
  }
}
