import type { Ggml, Graph, Tensor, TensorType } from "../../ffi/ggml.ts";
import { headLength, type Architecture, type Lora, type LoraTarget } from "../model/architecture.ts";
import type { ParameterStore } from "../model/store.ts";
import { add, attention, linear, rmsNorm, swiglu, type AttentionShape, type Matrix } from "./layers.ts";
import { newTape, type Tape, type Value } from "./tape.ts";

/** What one computation is given: `rows` rows of `rowTokens` tokens, of which at most `lossRows` are asked about. */
export interface BatchShape {
  readonly rows: number;
  readonly rowTokens: number;
  readonly lossRows: number;
}

/** One computation of the network for one part of a batch. */
export interface Network {
  readonly inputs: NetworkInputs;
  /** After a computation: the probability that the network gave to each target. */
  readonly probabilities: Float32Array;
  /** After `train`: the gradient of the summed loss. */
  readonly gradients: Tensor | undefined;
  readonly evaluate: Graph;
  readonly train: Graph;
  readonly bytes: number;
}

/** Views of native memory, filled before each computation. */
export interface NetworkInputs {
  /** By place: `row * rowTokens + at`. */
  readonly tokens: Int32Array;
  readonly positions: Int32Array;
  /** `[row][query][key]`: 0 where it sees, minus infinity where not. */
  readonly mask: Float32Array;
  /** The places that are asked what comes next. Those left over ask at place 0 … */
  readonly askedPlaces: Int32Array;
  /** … and hand their gradient to the place after the last, which nobody reads. */
  readonly answeredPlaces: Int32Array;
  /** 1 for what is asked, 0 for what is left over. */
  readonly counted: Float32Array;
  /** `asked * vocabularySize + token`. */
  readonly targets: Int32Array;
  readonly longTargets: BigInt64Array;
}

/** Where weights and their copies for products lie. */
export interface ModelMemory {
  readonly architecture: Architecture;
  readonly base: ParameterStore;
  readonly adapter: { readonly store: ParameterStore; readonly lora: Lora } | undefined;
  readonly precision: TensorType;
  readonly forward: (name: string) => Tensor;
  readonly backward: (name: string) => Tensor;
}

/** Builds the computation. `gradients` is where those of the learning store go; without it nothing is learnt. */
export function buildNetwork(
  ggml: Ggml,
  memory: ModelMemory,
  shape: BatchShape,
  gradients: Tensor | undefined,
): Network {
  const { architecture } = memory;
  const context = ggml.newContext(mostTensors(architecture));
  const tape = newTape(ggml, context, memory.precision);
  const learning = gradients && (memory.adapter?.store ?? memory.base);
  const values = new Map<string, Value>();
  const weights = (store: ParameterStore, name: string): Value => {
    const known = values.get(name);
    if (known) return known;
    const value = store === learning ? tape.weights(store.tensor(name)) : tape.constant(store.tensor(name));
    values.set(name, value);
    return value;
  };
  const inputs = inputTensors(ggml, shape);
  const { probabilities, backward } = forwardPass(tape, memory, shape, inputs, weights);

  const train = ggml.newGraph(mostTensors(architecture));
  ggml.expand(train, ggml.output(probabilities));
  backward();
  if (learning) {
    for (const { name } of learning.parameters) {
      const gradient = values.get(name)?.gradient;
      if (!gradient) throw new Error(`no gradient for ${name}`);
      ggml.expand(train, ggml.placeAt(gradient, gradients, learning.offsetOf(name) * 4));
    }
  }
  const bytes = ggml.allocateGraph(train);
  // The forward half of the same tensors: it comes first in the whole, so it may use the same memory.
  const evaluate = ggml.newGraph(mostTensors(architecture));
  ggml.expand(evaluate, probabilities);
  return {
    inputs: viewInputs(ggml, inputs),
    probabilities: ggml.floats(probabilities),
    gradients,
    evaluate,
    train,
    bytes,
  };
}

interface InputTensors {
  readonly tokens: Tensor;
  readonly positions: Tensor;
  readonly mask: Tensor;
  readonly askedPlaces: Tensor;
  readonly answeredPlaces: Tensor;
  readonly counted: Tensor;
  readonly targets: Tensor;
  readonly longTargets: Tensor;
}

function forwardPass(
  tape: Tape,
  memory: ModelMemory,
  shape: BatchShape,
  inputs: InputTensors,
  weights: (store: ParameterStore, name: string) => Value,
): { probabilities: Tensor; backward: () => void } {
  const { ops } = tape;
  const { architecture, base, adapter } = memory;
  const matrix = (name: string): Matrix => ({
    weights: weights(base, `${name}.weight`),
    forward: memory.forward(`${name}.weight`),
    backward: memory.backward(`${name}.weight`),
    ...(adapter?.store.has(`${name}.weight.lora_a`) && {
      update: {
        down: weights(adapter.store, `${name}.weight.lora_a`),
        up: weights(adapter.store, `${name}.weight.lora_b`),
        scale: adapter.lora.alpha / adapter.lora.rank,
      },
    }),
  });
  const embedding = weights(base, "token_embd.weight");
  const tokens = { ...inputs.tokens, context: tape.context };
  let stream = tape.result(ops.getRows(embedding.tensor, tokens), [embedding], (gradient) => {
    tape.add(embedding, ops.getRowsBack(gradient, tokens, embedding.tensor));
  });
  for (let layer = 0; layer < architecture.layers; layer += 1) {
    stream = layerPass(tape, architecture, shape, inputs, stream, {
      norm: (name) => weights(base, `blk.${layer}.${name}.weight`),
      matrix: (name) => matrix(`blk.${layer}.${name}`),
    });
  }
  const final = rmsNorm(tape, stream, weights(base, "output_norm.weight"), architecture.normEpsilon);
  const output = architecture.tiedOutput ? "token_embd" : "output";
  return askedLoss(tape, shape, inputs, final, {
    weights: weights(base, `${output}.weight`),
    forward: memory.forward(`${output}.weight`),
    backward: memory.backward(`${output}.weight`),
  });
}

