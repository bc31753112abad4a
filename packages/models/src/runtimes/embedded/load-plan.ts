import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import type { LlamaModelOptions } from "@benchtop/llama";
import { BenchtopError, type ErrorOptions } from "@benchtop/protocol";
import { unknownModel, type LoadOptions } from "../runtime.ts";
import type { InstalledFile, InstalledModel, InstalledModels } from "./installed.ts";

/** A model with all that decides what its process is: two requests with the same key can share one. */
export interface LoadPlan {
  readonly key: string;
  readonly installed: InstalledModel;
  readonly adapters: readonly { readonly installed: InstalledModel; readonly scale: number }[];
  readonly embeds: boolean;
  readonly options: LoadOptions;
  readonly llama: LlamaModelOptions;
}

/**
 * Finds a model and its adapters, and checks that their files are those that were installed. Throws `PROVIDER_NOT_CONFIGURED`
 * for one that is not installed, `VALIDATION_FAILED` for one that cannot be used so, and `PROVIDER_UNAVAILABLE`, not
 * retryable, for a file that changed or is gone.
 */
export async function planLoad(
  models: InstalledModels,
  providerId: string,
  name: string,
  request: { readonly embeds: boolean; readonly options: LoadOptions; readonly packagesDir?: string | undefined },
): Promise<LoadPlan> {
  const { embeds, options, packagesDir } = request;
  const installed = await found(models, providerId, name);
  if (installed.kind === "adapter") {
    throw misused(
      providerId,
      name,
      `${name} is an adapter: it is loaded together with the model that it was made for.`,
    );
  }
  const adapters = await Promise.all(
    (options.adapters ?? []).map(async ({ model, scale = 1 }) => {
      const adapter = await found(models, providerId, model);
      if (adapter.kind !== "adapter")
        throw misused(providerId, name, `${model} is a model of its own, not an adapter.`);
      if (!Number.isFinite(scale)) throw misused(providerId, name, `The weight of the adapter ${model} is no number.`);
      return { installed: adapter, scale };
    }),
  );
  const plan = { installed, adapters, embeds, options };
  await checkFiles(plan, providerId);
  const { contextTokens, parallel, gpuLayers, threads } = options;
  const llama: LlamaModelOptions = {
    modelPath: installed.files[0].path,
    ...(adapters.length > 0 && {
      adapters: adapters.map(({ installed: { files }, scale }) => ({ path: files[0].path, scale })),
    }),
    ...(contextTokens !== undefined && { contextTokens }),
    ...(parallel !== undefined && { parallel }),
    ...(gpuLayers !== undefined && { gpuLayers }),
    ...(threads !== undefined && { threads }),
    ...(embeds && { embeds }),
    ...(packagesDir !== undefined && { packagesDir }),
  };
  return { ...plan, llama, key: keyOf(plan) };
}

/** Throws `PROVIDER_UNAVAILABLE`, not retryable, when a file is not what the registry knows. */
export async function checkFiles(
  { installed, adapters }: Pick<LoadPlan, "installed" | "adapters">,
  providerId: string,
): Promise<void> {
  for (const model of [installed, ...adapters.map((adapter) => adapter.installed)]) {
    for (const file of model.files) await checkFile(file, model.name, providerId);
  }
}

async function found(models: InstalledModels, providerId: string, name: string): Promise<InstalledModel> {
  const installed = await models.find(name);
  if (installed) return installed;
  throw unknownModel(
    providerId,
    name,
    `${name} is not installed on this machine. Install it with: benchtop models install …`,
  );
}

/** By size and time: reading gigabytes again before every answer is no check that anyone waits for; `verify` does that. */
async function checkFile({ path, bytes, modifiedMs }: InstalledFile, name: string, providerId: string): Promise<void> {
  const place: ErrorOptions = {
    providerId,
    modelId: name,
    retryable: false,
    actions: ["switch_model", "open_settings"],
  };
  const file = await stat(path).catch((cause: unknown) => {
    throw new BenchtopError(
      "PROVIDER_UNAVAILABLE",
      `A file of ${name} cannot be read any more. Install the model again.`,
      { ...place, cause, detail: { path } },
    );
  });
  const isSame = file.isFile() && file.size === bytes && Math.abs(file.mtimeMs - modifiedMs) < 1;
  if (isSame) return;
  throw new BenchtopError(
    "PROVIDER_UNAVAILABLE",
    `A file of ${name} is no longer the one that was installed. Verify it with: benchtop models verify ${name}, or install it again.`,
    { ...place, detail: { path, bytes: file.size, expected_bytes: bytes } },
  );
}

function misused(providerId: string, modelId: string, message: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, { providerId, modelId, actions: ["switch_model"] });
}

function keyOf({ installed, adapters, embeds, options }: Omit<LoadPlan, "key" | "llama">): string {
  const { contextTokens, parallel, gpuLayers, threads } = options;
  const decides = [
    identityOf(installed),
    adapters.map((adapter) => [identityOf(adapter.installed), adapter.scale]),
    { contextTokens, parallel, gpuLayers, threads, embeds },
  ];
  return createHash("sha256").update(JSON.stringify(decides)).digest("hex");
}

function identityOf({ name, files }: InstalledModel): unknown {
  return [name, files.map(({ path, sha256, bytes, modifiedMs }) => [path, sha256, bytes, modifiedMs])];
}
