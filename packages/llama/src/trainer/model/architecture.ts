/** The sizes of a llama-architecture model: RMS norm, rotary positions, grouped attention, SwiGLU. */
export interface Architecture {
  readonly vocabularySize: number;
  readonly embeddingLength: number;
  readonly layers: number;
  readonly heads: number;
  /** Heads of keys and values; fewer than `heads` share them (grouped-query attention). */
  readonly keyValueHeads: number;
  readonly feedForwardLength: number;
  /** The tokens that the file says it was trained for. */
  readonly contextTokens: number;
  readonly ropeBase: number;
  readonly normEpsilon: number;
  /** The embedding is also the output projection. */
  readonly tiedOutput: boolean;
}

/** A matrix (`[in, out]`) or the weights of a norm (`[n]`), by its name in GGUF files. */
export interface ParameterShape {
  readonly name: string;
  readonly shape: readonly number[];
  /** Which standard deviation it starts with; norms start as ones. */
  readonly start: "ones" | "zeros" | number;
  /** Weight decay pulls matrices towards zero; norms are left alone. */
  readonly decays: boolean;
}

export const loraTargets = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"] as const;
export type LoraTarget = (typeof loraTargets)[number];

export interface Lora {
  readonly rank: number;
  /** The update counts `alpha / rank` times. */
  readonly alpha: number;
  readonly targets: readonly LoraTarget[];
}

/** All weights of a model, in the order in which they are kept and written. */
export function parametersOf(architecture: Architecture): ParameterShape[] {
  const { embeddingLength, vocabularySize, layers } = architecture;
  const parameters: ParameterShape[] = [
    matrix("token_embd.weight", embeddingLength, vocabularySize, 1 / Math.sqrt(embeddingLength)),
  ];
  for (let layer = 0; layer < layers; layer += 1) {
    const prefix = `blk.${layer}`;
    parameters.push(norm(`${prefix}.attn_norm.weight`, embeddingLength));
    for (const target of loraTargets) {
      if (target === "ffn_gate") parameters.push(norm(`${prefix}.ffn_norm.weight`, embeddingLength));
      const [inputs, outputs] = matrixShape(architecture, target);
      // What is added to the residual stream starts smaller, so that the stream keeps its size over the layers.
      const adds = target === "attn_output" || target === "ffn_down";
      const deviation = (adds ? 1 / Math.sqrt(2 * layers) : 1) / Math.sqrt(inputs);
      parameters.push(matrix(`${prefix}.${target}.weight`, inputs, outputs, deviation));
    }
  }
  parameters.push(norm("output_norm.weight", embeddingLength));
  if (!architecture.tiedOutput) {
    parameters.push(matrix("output.weight", embeddingLength, vocabularySize, 1 / Math.sqrt(embeddingLength)));
  }
  return parameters;
}

/** The two factors of each update, as llama.cpp names them in adapters. The second starts at zero: at first nothing changes. */
export function adapterParametersOf(architecture: Architecture, { rank, targets }: Lora): ParameterShape[] {
  const parameters: ParameterShape[] = [];
  for (let layer = 0; layer < architecture.layers; layer += 1) {
    for (const target of targets) {
      const name = `blk.${layer}.${target}.weight`;
      const [inputs, outputs] = matrixShape(architecture, target);
      parameters.push(matrix(`${name}.lora_a`, inputs, rank, 1 / Math.sqrt(inputs)));
      parameters.push({ ...matrix(`${name}.lora_b`, rank, outputs, 0), start: "zeros" });
    }
  }
  return parameters;
}

export function headLength({ embeddingLength, heads }: Architecture): number {
  return embeddingLength / heads;
}

export function matrixShape(architecture: Architecture, target: LoraTarget): readonly [number, number] {
  const { embeddingLength: width, feedForwardLength, keyValueHeads } = architecture;
  const keyValueLength = headLength(architecture) * keyValueHeads;
  const shapes: Record<LoraTarget, readonly [number, number]> = {
    attn_q: [width, width],
    attn_k: [width, keyValueLength],
    attn_v: [width, keyValueLength],
    attn_output: [width, width],
    ffn_gate: [width, feedForwardLength],
    ffn_up: [width, feedForwardLength],
    ffn_down: [feedForwardLength, width],
  };
  return shapes[target];
}

export function countOf(parameters: readonly ParameterShape[]): number {
  return parameters.reduce((sum, { shape }) => sum + shape.reduce((product, length) => product * length, 1), 0);
}

function matrix(name: string, inputs: number, outputs: number, deviation: number): ParameterShape {
  return { name, shape: [inputs, outputs], start: deviation, decays: true };
}

function norm(name: string, length: number): ParameterShape {
  return { name, shape: [length], start: "ones", decays: false };
}
