import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { FolderFile, MlxTask } from "./mlx-process.ts";
import { runNativeTask } from "../ffi/native-task.ts";
import { openPartialOutput } from "./partial-output.ts";

export type MlxAvailability =
  | { readonly available: true; readonly version: string }
  | { readonly available: false; readonly reason: string };

export interface MlxQuantizeOptions {
  /** A folder in the layout of Hugging Face: `config.json` and safetensors. */
  readonly sourcePath: string;
  /** The folder that is made. Nothing may be there yet. */
  readonly outputPath: string;
  /** 4 unless told. */
  readonly bits?: 2 | 3 | 4 | 5 | 6 | 8;
  /** Weights that share a scale; 64 unless told. */
  readonly groupSize?: 32 | 64 | 128;
  /** The Python that has `mlx_lm`; `python3` unless told. */
  readonly python?: string;
}

export interface MlxManifest {
  readonly source: { readonly files: readonly FolderFile[] };
  readonly parameters: { readonly bits: number; readonly groupSize: number };
  readonly library: { readonly name: "mlx-lm"; readonly version: string };
  readonly output: { readonly files: readonly FolderFile[] };
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly durationMs: number;
}

/** Says whether this machine can make models for MLX, and if not, why, in words for a person. */
export async function mlxAvailability(python = "python3", signal?: AbortSignal): Promise<MlxAvailability> {
  const asked = await versionOf(python, signal);
  if (asked.version !== "") return { available: true, version: asked.version };
  const isMac = process.platform === "darwin" && process.arch === "arm64";
  const machine = isMac ? "" : "This machine is no Mac with Apple silicon, which MLX is made for. ";
  const missing = asked.ran
    ? `mlx_lm is not installed${isMac ? `: install it with \`${python} -m pip install mlx-lm\`` : ""}.`
    : `There is no Python that starts as ${python}.`;
  return { available: false, reason: `${machine}${missing}` };
}

/**
 * Quantizes a model for MLX by `python -m mlx_lm.convert`, where it is installed. The result appears whole or not at all. The
 * Python process gets no environment but what it needs, and is told to stay off the network.
 *
 * Throws `PROVIDER_UNAVAILABLE` with the reason where MLX is not, `VALIDATION_FAILED` for folders that cannot be used,
 * `TOOL_FAILED` with what `mlx_lm` said last, and the signal's reason, once Python is gone.
 */
export async function mlxQuantize(
  options: MlxQuantizeOptions,
  { onProgress }: { readonly onProgress?: (progress: MlxTask["progress"]) => void },
  signal: AbortSignal,
): Promise<MlxManifest> {
  const startedAt = new Date();
  const { bits = 4, groupSize = 64, python = "python3" } = options;
  const sourcePath = await sourceFolder(options.sourcePath);
  const found = await mlxAvailability(python, signal);
  if (!found.available) {
    throw new BenchtopError("PROVIDER_UNAVAILABLE", `Models for MLX cannot be made here. ${found.reason}`, {
      phase: "job",
      retryable: false,
    });
  }
  const partial = await openPartialOutput(options.outputPath);
  try {
    const { source, output } = await runNativeTask<MlxTask>(
      new URL("./mlx-process.ts", import.meta.url),
      { python, sourcePath, partialPath: partial.path, bits, groupSize, environment: environment() },
      onProgress,
      signal,
    );
    await partial.publish();
    return {
      source: { files: source },
      parameters: { bits, groupSize },
      library: { name: "mlx-lm", version: found.version },
      output: { files: output },
      startedAt: startedAt.toISOString(),
      durationMs: Date.now() - startedAt.getTime(),
    };
  } finally {
    await partial.discard();
  }
}

/** Asks without importing it, which takes seconds. */
const versionScript =
  'import importlib.util, importlib.metadata; print(importlib.metadata.version("mlx-lm") if importlib.util.find_spec("mlx_lm") else "")';

async function versionOf(
  python: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly ran: boolean; readonly version: string }> {
  signal?.throwIfAborted();
  const asked = await new Promise<{ ran: boolean; version: string }>((settle) => {
    const options = { env: environment(), timeout: 30_000, maxBuffer: 65_536, ...(signal && { signal }) };
    execFile(python, ["-c", versionScript], options, (error, output) => {
      // A number is the exit status of a Python that ran; a text says why none did.
      const ran = error === null || typeof error.code === "number";
      settle({ ran, version: error === null ? output.trim() : "" });
    });
  });
  signal?.throwIfAborted();
  return asked;
}

/** What Python needs to find itself and its packages. No keys, and no network. */
function environment(): Readonly<Record<string, string>> {
  const kept = ["PATH", "HOME", "TMPDIR", "LANG", "VIRTUAL_ENV", "SystemRoot"].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(kept), HF_HUB_OFFLINE: "1", TRANSFORMERS_OFFLINE: "1" };
}

async function sourceFolder(path: string): Promise<string> {
  const folder = resolve(path);
  const config = await stat(join(folder, "config.json")).catch(() => undefined);
  if (config?.isFile()) return folder;
  throw new BenchtopError(
    "VALIDATION_FAILED",
    "MLX takes a folder in the layout of Hugging Face, with config.json and safetensors. A GGUF file cannot be converted.",
    { phase: "job", detail: { path } },
  );
}
