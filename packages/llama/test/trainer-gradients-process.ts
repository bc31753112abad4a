import { openGgml } from "../src/ffi/ggml.ts";
import { openNativeLibraries } from "../src/ffi/library.ts";
import { fillInputs, lossOf } from "../src/trainer/data/rows.ts";
import { buildMachine } from "../src/trainer/graph/machine.ts";
import {
  adapterParametersOf,
  loraTargets,
  parametersOf,
  type Architecture,
} from "../src/trainer/model/architecture.ts";
import { newStore, start } from "../src/trainer/model/store.ts";
import { normalNumbers, randomFrom } from "../src/trainer/random.ts";

export interface GradientRequest {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly tiedOutput: boolean;
  readonly lora: boolean;
}

/** Of each kind of weights: how far the gradient is from what small changes of the weights do to the loss, relatively. */
export type GradientReply = Readonly<Record<string, number>>;

const ggml = openGgml(await openNativeLibraries());

process.on("message", (request: GradientRequest) => {
  void measure(request).then((reply) => process.send?.(reply));
});

async function measure({ heads, keyValueHeads, tiedOutput, lora: withLora }: GradientRequest): Promise<GradientReply> {
  const architecture: Architecture = {
    vocabularySize: 96,
    embeddingLength: 64,
    layers: 1,
    heads,
    keyValueHeads,
    feedForwardLength: 96,
    contextTokens: 32,
    ropeBase: 10_000,
    normEpsilon: 1e-5,
    tiedOutput,
  };
  const random = randomFrom(3);
  const base = newStore(ggml, parametersOf(architecture));
  start(base, random);
  const lora = { rank: 4, alpha: 8, targets: loraTargets };
  const adapter = withLora ? { store: newStore(ggml, adapterParametersOf(architecture, lora)), lora } : undefined;
  // The factors that start at zero would hide the gradients of the others.
  for (const { name } of adapter?.store.parameters ?? []) {
    const values = adapter?.store.values(name);
    if (values) normalNumbers(random, 0.1, values);
  }
  const rowTokens = 32;
  const shape = { rows: 2, rowTokens, lossRows: 64 };
  const machine = await buildMachine(ggml, { architecture, base, adapter, precision: "f32", threads: 1, shape });
  const sequence = (length: number): { tokens: Int32Array; counts: Uint8Array } => ({
    tokens: Int32Array.from({ length }, () => Math.floor(random() * architecture.vocabularySize)),
    counts: Uint8Array.from({ length }, (_, at) => (at > 2 ? 1 : 0)),
  });
  for (const { inputs } of machine.networks) {
    fillInputs(inputs, [[sequence(11), sequence(17)], [sequence(30)]], { rowTokens, vocabularySize: 96 });
  }
  const loss = (): number =>
    machine.networks.reduce((sum, { inputs, probabilities }) => sum + lossOf(inputs, probabilities), 0);
  await machine.train();
  const [first] = machine.networks;
  if (!first?.gradients) throw new Error("no gradients");
  const gradients = ggml.floats(first.gradients).slice();

  const reply: Record<string, number> = {};
  for (const { name } of machine.learning.parameters) {
    const values = machine.learning.values(name);
    const offset = machine.learning.offsetOf(name);
    let [apart, together] = [0, 0];
    for (let probe = 0; probe < 4; probe += 1) {
      const at = Math.floor(random() * values.length);
      const value = values[at] ?? 0;
      const around: number[] = [];
      for (const change of [0.01, -0.01]) {
        values[at] = value + change;
        await machine.refresh();
        await machine.evaluate();
        around.push(loss());
      }
      values[at] = value;
      const slope = ((around[0] ?? 0) - (around[1] ?? 0)) / 0.02;
      const gradient = gradients[offset + at] ?? 0;
      apart += (slope - gradient) ** 2;
      together += slope ** 2 + gradient ** 2;
    }
    reply[name] = Math.sqrt(apart / (together + 1e-9));
  }
  return reply;
}
