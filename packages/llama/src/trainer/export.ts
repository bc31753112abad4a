import type { GgufField } from "../gguf/field.ts";
import { writeGguf, type GgufTensorContent } from "../gguf/write.ts";
import type { Lora } from "./model/architecture.ts";
import type { Base } from "./model/base.ts";
import type { ParameterStore } from "./model/store.ts";

/** What a file says of where it comes from. */
export interface Provenance {
  readonly name: string | undefined;
  readonly licence: string | undefined;
  readonly description: string | undefined;
  readonly dataSha256: string;
  readonly steps: number;
  readonly seed: number;
  readonly evaluationLoss: number | undefined;
}

type Written = Promise<{ readonly bytes: number; readonly sha256: string }>;

/** The trained model as a GGUF file that llama.cpp loads. */
export async function exportModel(
  path: string,
  base: Base,
  store: ParameterStore,
  weightType: "F32" | "F16",
  provenance: Provenance,
): Written {
  const metadata = new Map([...base.metadata, ...describe(provenance)]);
  metadata.set("general.file_type", { type: "u32", value: weightType === "F32" ? 0 : 1 });
  const tensors = store.parameters.map(({ name, shape }): GgufTensorContent => ({
    name,
    shape,
    type: shape.length === 1 ? "F32" : weightType,
    data: store.values(name),
  }));
  return await writeGguf(path, { metadata, tensors });
}

/** What was learnt on top of a model, as a GGUF adapter. */
export async function exportAdapter(path: string, store: ParameterStore, lora: Lora, provenance: Provenance): Written {
  const metadata = new Map<string, GgufField>([
    ["general.type", { type: "string", value: "adapter" }],
    ["general.architecture", { type: "string", value: "llama" }],
    ["adapter.type", { type: "string", value: "lora" }],
    ["adapter.lora.alpha", { type: "f32", value: lora.alpha }],
    ...describe(provenance),
  ]);
  const tensors = store.parameters.map(({ name, shape }): GgufTensorContent => ({
    name,
    shape,
    type: "F32",
    data: store.values(name),
  }));
  return await writeGguf(path, { metadata, tensors });
}

function describe(provenance: Provenance): Map<string, GgufField> {
  const { name, licence, description, dataSha256, steps, seed, evaluationLoss } = provenance;
  return new Map<string, GgufField>([
    ...text("general.name", name),
    ...text("general.license", licence),
    ...text("general.description", description),
    ...text("benchtop.training.data_sha256", dataSha256),
    ["benchtop.training.steps", { type: "u32", value: steps }],
    ["benchtop.training.seed", { type: "u32", value: seed }],
    ...(evaluationLoss === undefined
      ? []
      : [["benchtop.training.evaluation_loss", { type: "f32", value: evaluationLoss }] satisfies [string, GgufField]]),
  ]);
}

function text(key: string, value: string | undefined): [string, GgufField][] {
  return value === undefined ? [] : [[key, { type: "string", value }]];
}
