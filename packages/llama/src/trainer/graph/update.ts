import type { Ggml, Graph, Tensor } from "../../ffi/ggml.ts";
import { flatRow, type ParameterStore } from "../model/store.ts";

/** One step of AdamW. */
export interface Step {
  /** Counted from 1: the moments start at zero, and are corrected for that. */
  readonly number: number;
  readonly learningRate: number;
  /** The gradient is multiplied by it first. */
  readonly factor: number;
  readonly decay: number;
  readonly beta1: number;
  readonly beta2: number;
}

/** What comes after the gradients of the workers. Each worker has an equal slice of all weights, so its graphs are its own. */
export interface Update {
  /** Adds the workers' gradients to the first one's, … */
  readonly reduction: readonly Graph[];
  /** … of which this is then the norm. */
  norm(): number;
  set(step: Step): void;
  /** Changes the weights and the moments. */
  readonly step: readonly Graph[];
}

const epsilon = 1e-8;

export function buildUpdate(
  ggml: Ggml,
  store: ParameterStore,
  gradients: readonly Tensor[],
  moments: { readonly first: Tensor; readonly second: Tensor },
): Update {
  const rows = store.length / flatRow;
  const parts = gradients.map((_, at) => {
    const from = Math.floor((rows * at) / gradients.length) * flatRow;
    const to = Math.floor((rows * (at + 1)) / gradients.length) * flatRow;
    return buildPart(ggml, store, gradients, moments, { from, to });
  });
  return {
    reduction: parts.map(({ reduction }) => reduction),
    norm: () => Math.sqrt(parts.reduce((sum, { squares }) => squares.reduce((all, square) => all + square, sum), 0)),
    set({ number, learningRate, factor, decay, beta1, beta2 }) {
      const corrections = [1 / (1 - beta1 ** number), 1 / (1 - beta2 ** number)];
      for (const part of parts) {
        part.factor.fill(factor);
        part.decaying.set([learningRate, beta1, beta2, epsilon, decay, ...corrections]);
        part.other.set([learningRate, beta1, beta2, epsilon, 0, ...corrections]);
      }
    },
    step: parts.map(({ step }) => step),
  };
}

interface Part {
  readonly reduction: Graph;
  /** Of each row. */
  readonly squares: Float32Array;
  readonly step: Graph;
  readonly factor: Float32Array;
  readonly decaying: Float32Array;
  readonly other: Float32Array;
}

interface Slice {
  readonly from: number;
  readonly to: number;
}

function buildPart(
  ggml: Ggml,
  { flat, decayingLength }: ParameterStore,
  gradients: readonly Tensor[],
  moments: { readonly first: Tensor; readonly second: Tensor },
  slice: Slice,
): Part {
  const { ops } = ggml;
  const context = ggml.newContext(gradients.length * 2 + 32);
  const part = (whole: Tensor, { from, to }: Slice): Tensor =>
    ops.view(
      { ...whole, context },
      [flatRow, 1, (to - from) / flatRow, 1],
      [flatRow * 4, flatRow * 4, (to - from) * 4],
      from * 4,
    );
  const [first, ...others] = gradients;
  if (!first) throw new Error("no gradients");
  const reduction = ggml.newGraph(gradients.length * 2 + 32);
  const step = ggml.newGraph(32);
  const factor = ops.tensor(context, "f32", flatRow);
  const decaying = ops.tensor(context, "f32", 7);
  const other = ops.tensor(context, "f32", 7);
  let squares: Tensor | undefined;
  if (slice.to > slice.from) {
    let total = part(first, slice);
    for (const more of others) total = ops.addInPlace(total, part(more, slice));
    squares = ops.mulMat(total, total);
    ggml.expand(reduction, squares);
    ggml.expand(step, ops.mulInPlace(part(first, slice), factor));
    const border = Math.min(Math.max(decayingLength, slice.from), slice.to);
    for (const [from, to, settings] of [
      [slice.from, border, decaying],
      [border, slice.to, other],
    ] as const) {
      if (from === to) continue;
      // Weights have to be a tensor of their own, at the place of the others; a view may not be marked.
      const weights = ops.tensor(context, "f32", flatRow, 1, (to - from) / flatRow);
      const stepped = ops.adamw(
        ggml.parameter(ggml.placeAt(weights, flat, from * 4)),
        part(first, { from, to }),
        part(moments.first, { from, to }),
        part(moments.second, { from, to }),
        settings,
      );
      ggml.expand(step, stepped);
    }
  }
  ggml.allocateContext(context);
  return {
    reduction,
    squares: squares ? ggml.floats(squares) : new Float32Array(0),
    step,
    factor: ggml.floats(factor),
    decaying: ggml.floats(decaying),
    other: ggml.floats(other),
  };
}
