import { BenchtopError } from "@benchtop/protocol/errors";
import type { LibraryHandle } from "koffi";
import type { NativeLibraries, Pointer } from "./library.ts";

/**
 * The part of ggml that the trainer computes with, as functions of TypeScript. Signatures follow ggml.h, ggml-alloc.h and
 * ggml-backend.h of the version in `knownVersion`. Only for a child process: see `openNativeLibraries`.
 */
export interface Ggml {
  /** A context holds the descriptions of tensors; their data lies in buffers. `tensors` bounds how many it can hold. */
  newContext(tensors: number): Context;
  newGraph(nodes: number): Graph;
  /** Adds what `tensor` needs, and then `tensor`, to the end of the graph. */
  expand(graph: Graph, tensor: Tensor): void;
  /** Gives every tensor of the context memory of its own. */
  allocateContext(context: Context): void;
  /** Gives the graph's tensors memory, shared by those that are never needed at once. Returns the bytes. */
  allocateGraph(graph: Graph): number;
  /** A view of a tensor's memory, valid as long as its buffer. */
  floats(tensor: Tensor): Float32Array;
  int32s(tensor: Tensor): Int32Array;
  int64s(tensor: Tensor): BigInt64Array;
  /** Marks memory that stays as computed until the next computation. */
  output(tensor: Tensor): Tensor;
  /**
   * Puts a tensor that has no memory yet into that of `root`, `offset` bytes from its start, so that its operation writes there.
   * `root` is a tensor of an allocated context.
   */
  placeAt(tensor: Tensor, root: Tensor, offset: number): Tensor;
  /** Marks weights, which alone `adamw` may change. */
  parameter(tensor: Tensor): Tensor;
  newEngine(threads: number): Engine;
  readonly ops: Operations;
}

export interface Context {
  readonly pointer: Pointer;
  /** Where its tensors lie, once `allocateContext` gave them memory. */
  buffer: Pointer;
}
export interface Graph {
  readonly pointer: Pointer;
}
/** Four dimensions, the fastest-moving first. */
export type Shape = readonly [number, number, number, number];
export interface Tensor {
  readonly pointer: Pointer;
  readonly context: Context;
  readonly shape: Shape;
  readonly type: TensorType;
}

export const tensorTypes = { f32: 0, f16: 1, i32: 26, i64: 27, bf16: 30 } as const;
export type TensorType = keyof typeof tensorTypes;

/** What computes graphs, with threads of its own. Two engines may compute two graphs at the same time. */
export interface Engine {
  /** Computes in a thread of its own. Rejects when the graph could not be computed, for want of memory. */
  compute(graph: Graph): Promise<void>;
}

/** Each makes the description of a result; nothing is computed before the graph is. Gradients are the caller's matter. */
export interface Operations {
  tensor(context: Context, type: TensorType, ...shape: readonly number[]): Tensor;
  add(a: Tensor, b: Tensor): Tensor;
  mul(a: Tensor, b: Tensor): Tensor;
  div(a: Tensor, b: Tensor): Tensor;
  addInPlace(a: Tensor, b: Tensor): Tensor;
  mulInPlace(a: Tensor, b: Tensor): Tensor;
  scale(a: Tensor, factor: number): Tensor;
  scaleAndShift(a: Tensor, factor: number, shift: number): Tensor;
  silu(a: Tensor): Tensor;
  swiglu(gate: Tensor, up: Tensor): Tensor;
  rmsNorm(a: Tensor, epsilon: number): Tensor;
  rmsNormBack(gradient: Tensor, a: Tensor, epsilon: number): Tensor;
  /** `[k, m] × [k, n] → [m, n]`: rows times rows. */
  mulMat(a: Tensor, b: Tensor): Tensor;
  /** `[n, k] × [m, k] → [n, m]`: columns times columns; heads of `a` are shared by those of `b` where there are fewer. */
  outerProduct(a: Tensor, b: Tensor): Tensor;
  /** A copy in which the rows follow one another without gaps, of the type that is asked for. */
  contiguous(a: Tensor, type?: TensorType): Tensor;
  reshape(a: Tensor, ...shape: readonly number[]): Tensor;
  /** Strides and offset in bytes. */
  view(a: Tensor, shape: Shape, strides: readonly [number, number, number], offset: number): Tensor;
  permute(a: Tensor, ...axes: readonly [number, number, number, number]): Tensor;
  transpose(a: Tensor): Tensor;
  getRows(a: Tensor, rows: Tensor): Tensor;
  getRowsBack(gradient: Tensor, rows: Tensor, like: Tensor): Tensor;
  /** Writes the rows of `source` into `destination`, in place; `rows` is of i64. */
  setRows(destination: Tensor, source: Tensor, rows: Tensor): Tensor;
  repeatBack(a: Tensor, like: Tensor): Tensor;
  softMax(a: Tensor, mask: Tensor | undefined, scale: number): Tensor;
  softMaxBack(gradient: Tensor, result: Tensor, scale: number): Tensor;
  rope(a: Tensor, positions: Tensor, rope: Rope): Tensor;
  ropeBack(gradient: Tensor, positions: Tensor, rope: Rope): Tensor;
  /** `settings`: alpha, beta1, beta2, epsilon, decay, and the two bias corrections. Changes `a`, `m` and `v` in place. */
  adamw(a: Tensor, gradient: Tensor, m: Tensor, v: Tensor, settings: Tensor): Tensor;
}

