import { readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { BenchtopError } from "@benchtop/protocol/errors";
import type koffi from "koffi";
import type { LibraryHandle } from "koffi";

export type Koffi = typeof koffi;
/** An address in native memory. Koffi takes and gives bigints; `null` is the null pointer. */
export type Pointer = bigint | null;

/** The libraries of llama.cpp that node-llama-cpp ships, opened for calls of their C functions. */
export interface NativeLibraries {
  readonly koffi: Koffi;
  readonly directory: string;
  /** `libggml-base`: tensors, graphs, GGUF, quantization of rows, buffers. */
  readonly base: LibraryHandle;
  /** `libggml`: the registry of backends. */
  readonly ggml: LibraryHandle;
  /** `libllama`: models, vocabularies, `llama_model_quantize`. */
  readonly llama: LibraryHandle;
  /** Of llama.cpp, as the library itself says it. Struct layouts hold for one version: `knownVersion`. */
  readonly version: string;
}

/** The version of llama.cpp whose headers the calls of this package were written after. */
export const knownVersion = "0.5.0";

/**
 * Opens llama.cpp and makes its CPU backend ready: of its builds the best that this processor can run.
 *
 * Only for a child process: a wrong argument ends the process (ggml asserts by `abort`), and nothing here can catch that.
 * Throws `PROVIDER_UNAVAILABLE` when the libraries, or koffi, which calls them, are not installed or are of another version.
 */
export async function openNativeLibraries(): Promise<NativeLibraries> {
  const koffi = await importKoffi();
  const directory = await nativeLibraryDirectory();
  const files = await readdir(directory);
  const open = (name: string): LibraryHandle => openLibrary(koffi, directory, files, name);
  // In the order in which they need one another: where the loader does not look beside a library, what is open already counts.
  const base = open("ggml-base");
  const ggml = open("ggml");
  const llama = open("llama");
  // A build with its backends inside has them already; then this finds nothing and that is right.
  ggml.func("ggml_backend_load_all_from_path", "void", ["str"])(directory);
  const version = asText(llama.func("llama_version", "str", [])());
  // Builds of a release call themselves `0.5.0-dev`.
  if (version.replace(/-.*$/, "") !== knownVersion) {
    throw new BenchtopError(
      "PROVIDER_UNAVAILABLE",
      `llama.cpp ${version} is installed, and training and quantizing need ${knownVersion}. Install the version of node-llama-cpp that Benchtop names in its package.json.`,
      { retryable: false, detail: { version, wanted: knownVersion } },
    );
  }
  return { koffi, directory, base, ggml, llama, version };
}

/** The directory with node-llama-cpp's libraries for this platform. Throws `PROVIDER_UNAVAILABLE` when there is none. */
export async function nativeLibraryDirectory(): Promise<string> {
  const platform = platformPackage();
  const binaries = join(packageDirectory(`@node-llama-cpp/${platform}`), "bins");
  for (const folder of [join(binaries, platform), binaries]) {
    const files = await readdir(folder).catch(() => []);
    if (files.some((file) => namesLibrary(file, "ggml-base"))) return folder;
  }
  throw missing(`The package @node-llama-cpp/${platform} holds no libraries.`);
}

/** Which of node-llama-cpp's packages is built for this machine's processor alone (the one without a GPU, where there is a choice). */
function platformPackage(): string {
  const packages: Partial<Record<string, string>> = {
    "linux-x64": "linux-x64",
    "linux-arm64": "linux-arm64",
    "linux-arm": "linux-armv7l",
    "darwin-arm64": "mac-arm64-metal",
    "darwin-x64": "mac-x64",
    "win32-x64": "win-x64",
    "win32-arm64": "win-arm64",
  };
  const found = packages[`${process.platform}-${process.arch}`];
  if (found === undefined) throw missing(`llama.cpp is not built for ${process.platform} ${process.arch}.`);
  return found;
}

function packageDirectory(name: string): string {
  const here = createRequire(import.meta.url);
  for (const from of [() => createRequire(here.resolve("node-llama-cpp")), () => here]) {
    try {
      // Its main file is dist/index.js.
      return dirname(dirname(from().resolve(name)));
    } catch {
      // Not installed there: the next place may have it.
    }
  }
  throw missing(`The package ${name} is not installed.`);
}

async function importKoffi(): Promise<Koffi> {
  try {
    return (await import("koffi")).default;
  } catch (error) {
    throw missing("The package koffi, which calls native libraries, is not installed for this platform.", error);
  }
}

function openLibrary(koffi: Koffi, directory: string, files: readonly string[], name: string): LibraryHandle {
  const file = files.find((candidate) => namesLibrary(candidate, name));
  if (file === undefined) throw missing(`The library ${name} of llama.cpp is missing.`);
  try {
    return koffi.load(join(directory, file));
  } catch (error) {
    throw missing(`The library ${file} of llama.cpp does not load on this machine.`, error);
  }
}

/** `libggml.v0.5.0.so`, `libggml.dylib` and `ggml.dll` are all the library `ggml`. */
function namesLibrary(file: string, name: string): boolean {
  const [, stem = ""] = /^(?:lib)?(.+)\.(?:so|dylib|dll)$/.exec(file) ?? [];
  return stem === name || (stem.startsWith(`${name}.`) && /^\.v?[\d.]+$/.test(stem.slice(name.length)));
}

function missing(what: string, cause?: unknown): BenchtopError {
  return new BenchtopError(
    "PROVIDER_UNAVAILABLE",
    `${what} Training and quantizing need it: run \`npm install\` in Benchtop's directory with its optional packages.`,
    { retryable: false, detail: { platform: process.platform, arch: process.arch }, cause },
  );
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}
