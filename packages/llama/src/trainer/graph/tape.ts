import type { Context, Ggml, Operations, Tensor, TensorType } from "../../ffi/ggml.ts";

/** A tensor of the forward computation, and what the loss says of it once the tape was played backwards. */
export interface Value {
  readonly tensor: Tensor;
  /** False for inputs and for weights that stay as they are: nothing is computed for their sake. */
  readonly learns: boolean;
  gradient?: Tensor;
  /** The same with rows and columns exchanged, made at most once. */
  transposed?: Tensor;
}

/**
 * Records how each value came about, and plays that backwards (reverse-mode differentiation). ggml has this too; here each
 * layer says its own gradient, because then it can be said with `mulMat`, which is several times as fast as what ggml's uses.
 */
export interface Tape {
  readonly ops: Operations;
  readonly context: Context;
  /** In which type matrices are multiplied: `bf16` is faster where the processor has instructions for it. */
  readonly precision: TensorType;
  constant(tensor: Tensor): Value;
  weights(tensor: Tensor): Value;
  /** A result of `sources`. `backward` is given its gradient and hands on theirs by `add`. */
  result(tensor: Tensor, sources: readonly Value[], backward: (gradient: Tensor) => void): Value;
  add(value: Value, gradient: Tensor): void;
  /** Rows and columns exchanged, for products over the other dimension. */
  transpose(value: Value): Tensor;
  transposeGradient(gradient: Tensor): Tensor;
  playBackwards(): void;
}

export function newTape(ggml: Ggml, context: Context, precision: TensorType): Tape {
  const { ops } = ggml;
  const steps: (() => void)[] = [];
  const transposed = (tensor: Tensor): Tensor => ops.contiguous(ops.transpose(tensor), precision);
  return {
    ops,
    context,
    precision,
    constant: (tensor) => ({ tensor: { ...tensor, context }, learns: false }),
    weights: (tensor) => ({ tensor: { ...tensor, context }, learns: true }),
    result(tensor, sources, backward) {
      const value: Value = { tensor, learns: sources.some((source) => source.learns) };
      steps.push(() => {
        if (value.gradient) backward(value.gradient);
      });
      return value;
    },
    add(value, gradient) {
      if (value.learns) value.gradient = value.gradient ? ops.add(value.gradient, gradient) : gradient;
    },
    transpose: (value) => (value.transposed ??= transposed(value.tensor)),
    transposeGradient: transposed,
    playBackwards() {
      for (const step of steps.toReversed()) step();
    },
  };
}
