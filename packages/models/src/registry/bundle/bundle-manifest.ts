import { z } from "zod";
import type { KeptModel, LocalModel } from "../descriptor.ts";
import { checkModelName, fileNameFrom } from "../model-name.ts";
import { invalid } from "../refusals.ts";

/**
 * A bundle is a tar archive: `manifest.json`, then each file once as `files/SHA256`. What the models are is said first, so that a
 * bundle that has no room or a name that is taken is refused before its first gigabyte is read.
 */
export const manifestName = "manifest.json";
export const maxManifestBytes = 4 * 1024 * 1024;

export function entryName(sha256: string): string {
  return `files/${sha256}`;
}

const text = z.string().max(4096);

const Source = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("huggingface"), repo: text, revision: text, files: z.array(text).max(1024) }),
  z.strictObject({ type: z.literal("url"), url: text }),
  z.strictObject({ type: z.literal("file"), path: text }),
  z.strictObject({ type: z.literal("ollama"), model: text, digest: text }),
  z.strictObject({ type: z.literal("quantized"), from: text }),
  z.strictObject({ type: z.literal("trained"), runId: text, base: text.nullable() }),
]);

const File = z.strictObject({
  path: z.string().refine((path) => fileNameFrom(path) === path),
  bytes: z.int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  role: z.enum(["weights", "adapter"]),
});

const BundledModel = z.strictObject({
  name: z.string().refine((name) => checkModelName(name)),
  source: Source,
  licence: text.nullable(),
  defaults: z
    .strictObject({
      template: z.string().nullable(),
      system: z.string().nullable(),
      parameters: z.record(z.string(), z.json()),
    })
    .nullable(),
  manifest: z.record(z.string(), z.json()).nullable(),
  files: z.array(File).min(1).max(1024),
});
export type BundledModel = z.infer<typeof BundledModel>;

const BundleManifest = z.strictObject({
  format: z.literal("benchtop-models"),
  version: z.literal(1),
  models: z.array(BundledModel).min(1).max(1000),
});

export function writeManifest(models: readonly KeptModel[]): Uint8Array {
  const manifest = {
    format: "benchtop-models",
    version: 1,
    models: models.map(({ model }) => ({
      name: model.name,
      source: originOf(model.source),
      licence: model.licence,
      defaults: model.defaults,
      manifest: model.manifest,
      files: model.files,
    })),
  };
  return Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`);
}

/** Who has carried a model about does not matter. */
function originOf(source: LocalModel["source"]): LocalModel["source"] {
  return source.type === "bundle" ? originOf(source.from) : source;
}

/** Throws `VALIDATION_FAILED`. */
export function readManifest(bytes: Uint8Array): readonly BundledModel[] {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw invalid("The list of models at the start of the bundle cannot be read.");
  }
  const newer = z.object({ format: z.literal("benchtop-models"), version: z.number().gt(1) }).safeParse(value);
  if (newer.success) throw invalid("This bundle was written by a newer Benchtop. Update Benchtop to read it.");
  const parsed = BundleManifest.safeParse(value);
  if (!parsed.success) throw invalid("The list of models at the start of the bundle is not one of Benchtop.");
  const names = parsed.data.models.map(({ name }) => name);
  if (new Set(names).size !== names.length) throw invalid("The bundle has two models of the same name.");
  return parsed.data.models;
}
