import type { Ggml, Graph, Tensor, TensorType } from "../../ffi/ggml.ts";
import type { Architecture, Lora } from "../model/architecture.ts";
import { newFlat, type ParameterStore } from "../model/store.ts";
import { buildNetwork, type BatchShape, type ModelMemory, type Network } from "./network.ts";
import { buildUpdate, type Step } from "./update.ts";

/**
 * The model in memory and all that computes with it. Each worker computes its part in a thread of its own, from beginning to end:
 * on a machine that does other things too, threads that wait for each other at every operation lose more than they gain.
 */
export interface Machine {
  /** One for each part of a batch; fill their inputs, then `evaluate` or `train`. */
  readonly networks: readonly Network[];
  /** What learns: the weights of the model, or those of the adapter. */
  readonly learning: ParameterStore;
  readonly moments: { readonly first: Tensor; readonly second: Tensor };
  evaluate(): Promise<void>;
  /** The gradient of the summed loss over all parts; returns its norm. */
  train(): Promise<number>;
  /** One step of AdamW along the gradient. */
  update(step: Step): Promise<void>;
  /** To be called when weights were written from outside. */
  refresh(): Promise<void>;
  readonly bytes: number;
}

export interface MachineOptions {
  readonly architecture: Architecture;
  readonly base: ParameterStore;
  readonly adapter: { readonly store: ParameterStore; readonly lora: Lora } | undefined;
  readonly precision: TensorType;
  readonly threads: number;
  /** Of one worker. */
  readonly shape: BatchShape;
}

export async function buildMachine(ggml: Ggml, options: MachineOptions): Promise<Machine> {
  const { threads, shape, base, adapter } = options;
  const learning = adapter?.store ?? base;
  const copies = newCopies(ggml, options);
  const memory: ModelMemory = { ...options, forward: copies.forward, backward: copies.backward };
  const gradients = Array.from({ length: threads }, () => newFlat(ggml, learning.length));
  const networks = gradients.map((gradient) => buildNetwork(ggml, memory, shape, gradient));
  const moments = { first: newFlat(ggml, learning.length), second: newFlat(ggml, learning.length) };
  const update = buildUpdate(ggml, learning, gradients, moments);

  const engines = networks.map(() => ggml.newEngine(1));
  const inParallel = async (graphs: readonly Graph[]): Promise<void> => {
    await Promise.all(graphs.map(async (graph, at) => await engines[at]?.compute(graph)));
  };
  const train = networks.map((network) => network.train);
  const evaluate = networks.map((network) => network.evaluate);
  await inParallel(copies.graphs);
  return {
    networks,
    learning,
    moments,
    evaluate: async () => await inParallel(evaluate),
    async train() {
      await inParallel(train);
      await inParallel(update.reduction);
      return update.norm();
    },
    async update(step) {
      update.set(step);
      await inParallel(update.step);
      // After a step of an adapter the base is as it was, and so are the copies of it.
      if (!adapter) await inParallel(copies.graphs);
    },
    refresh: async () => await inParallel(copies.graphs),
    bytes: networks.reduce((sum, network) => sum + network.bytes, 0),
  };
}

interface Copies {
  /** One for each worker, of about equal work. */
  readonly graphs: readonly Graph[];
  readonly forward: (name: string) => Tensor;
  readonly backward: (name: string) => Tensor;
}

/** Each matrix with rows and columns exchanged, and in the precision of products, made once a step for all workers. */
function newCopies(ggml: Ggml, { base, precision, threads }: MachineOptions): Copies {
  const matrices = base.parameters.filter(({ shape }) => shape.length === 2);
  const context = ggml.newContext(matrices.length * 4);
  const forward = new Map<string, Tensor>();
  const backward = new Map<string, Tensor>();
  const made: Tensor[] = [];
  for (const { name } of matrices) {
    const tensor = { ...base.tensor(name), context };
    const transposed = ggml.ops.contiguous(ggml.ops.transpose(tensor), precision);
    const straight = precision === "f32" ? tensor : ggml.ops.contiguous(tensor, precision);
    forward.set(name, straight);
    backward.set(name, transposed);
    made.push(transposed);
    if (straight !== tensor) made.push(straight);
  }
  ggml.allocateContext(context);
  const graphs = shared(made, threads).map((part) => {
    const graph = ggml.newGraph(part.length * 3 + 8);
    for (const copy of part) ggml.expand(graph, copy);
    return graph;
  });
  return { graphs, forward: (name) => found(forward, name), backward: (name) => found(backward, name) };
}

/** The largest first, each to the one who has least. */
function shared(tensors: readonly Tensor[], workers: number): Tensor[][] {
  const parts = Array.from({ length: workers }, () => ({ tensors: [] as Tensor[], work: 0 }));
  for (const tensor of tensors.toSorted((a, b) => size(b) - size(a))) {
    const part = parts.reduce((least, other) => (other.work < least.work ? other : least));
    part.tensors.push(tensor);
    part.work += size(tensor);
  }
  return parts.map((part) => part.tensors);
}

function size({ shape }: Tensor): number {
  return shape[0] * shape[1];
}

function found(tensors: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`no matrix ${name}`);
  return tensor;
}
