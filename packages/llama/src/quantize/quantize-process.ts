/** A process that quantizes one file: reads and hashes the source, writes the partial file, puts it on disk, hashes it. */
import { createHash } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { open, stat, statfs, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Json } from "@benchtop/protocol";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { NativeLibraries } from "../ffi/library.ts";
import { readGgufHeader } from "../gguf/read.ts";
import { readImportanceMatrix, type ImportanceMatrix } from "./importance-matrix.ts";
import { openLlamaQuantizer, QuantizeFailure, type LlamaQuantizer, type QuantizeCall } from "./llama-quantize.ts";
import { openForLongCalls, serveNativeTask } from "../ffi/native-process.ts";
import type { ImportanceMatrixFacts, LibraryFacts, QuantizeProgress, TensorFallback } from "./quantization.ts";

export interface QuantizeInput extends Omit<QuantizeCall, "metadata" | "importance" | "outputPath"> {
  readonly partialPath: string;
  readonly importanceMatrix: string | undefined;
  /** `F16`, `Q8_0`, …: what the source says it is. */
  readonly sourceQuantization: string;
  /** Bytes of the result that are no weights: header and padding, generously. */
  readonly headerBytes: number;
  /** Metadata of the source that cannot stay as it is. */
  readonly metadata: ReadonlyMap<string, string | number>;
}

export interface QuantizeResult {
  readonly source: { readonly sha256: string; readonly bytes: number };
  readonly output: { readonly sha256: string; readonly bytes: number };
  readonly parameters: Readonly<Record<string, Json>>;
  readonly importanceMatrix: ImportanceMatrixFacts | undefined;
  readonly library: LibraryFacts;
  readonly fallbacks: readonly TensorFallback[];
}

export interface QuantizeTask {
  readonly input: QuantizeInput;
  readonly progress: QuantizeProgress;
  readonly result: QuantizeResult;
}

serveNativeTask<QuantizeTask>(quantizeFile, (input) => rmSync(input.partialPath, { force: true }));

async function quantizeFile(
  input: QuantizeInput,
  report: (progress: QuantizeProgress) => void,
): Promise<QuantizeResult> {
  const libraries = await openForLongCalls();
  const quantizer = openLlamaQuantizer(libraries);
  const library = libraryFacts(libraries);
  const importance = await importanceOf(input);
  const planned: QuantizeCall = {
    sourcePath: input.sourcePath,
    outputPath: input.partialPath,
    type: input.type,
    threads: input.threads,
    allowRequantize: input.allowRequantize,
    metadata: input.metadata,
    ...(importance && { importance: importance.values }),
  };
  await checkRoom(quantizer, planned, input.headerBytes);
  const before = await identityOf(input.sourcePath);
  const source = await hashFile(input.sourcePath, (done, total) => report({ phase: "reading", done, total }));
  const call = { ...planned, metadata: provenance(input, source.sha256, library, importance?.facts) };
  const { fallbacks } = await explaining(
    call,
    async () =>
      // A tensor is told when it begins.
      await quantizer.write(call, (tensor, index, total) =>
        report({ phase: "quantizing", done: index - 1, total, tensor }),
      ),
  );
  if ((await identityOf(input.sourcePath)) !== before) throw changedMeanwhile(input.sourcePath);
  const output = await hashFile(input.partialPath, (done, total) => report({ phase: "checking", done, total }), "sync");
  return {
    source,
    output,
    parameters: quantizer.parameters(call),
    importanceMatrix: importance?.facts,
    library,
    fallbacks,
  };
}

async function importanceOf({ importanceMatrix, sourcePath }: QuantizeInput): Promise<ImportanceMatrix | undefined> {
  if (importanceMatrix === undefined) return undefined;
  const importance = await readImportanceMatrix(importanceMatrix);
  const { tensors } = await readGgufHeader(sourcePath);
  const wrong = tensors.some(({ name, shape: [columns = 1, , matrices = 1] }) => {
    const values = importance.values.get(name);
    return values !== undefined && values.length !== columns * matrices;
  });
  if (!wrong && tensors.some(({ name }) => importance.values.has(name))) return importance;
  throw new BenchtopError("VALIDATION_FAILED", "The importance matrix was computed for another model.", {
    phase: "job",
    detail: { path: importanceMatrix },
  });
}

async function checkRoom(quantizer: LlamaQuantizer, call: QuantizeCall, headerBytes: number): Promise<void> {
  const { weightBytes } = await explaining(call, async () => await quantizer.plan(call));
  const needed = weightBytes + headerBytes;
  if ((await freeBytes(dirname(call.outputPath))) < needed) throw diskFull(needed);
}