function layerPass(
  tape: Tape,
  architecture: Architecture,
  { rows, rowTokens }: BatchShape,
  { positions, mask }: InputTensors,
  stream: Value,
  layer: { norm(name: string): Value; matrix(name: LoraTarget): Matrix },
): Value {
  const { heads, keyValueHeads, normEpsilon, ropeBase, contextTokens } = architecture;
  const length = headLength(architecture);
  const shape: AttentionShape = {
    headLength: length,
    heads,
    keyValueHeads,
    rows,
    rowTokens,
    rope: { dimensions: length, base: ropeBase, contextTokens },
  };
  const seen = rmsNorm(tape, stream, layer.norm("attn_norm"), normEpsilon);
  const attended = attention(
    tape,
    {
      query: linear(tape, seen, layer.matrix("attn_q")),
      key: linear(tape, seen, layer.matrix("attn_k")),
      value: linear(tape, seen, layer.matrix("attn_v")),
    },
    { positions, mask },
    shape,
  );
  const between = add(tape, stream, linear(tape, attended, layer.matrix("attn_output")));
  const fed = rmsNorm(tape, between, layer.norm("ffn_norm"), normEpsilon);
  const hidden = swiglu(tape, linear(tape, fed, layer.matrix("ffn_gate")), linear(tape, fed, layer.matrix("ffn_up")));
  return add(tape, between, linear(tape, hidden, layer.matrix("ffn_down")));
}

/**
 * The output projection, for the places that are asked alone, and the cross entropy of what comes next there, summed. Its
 * gradient is the probabilities with one less at the target, so the probabilities become the gradient in place.
 */
function askedLoss(
  tape: Tape,
  { rows, rowTokens, lossRows }: BatchShape,
  inputs: InputTensors,
  final: Value,
  output: Matrix,
): { probabilities: Tensor; backward: () => void } {
  const { ops, context } = tape;
  const here = (tensor: Tensor): Tensor => ({ ...tensor, context });
  const asked = ops.getRows(final.tensor, here(inputs.askedPlaces));
  const all = ops.softMax(ops.mulMat(output.forward, asked), undefined, 1);
  const [vocabularySize] = all.shape;
  const single = ops.reshape(all, 1, vocabularySize * lossRows);
  const probabilities = ops.getRows(single, here(inputs.targets));
  const backward = (): void => {
    const less = ops.scaleAndShift(probabilities, 1, -1);
    const gradient = ops.reshape(ops.setRows(single, less, here(inputs.longTargets)), vocabularySize, lossRows);
    if (output.weights.learns) {
      // What is left over counts nothing: its part of the product is multiplied by zero.
      const counted = ops.mul(ops.contiguous(ops.transpose(asked)), here(inputs.counted));
      tape.add(output.weights, ops.mulMat(inPrecision(tape, counted), tape.transposeGradient(gradient)));
    }
    if (final.learns) {
      const [width] = final.tensor.shape;
      const places = rows * rowTokens;
      const like = ops.tensor(context, "f32", width, places + 1);
      const scattered = ops.getRowsBack(ops.mulMat(output.backward, gradient), here(inputs.answeredPlaces), like);
      tape.add(
        final,
        ops.view(scattered, [width, places, 1, 1], [width * 4, width * places * 4, width * places * 4], 0),
      );
    }
    tape.playBackwards();
  };
  return { probabilities, backward };
}

function inPrecision(tape: Tape, tensor: Tensor): Tensor {
  return tape.precision === tensor.type ? tensor : tape.ops.contiguous(tensor, tape.precision);
}

function inputTensors(ggml: Ggml, { rows, rowTokens, lossRows }: BatchShape): InputTensors {
  const context = ggml.newContext(8);
  const tensor = (type: TensorType, ...shape: number[]): Tensor => ggml.ops.tensor(context, type, ...shape);
  const inputs = {
    tokens: tensor("i32", rows * rowTokens),
    positions: tensor("i32", rows * rowTokens),
    mask: tensor("f32", rowTokens, rowTokens, 1, rows),
    askedPlaces: tensor("i32", lossRows),
    answeredPlaces: tensor("i32", lossRows),
    counted: tensor("f32", lossRows),
    targets: tensor("i32", lossRows),
    longTargets: tensor("i64", lossRows),
  };
  ggml.allocateContext(context);
  return inputs;
}

function viewInputs(ggml: Ggml, inputs: InputTensors): NetworkInputs {
  return {
    tokens: ggml.int32s(inputs.tokens),
    positions: ggml.int32s(inputs.positions),
    mask: ggml.floats(inputs.mask),
    askedPlaces: ggml.int32s(inputs.askedPlaces),
    answeredPlaces: ggml.int32s(inputs.answeredPlaces),
    counted: ggml.floats(inputs.counted),
    targets: ggml.int32s(inputs.targets),
    longTargets: ggml.int64s(inputs.longTargets),
  };
}

/** More than there are: about 120 a layer, and 250 with a LoRA. */
function mostTensors({ layers }: Architecture): number {
  return 128 + layers * 512;
}
