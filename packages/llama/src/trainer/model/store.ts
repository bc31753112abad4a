import type { Context, Ggml, Tensor } from "../../ffi/ggml.ts";
import { normalNumbers, type Random } from "../random.ts";
import type { ParameterShape } from "./architecture.ts";

/**
 * Weights in one piece of memory, one after another, so that an update, a checkpoint or a sum over all of them is one operation.
 * Those that decay come first.
 */
export interface ParameterStore {
  readonly parameters: readonly ParameterShape[];
  /** All weights, with gaps of zeros, in floats. */
  readonly length: number;
  /** How many of them, from the start, decay. */
  readonly decayingLength: number;
  readonly flat: Tensor;
  has(name: string): boolean;
  offsetOf(name: string): number;
  tensor(name: string): Tensor;
  /** A view of the native memory. */
  values(name: string): Float32Array;
}

/** Sums and updates go over rows of this many floats; lengths are multiples of it. */
export const flatRow = 1024;
/** In floats: what ggml asks of the address of a tensor. */
const alignment = 16;

export function newStore(ggml: Ggml, parameters: readonly ParameterShape[]): ParameterStore {
  const offsets = new Map<string, number>();
  let length = 0;
  const place = (parameter: ParameterShape): void => {
    offsets.set(parameter.name, length);
    length += roundUp(sizeOf(parameter), alignment);
  };
  for (const parameter of parameters) if (parameter.decays) place(parameter);
  length = roundUp(length, flatRow);
  const decayingLength = length;
  for (const parameter of parameters) if (!parameter.decays) place(parameter);
  length = roundUp(length, flatRow);

  const flat = newFlat(ggml, length);
  const views = ggml.newContext(parameters.length + 1);
  const tensors = new Map(
    parameters.map((parameter) => [parameter.name, viewOf(ggml, views, flat, parameter, offsets)]),
  );
  const floats = ggml.floats(flat);
  const offsetOf = (name: string): number => found(offsets.get(name), name);
  return {
    parameters,
    length,
    decayingLength,
    flat,
    has: (name) => tensors.has(name),
    offsetOf,
    tensor: (name) => found(tensors.get(name), name),
    values(name) {
      const offset = offsetOf(name);
      const [rows, columns] = found(tensors.get(name), name).shape;
      return floats.subarray(offset, offset + rows * columns);
    },
  };
}

/** Zeros in memory of their own: the gradients or the moments of a store. */
export function newFlat(ggml: Ggml, length: number): Tensor {
  const context = ggml.newContext(1);
  const flat = ggml.ops.tensor(context, "f32", length);
  ggml.allocateContext(context);
  ggml.floats(flat).fill(0);
  return flat;
}

/** The weights that a model starts with. */
export function start(store: ParameterStore, random: Random): void {
  for (const { name, start: how } of store.parameters) {
    const values = store.values(name);
    if (how === "ones") values.fill(1);
    else if (how === "zeros") values.fill(0);
    else normalNumbers(random, how, values);
  }
}

function viewOf(
  ggml: Ggml,
  context: Context,
  flat: Tensor,
  { name, shape: [inputs = 1, outputs = 1] }: ParameterShape,
  offsets: ReadonlyMap<string, number>,
): Tensor {
  const bytes = inputs * outputs * 4;
  return ggml.ops.view(
    { ...flat, context },
    [inputs, outputs, 1, 1],
    [inputs * 4, bytes, bytes],
    found(offsets.get(name), name) * 4,
  );
}

function sizeOf({ shape }: ParameterShape): number {
  return shape.reduce((product, length) => product * length, 1);
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

function found<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`no parameter ${name}`);
  return value;
}