async function explaining<Outcome>(call: QuantizeCall, work: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof QuantizeFailure)) throw error;
    throw explained(error.message, await freeBytes(dirname(call.outputPath)));
  }
}

/** No time and no path: the same input gives the same bytes, whoever makes them. */
function provenance(
  { type, sourceQuantization, metadata }: QuantizeInput,
  sourceSha256: string,
  library: LibraryFacts,
  importance: ImportanceMatrixFacts | undefined,
): ReadonlyMap<string, string | number> {
  return new Map<string, string | number>([
    ...metadata,
    ["benchtop.quantization.type", type],
    ["benchtop.quantization.source.sha256", sourceSha256],
    ["benchtop.quantization.source.type", sourceQuantization],
    ["benchtop.quantization.library", `${library.name} ${library.version}`],
    // Said either way: a source that was made with one says so of itself.
    ["benchtop.quantization.importance_matrix.sha256", importance?.sha256 ?? "none"],
    // As llama.cpp's own tool has it.
    ...(importance
      ? ([
          ["quantize.imatrix.entries_count", importance.entries],
          ["quantize.imatrix.chunks_count", importance.chunks],
        ] as const)
      : []),
  ]);
}

function libraryFacts({ directory, version }: NativeLibraries): LibraryFacts {
  for (let folder = directory; folder !== dirname(folder); folder = dirname(folder)) {
    const { name, version: packageVersion } = packageIn(folder);
    if (name !== undefined) return { name: "llama.cpp", version, package: `${name} ${packageVersion}` };
  }
  return { name: "llama.cpp", version, package: "unknown" };
}

function packageIn(folder: string): { name?: string; version?: string } {
  try {
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { name?: string; version?: string };
  } catch {
    // The package's own folder lies further up.
    return {};
  }
}

async function hashFile(
  path: string,
  onBytes: (done: number, total: number) => void,
  sync?: "sync",
): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash("sha256");
  let file: FileHandle | undefined;
  try {
    file = await open(path, sync ? "r+" : "r");
    if (sync) await file.sync();
    const { size } = await file.stat();
    const buffer = Buffer.allocUnsafe(4 * 2 ** 20);
    let done = 0;
    onBytes(done, size);
    for (let told = 0; ;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, done);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
      done += bytesRead;
      if (done - told < 64 * 2 ** 20 && done < size) continue;
      told = done;
      onBytes(done, size);
    }
    return { sha256: hash.digest("hex"), bytes: done };
  } catch (cause) {
    throw BenchtopError.from(cause, sync ? "FILE_WRITE_FAILED" : "FILE_READ_FAILED", {
      phase: "job",
      detail: { path },
    });
  } finally {
    await file?.close();
  }
}

async function identityOf(path: string): Promise<string> {
  const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true });
  return [dev, ino, size, mtimeNs].join(" ");
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** What llama.cpp says of a failure, in words that help. */
function explained(message: string, free: number): BenchtopError {
  const options = { phase: "job", detail: { llama: message } } as const;
  if (/iostream error/.test(message)) {
    return free < 2 ** 20
      ? diskFull(undefined)
      : new BenchtopError("FILE_WRITE_FAILED", "The result could not be written.", options);
  }
  const [reason, hint] = knownFailures.find(([pattern]) => pattern.test(message))?.[1] ?? [message, ""];
  return new BenchtopError(
    "VALIDATION_FAILED",
    `This model cannot be quantized: ${reason}.${hint && ` ${hint}`}`,
    options,
  );
}

const knownFailures: readonly (readonly [RegExp, readonly [reason: string, hint: string]])[] = [
  [/data validation failed/, ["it holds weights that are no numbers, or too large for this type", "Try BF16 or Q8_0."]],
  [/invalid data|corrupted or incomplete/, ["the file is damaged or incomplete", "Get it again."]],
  [/unknown model architecture/, ["llama.cpp does not know its architecture", ""]],
];

function diskFull(needed: number | undefined): BenchtopError {
  const size = needed === undefined ? "" : ` It takes about ${Math.ceil(needed / 2 ** 20)} MiB.`;
  return new BenchtopError("DISK_FULL", `There is no room for the result.${size} Free some space, then try again.`, {
    phase: "job",
    ...(needed !== undefined && { detail: { needed_bytes: needed } }),
  });
}

function changedMeanwhile(path: string): BenchtopError {
  return new BenchtopError("FILE_READ_FAILED", "The source changed while it was read. Try again when it is at rest.", {
    phase: "job",
    detail: { path },
  });
}
