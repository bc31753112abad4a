import type { Rope, Tensor } from "../../ffi/ggml.ts";
import type { Tape, Value } from "./tape.ts";

/** A matrix as the graph needs it: as it is stored, and in the form that each product wants. */
export interface Matrix {
  readonly weights: Value;
  /** In the precision of products. */
  readonly forward: Tensor;
  /** `[out, in]`, in the precision of products. */
  readonly backward: Tensor;
  readonly update?: { readonly down: Value; readonly up: Value; readonly scale: number };
}

/** `x`: `[in, tokens]`. The result is `[out, tokens]`. */
export function linear(tape: Tape, x: Value, matrix: Matrix): Value {
  const { ops } = tape;
  const { weights, forward, backward, update } = matrix;
  const plain = tape.result(ops.mulMat(forward, x.tensor), [x, weights], (gradient) => {
    if (x.learns) tape.add(x, ops.mulMat(backward, gradient));
    if (weights.learns) tape.add(weights, ops.mulMat(tape.transpose(x), tape.transposeGradient(gradient)));
  });
  if (!update) return plain;
  return add(tape, plain, lowRank(tape, x, update.down, update.up, update.scale));
}

/** The update of a LoRA: `scale · up · down · x`. Both factors learn; they are too thin for a lower precision to gain anything. */
function lowRank(tape: Tape, x: Value, down: Value, up: Value, scale: number): Value {
  const { ops } = tape;
  const inner = ops.mulMat(down.tensor, x.tensor);
  return tape.result(ops.scale(ops.mulMat(up.tensor, inner), scale), [x, down, up], (gradient) => {
    const scaled = ops.scale(gradient, scale);
    const innerGradient = ops.mulMat(ops.contiguous(ops.transpose(up.tensor)), scaled);
    if (x.learns) tape.add(x, ops.mulMat(ops.contiguous(ops.transpose(down.tensor)), innerGradient));
    tape.add(down, ops.outerProduct(x.tensor, innerGradient));
    tape.add(up, ops.outerProduct(inner, scaled));
  });
}

export function add(tape: Tape, a: Value, b: Value): Value {
  return tape.result(tape.ops.add(a.tensor, b.tensor), [a, b], (gradient) => {
    tape.add(a, gradient);
    tape.add(b, gradient);
  });
}

export function rmsNorm(tape: Tape, x: Value, weights: Value, epsilon: number): Value {
  const { ops } = tape;
  const normed = ops.rmsNorm(x.tensor, epsilon);
  return tape.result(ops.mul(normed, weights.tensor), [x, weights], (gradient) => {
    if (weights.learns) tape.add(weights, ops.repeatBack(ops.mul(gradient, normed), weights.tensor));
    if (x.learns) tape.add(x, ops.rmsNormBack(ops.mul(gradient, weights.tensor), x.tensor, epsilon));
  });
}

export function swiglu(tape: Tape, gate: Value, up: Value): Value {
  const { ops } = tape;
  return tape.result(ops.swiglu(gate.tensor, up.tensor), [gate, up], (gradient) => {
    const activated = ops.silu(gate.tensor);
    tape.add(up, ops.mul(gradient, activated));
    // silu' = σ + silu · (1 - σ), with σ = silu / x. The shift keeps an exact zero from dividing by itself, and changes no other
    // number. (ggml's own silu_back takes four times as long.)
    const sigmoid = ops.div(activated, ops.scaleAndShift(gate.tensor, 1, 1e-20));
    const slope = ops.add(ops.mul(sigmoid, ops.scaleAndShift(activated, -1, 1)), activated);
    tape.add(gate, ops.mul(ops.mul(gradient, up.tensor), slope));
  });
}

export interface AttentionShape {
  readonly headLength: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  /** Tokens of one row; rows do not see each other. */
  readonly rowTokens: number;
  readonly rows: number;
  readonly rope: Rope;
}

/** Queries, keys and values as `linear` gives them, `[heads · headLength, tokens]`; so is the result. */
export function attention(
  tape: Tape,
  { query, key, value }: { readonly query: Value; readonly key: Value; readonly value: Value },
  { positions, mask }: { readonly positions: Tensor; readonly mask: Tensor },
  { headLength, heads, keyValueHeads, rowTokens, rows, rope }: AttentionShape,
): Value {
  const { ops } = tape;
  const tokens = rowTokens * rows;
  const scale = 1 / Math.sqrt(headLength);
  const turned = (tensor: Tensor, count: number): Tensor =>
    ops.rope(ops.reshape(tensor, headLength, count, tokens), positions, rope);
  // [headLength, tokens of a row, heads, rows]
  const byHead = (tensor: Tensor, count: number): Tensor =>
    ops.permute(ops.reshape(tensor, headLength, count, rowTokens, rows), 0, 2, 1, 3);
  const byToken = (tensor: Tensor, count: number): Tensor =>
    ops.reshape(ops.contiguous(ops.permute(tensor, 0, 2, 1, 3)), headLength * count, tokens);
  const queries = ops.contiguous(byHead(turned(query.tensor, heads), heads));
  const keys = byHead(turned(key.tensor, keyValueHeads), keyValueHeads);
  const values = byHead(value.tensor, keyValueHeads);
  const shares = ops.softMax(ops.mulMat(keys, queries), mask, scale);
  const output = ops.mulMat(ops.contiguous(ops.transpose(values)), shares);

  return tape.result(byToken(output, heads), [query, key, value], (gradient) => {
    const outputGradient = ops.contiguous(byHead(gradient, heads));
    const shareGradient = ops.softMaxBack(ops.mulMat(values, outputGradient), shares, scale);
    const unturned = (tensor: Tensor, count: number): Tensor =>
      ops.reshape(
        ops.ropeBack(ops.reshape(tensor, headLength, count, tokens), positions, rope),
        headLength * count,
        tokens,
      );
    // Heads that share keys and values add up what they say of them.
    const perKeyValueHead = (tensor: Tensor): Tensor => {
      if (heads === keyValueHeads) return tensor;
      const group = heads / keyValueHeads;
      const grouped = ops.reshape(tensor, headLength * rowTokens, group, keyValueHeads * rows);
      const like = ops.tensor(tape.context, "f32", headLength * rowTokens, 1, keyValueHeads * rows);
      return ops.reshape(ops.repeatBack(grouped, like), headLength, rowTokens, keyValueHeads, rows);
    };
    // Over the queries: [headLength, queries] and [keys, queries] become [headLength, keys]. ggml's outer product is the faster way
    // where a head fills its vectors of 64, and by far the slower one where not.
    const overQueries = (byQuery: Tensor, keysByQuery: Tensor): Tensor =>
      headLength % 64 === 0
        ? ops.outerProduct(byQuery, keysByQuery)
        : ops.mulMat(ops.contiguous(ops.transpose(byQuery)), ops.contiguous(ops.transpose(keysByQuery)));
    if (value.learns) {
      tape.add(value, byToken(perKeyValueHead(overQueries(outputGradient, shares)), keyValueHeads));
    }
    if (key.learns) {
      const keyGradient = perKeyValueHead(overQueries(queries, shareGradient));
      tape.add(key, unturned(byToken(keyGradient, keyValueHeads), keyValueHeads));
    }
    if (query.learns) {
      const queryGradient = ops.mulMat(ops.contiguous(ops.transpose(keys)), shareGradient);
      tape.add(query, unturned(byToken(queryGradient, heads), heads));
    }
  });
}
