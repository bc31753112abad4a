/** A process that reads a text with a model and counts what goes into its matrices. */
import { BenchtopError } from "@benchtop/protocol/errors";
import type { Koffi, NativeLibraries, Pointer } from "../ffi/library.ts";
import { openEvaluator } from "../quality/evaluation.ts";
import { asText, chunksOf, tokensOf } from "../quality/text-chunks.ts";
import type { ImportanceProgress } from "./importance.ts";
import type { ImportanceSums } from "./importance-matrix.ts";
import { openForLongCalls, serveNativeTask } from "../ffi/native-process.ts";

export interface ImportanceInput {
  readonly modelPath: string;
  readonly text: string;
  readonly contextTokens: number;
  readonly chunks: number | undefined;
  readonly threads: number;
}

export interface ImportanceResult {
  readonly sums: ReadonlyMap<string, ImportanceSums>;
  readonly chunks: number;
}

export interface ImportanceTask {
  readonly input: ImportanceInput;
  readonly progress: ImportanceProgress;
  readonly result: ImportanceResult;
}

serveNativeTask<ImportanceTask>(count);

async function count(
  input: ImportanceInput,
  report: (progress: ImportanceProgress) => void,
): Promise<ImportanceResult> {
  const libraries = await openForLongCalls();
  const { sums, observe } = counter(libraries);
  const { threads, contextTokens } = input;
  const model = await openEvaluator(libraries).open({ path: input.modelPath, threads, contextTokens, observe });
  const chunks = chunksOf(tokensOf(model, input.text, contextTokens), contextTokens, input.chunks);
  for (const [index, chunk] of chunks.entries()) {
    const read = asText(model, chunk);
    model.forget();
    for (let start = 0; start < read.length; start += model.batchTokens) {
      const batch = read.slice(start, start + model.batchTokens);
      // All are wanted: llama.cpp leaves out of the last layer what nobody asks for.
      await model.read(
        batch,
        Array.from(batch, () => true),
      );
    }
    report({ done: index + 1, total: chunks.length });
  }
  for (const { squares } of sums.values()) if (!squares.every(Number.isFinite)) throw noNumber();
  return { sums, chunks: chunks.length };
}

function noNumber(): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", "The model computes what is no number: it is damaged.", {
    phase: "job",
  });
}

/** Sees each product of a layer's matrix with what comes in, and adds up the squares of that by column. */
function counter({ koffi, base }: NativeLibraries) {
  const nodes = openNodes(koffi, base);
  const sums = new Map<string, ImportanceSums>();

  function observe(pointer: Pointer, asked: boolean): boolean {
    const node = nodes.at(pointer);
    if (node.op !== nodes.product && node.op !== nodes.expertProduct) return false;
    const [matrix, input, chosen] = [nodes.at(node.sources[0]), nodes.at(node.sources[1]), node.sources[2]];
    if (!matrix.name.startsWith("blk.") || !matrix.name.endsWith(".weight") || input.type !== f32) return false;
    if (asked) return true;
    const entry = entryOf(matrix, input);
    if (node.op === nodes.product) addRows(entry, matrix, input);
    else addChosenRows(entry, input, nodes.at(chosen ?? null));
    return true;
  }

  function entryOf(matrix: Node, input: Node): ImportanceSums {
    const known = sums.get(matrix.name);
    if (known !== undefined) return known;
    const matrices = matrix.lengths[2] * matrix.lengths[3];
    const entry = { squares: new Float64Array(input.lengths[0] * matrices), rows: new Float64Array(matrices) };
    sums.set(matrix.name, entry);
    return entry;
  }

  function addRows(entry: ImportanceSums, matrix: Node, input: Node): void {
    const [columns, rows, pages, books] = input.lengths;
    const floats = nodes.floats(input);
    for (let book = 0; book < books; book++) {
      for (let page = 0; page < pages; page++) {
        const which = (book % matrix.lengths[3]) * matrix.lengths[2] + (page % matrix.lengths[2]);
        for (let row = 0; row < rows; row++) {
          const from = (row * input.strides[1] + page * input.strides[2] + book * input.strides[3]) / 4;
          addSquares(entry, which, floats, from, columns);
        }
      }
    }
  }

  /** `chosen` has for each token the experts it goes to; `input` has a row for each of them, or one for all. */
  function addChosenRows(entry: ImportanceSums, input: Node, chosen: Node): void {
    const [columns, rows, tokens] = input.lengths;
    const floats = nodes.floats(input);
    const experts = nodes.int32s(chosen);
    for (let token = 0; token < tokens; token++) {
      for (let choice = 0; choice < chosen.lengths[0]; choice++) {
        const expert = experts[(token * chosen.strides[1] + choice * chosen.strides[0]) / 4] ?? 0;
        const from = ((choice % rows) * input.strides[1] + token * input.strides[2]) / 4;
        addSquares(entry, expert, floats, from, columns);
      }
    }
  }

  return { sums, observe };
}