export interface Rope {
  readonly dimensions: number;
  readonly base: number;
  readonly contextTokens: number;
}

export function openGgml({ koffi, base, ggml }: NativeLibraries): Ggml {
  const parameters = koffi.struct({ mem_size: "size_t", mem_buffer: "void *", no_alloc: "bool" });
  const init = base.func("ggml_init", "void *", [parameters]);
  const tensorOverhead = Number(base.func("ggml_tensor_overhead", "size_t", [])());
  const graphOverhead = base.func("ggml_graph_overhead_custom", "size_t", ["size_t", "bool"]);
  const newGraph = base.func("ggml_new_graph_custom", "void *", ["void *", "size_t", "bool"]);
  const expand = base.func("ggml_build_forward_expand", "void", ["void *", "void *"]);
  const dataOf = base.func("ggml_get_data", "void *", ["void *"]);
  const bytesOf = base.func("ggml_nbytes", "size_t", ["void *"]);
  const setOutput = base.func("ggml_set_output", "void", ["void *"]);
  const setParameter = base.func("ggml_set_param", "void", ["void *"]);
  const cpuDevice = ggml.func("ggml_backend_dev_by_type", "void *", ["int"])(0) as Pointer;
  const bufferType = base.func("ggml_backend_dev_buffer_type", "void *", ["void *"])(cpuDevice) as Pointer;
  const allocate = base.func("ggml_backend_alloc_ctx_tensors_from_buft", "void *", ["void *", "void *"]);
  const placeTensor = base.func("ggml_backend_tensor_alloc", "int", ["void *", "void *", "void *"]);
  const newAllocator = base.func("ggml_gallocr_new", "void *", ["void *"]);
  const allocateGraph = base.func("ggml_gallocr_alloc_graph", "bool", ["void *", "void *"]);
  const allocatedBytes = base.func("ggml_gallocr_get_buffer_size", "size_t", ["void *", "int"]);
  const startDevice = base.func("ggml_backend_dev_init", "void *", ["void *", "str"]);
  const registryOf = base.func("ggml_backend_dev_backend_reg", "void *", ["void *"]);
  const procedure = base.func("ggml_backend_reg_get_proc_address", "void *", ["void *", "str"]);
  const setThreads = koffi.proto("void", ["void *", "int"]);
  const graphCompute = base.func("ggml_backend_graph_compute", "int", ["void *", "void *"]);

  const view = (tensor: Tensor): ArrayBuffer => koffi.view(dataOf(tensor.pointer), Number(bytesOf(tensor.pointer)));
  const newContext = (bytes: number): Context => ({
    pointer: init({ mem_size: bytes, mem_buffer: null, no_alloc: true }) as Pointer,
    buffer: null,
  });

  return {
    newContext: (tensors) => newContext(tensors * tensorOverhead),
    newGraph(nodes) {
      const own = newContext(Number(graphOverhead(nodes, false)));
      return { pointer: newGraph(own.pointer, nodes, false) as Pointer };
    },
    expand: (graph, tensor) => void expand(graph.pointer, tensor.pointer),
    allocateContext(context) {
      context.buffer = allocate(context.pointer, bufferType) as Pointer;
      if (context.buffer === null) throw outOfMemory();
    },
    allocateGraph(graph) {
      const allocator = newAllocator(bufferType) as Pointer;
      if (allocateGraph(allocator, graph.pointer) !== true) throw outOfMemory();
      return Number(allocatedBytes(allocator, 0));
    },
    floats: (tensor) => new Float32Array(view(tensor)),
    int32s: (tensor) => new Int32Array(view(tensor)),
    int64s: (tensor) => new BigInt64Array(view(tensor)),
    output(tensor) {
      setOutput(tensor.pointer);
      return tensor;
    },
    parameter(tensor) {
      setParameter(tensor.pointer);
      return tensor;
    },
    newEngine(threads) {
      const backend = startDevice(cpuDevice, null) as Pointer;
      koffi.call(procedure(registryOf(cpuDevice), "ggml_backend_set_n_threads"), setThreads, backend, threads);
      return {
        compute: async (graph) =>
          await new Promise((resolve, reject) => {
            graphCompute.async(backend, graph.pointer, (error: unknown, status: unknown) => {
              if (error === null && status === 0) resolve();
              else reject(error instanceof Error ? error : outOfMemory());
            });
          }),
      };
    },
    placeAt(tensor, root, offset) {
      const address = BigInt(dataOf(root.pointer)) + BigInt(offset);
      if (placeTensor(root.context.buffer, tensor.pointer, address) !== 0) throw outOfMemory();
      return tensor;
    },
    ops: operations(base),
  };
}