function addSquares(
  { squares, rows }: ImportanceSums,
  which: number,
  floats: Float32Array,
  from: number,
  columns: number,
): void {
  const to = which * columns;
  for (let column = 0; column < columns; column++) {
    const value = floats[from + column] ?? 0;
    squares[to + column] = (squares[to + column] ?? 0) + value * value;
  }
  rows[which] = (rows[which] ?? 0) + 1;
}

/** A step of ggml's computation, or what goes into one. */
interface Node {
  readonly pointer: Pointer;
  readonly name: string;
  readonly type: number;
  readonly op: number;
  readonly lengths: Four;
  /** In bytes. */
  readonly strides: Four;
  readonly sources: readonly Pointer[];
}
type Four = readonly [number, number, number, number];

/** Of `enum ggml_type`. */
const f32 = 0;

/** After `struct ggml_tensor` of ggml.h, of the version in `knownVersion`. */
function openNodes(koffi: Koffi, base: NativeLibraries["base"]) {
  const tensor = koffi.struct({
    type: "int",
    buffer: "void *",
    ne: koffi.array("int64_t", 4),
    nb: koffi.array("size_t", 4),
    op: "int",
    op_params: koffi.array("int32_t", 16),
    flags: "int32_t",
    src: koffi.array("void *", 10),
    view_src: "void *",
    view_offs: "size_t",
    data: "void *",
    name: koffi.array("char", 64),
    extra: "void *",
    padding: koffi.array("char", 8),
  });
  const [product, expertProduct] = [29, 30];
  const opName = base.func("ggml_op_name", "str", ["int"]);
  // In a context a tensor has a header of four words.
  const size = Number(base.func("ggml_tensor_overhead", "size_t", [])()) - 4 * koffi.sizeof("void *");
  if (opName(product) !== "MUL_MAT" || opName(expertProduct) !== "MUL_MAT_ID" || size !== koffi.sizeof(tensor)) {
    throw new BenchtopError(
      "PROVIDER_UNAVAILABLE",
      "The installed llama.cpp computes otherwise than this Benchtop knows. Install the version of node-llama-cpp that Benchtop names in its package.json.",
      { phase: "job", retryable: false },
    );
  }
  const bytesOf = base.func("ggml_nbytes", "size_t", ["void *"]);
  const dataOf = base.func("ggml_get_data", "void *", ["void *"]);
  const memoryOf = (node: Node): ArrayBuffer => koffi.view(dataOf(node.pointer), Number(bytesOf(node.pointer)));
  return {
    product,
    expertProduct,
    at(pointer: Pointer | undefined): Node {
      const read = koffi.decode(pointer, tensor) as {
        readonly type: number;
        readonly op: number;
        readonly ne: Iterable<number | bigint>;
        readonly nb: Iterable<number | bigint>;
        readonly src: readonly Pointer[];
        readonly name: string;
      };
      return {
        pointer: pointer ?? null,
        name: read.name,
        type: read.type,
        op: read.op,
        lengths: four(read.ne),
        strides: four(read.nb),
        sources: read.src,
      };
    },
    floats: (node: Node) => new Float32Array(memoryOf(node)),
    int32s: (node: Node) => new Int32Array(memoryOf(node)),
  };
}

function four(values: Iterable<number | bigint>): Four {
  const [a = 0, b = 0, c = 0, d = 0] = Array.from(values, Number);
  return [a, b, c, d];
}