function operations(base: LibraryHandle): Operations {
  const declare = (name: string, ...parameters: string[]): ((...values: unknown[]) => Pointer) =>
    base.func(`ggml_${name}`, "void *", ["void *", ...parameters]) as (...values: unknown[]) => Pointer;
  const unary = (name: string): ((a: Tensor) => Tensor) => {
    const call = declare(name, "void *");
    return (a) => like(a, call(a.context.pointer, a.pointer));
  };
  const binary = (name: string): ((a: Tensor, b: Tensor) => Tensor) => {
    const call = declare(name, "void *", "void *");
    return (a, b) => like(a, call(a.context.pointer, a.pointer, b.pointer));
  };
  const withNumber = (name: string): ((a: Tensor, value: number) => Tensor) => {
    const call = declare(name, "void *", "float");
    return (a, value) => like(a, call(a.context.pointer, a.pointer, value));
  };
  const newTensor = declare("new_tensor_4d", "int", ...fourNumbers);
  const scaleBias = declare("scale_bias", "void *", "float", "float");
  const rmsNormBack = declare("rms_norm_back", "void *", "void *", "float");
  const mulMat = declare("mul_mat", "void *", "void *");
  const contiguous = declare("cont", "void *");
  const cast = declare("cast", "void *", "int");
  const outerProduct = declare("out_prod", "void *", "void *");
  const reshape = declare("reshape_4d", "void *", ...fourNumbers);
  const view = declare("view_4d", "void *", ...fourNumbers, "size_t", "size_t", "size_t", "size_t");
  const permute = declare("permute", "void *", "int", "int", "int", "int");
  const transpose = declare("transpose", "void *");
  const getRows = declare("get_rows", "void *", "void *");
  const getRowsBack = declare("get_rows_back", "void *", "void *", "void *");
  const setRows = declare("set_rows", "void *", "void *", "void *");
  const repeatBack = declare("repeat_back", "void *", "void *");
  const softMax = declare("soft_max_ext", "void *", "void *", "float", "float");
  const softMaxBack = declare("soft_max_ext_back", "void *", "void *", "float", "float");
  const ropeParameters = ["void *", "void *", "void *", "int", "int", "int", ...Array<string>(6).fill("float")];
  const rope = declare("rope_ext", ...ropeParameters);
  const ropeBack = declare("rope_ext_back", ...ropeParameters);
  const adamw = declare("opt_step_adamw", "void *", "void *", "void *", "void *", "void *");

  return {
    tensor(context, type, ...shape) {
      const full = fourDimensions(shape);
      return { pointer: newTensor(context.pointer, tensorTypes[type], ...full), context, shape: full, type };
    },
    add: binary("add"),
    mul: binary("mul"),
    div: binary("div"),
    addInPlace: binary("add_inplace"),
    mulInPlace: binary("mul_inplace"),
    scale: withNumber("scale"),
    scaleAndShift: (a, factor, shift) => like(a, scaleBias(a.context.pointer, a.pointer, factor, shift)),
    silu: unary("silu"),
    swiglu: binary("swiglu_split"),
    rmsNorm: withNumber("rms_norm"),
    rmsNormBack: (gradient, a, epsilon) =>
      like(a, rmsNormBack(a.context.pointer, gradient.pointer, a.pointer, epsilon)),
    mulMat: (a, b) =>
      like(b, mulMat(b.context.pointer, a.pointer, b.pointer), [a.shape[1], b.shape[1], b.shape[2], b.shape[3]], "f32"),
    outerProduct: (a, b) =>
      like(b, outerProduct(b.context.pointer, a.pointer, b.pointer), [a.shape[0], b.shape[0], b.shape[2], b.shape[3]]),
    contiguous: (a, type = a.type) =>
      type === a.type
        ? like(a, contiguous(a.context.pointer, a.pointer))
        : like(a, cast(a.context.pointer, a.pointer, tensorTypes[type]), a.shape, type),
    reshape(a, ...shape) {
      const full = fourDimensions(shape);
      return like(a, reshape(a.context.pointer, a.pointer, ...full), full);
    },
    view: (a, shape, strides, offset) =>
      like(a, view(a.context.pointer, a.pointer, ...shape, ...strides, offset), shape),
    permute(a, ...axes) {
      const shape: [number, number, number, number] = [1, 1, 1, 1];
      for (const [from, to] of axes.entries()) shape[to] = a.shape[from] ?? 1;
      return like(a, permute(a.context.pointer, a.pointer, ...axes), shape);
    },
    transpose: (a) =>
      like(a, transpose(a.context.pointer, a.pointer), [a.shape[1], a.shape[0], a.shape[2], a.shape[3]]),
    getRows: (a, rows) =>
      like(
        rows,
        getRows(rows.context.pointer, a.pointer, rows.pointer),
        fourDimensions([a.shape[0], rows.shape[0]]),
        "f32",
      ),
    getRowsBack: (gradient, rows, shaped) =>
      like(
        gradient,
        getRowsBack(gradient.context.pointer, gradient.pointer, rows.pointer, shaped.pointer),
        shaped.shape,
      ),
    setRows: (destination, source, rows) =>
      like(destination, setRows(source.context.pointer, destination.pointer, source.pointer, rows.pointer)),
    repeatBack: (a, shaped) => like(a, repeatBack(a.context.pointer, a.pointer, shaped.pointer), shaped.shape),
    softMax: (a, mask, scale) => like(a, softMax(a.context.pointer, a.pointer, mask?.pointer ?? null, scale, 0)),
    softMaxBack: (gradient, result, scale) =>
      like(gradient, softMaxBack(gradient.context.pointer, gradient.pointer, result.pointer, scale, 0)),
    rope: (a, positions, settings) => like(a, rope(a.context.pointer, ...ropeArguments(a, positions, settings))),
    ropeBack: (a, positions, settings) =>
      like(a, ropeBack(a.context.pointer, ...ropeArguments(a, positions, settings))),
    adamw: (a, gradient, m, v, settings) =>
      like(a, adamw(a.context.pointer, a.pointer, gradient.pointer, m.pointer, v.pointer, settings.pointer)),
  };
}

/** A result in the context of `a`, of its shape and type where nothing else is said. */
function like(a: Tensor, pointer: Pointer, shape: Shape = a.shape, type: TensorType = a.type): Tensor {
  return { pointer, context: a.context, shape, type };
}

const fourNumbers = ["int64_t", "int64_t", "int64_t", "int64_t"];

function fourDimensions(shape: readonly number[]): Shape {
  return [shape[0] ?? 1, shape[1] ?? 1, shape[2] ?? 1, shape[3] ?? 1];
}

/** Pairs of neighbouring numbers turn (mode 0), as `LLM_ARCH_LLAMA` has it; no scaling of the context. */
function ropeArguments(a: Tensor, positions: Tensor, { dimensions, base, contextTokens }: Rope): unknown[] {
  return [a.pointer, positions.pointer, null, dimensions, 0, contextTokens, base, 1, 0, 1, 32, 1];
}

function outOfMemory(): BenchtopError {
  return new BenchtopError(
    "VALIDATION_FAILED",
    "There is not enough memory to train this. Take a smaller batch, a shorter context or a smaller model.",
  );
}
