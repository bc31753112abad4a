import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gguf, GGMLQuantizationType } from "@huggingface/gguf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tinyModel } from "../../test/tiny-model.ts";
import { childrenOf, isRunning, never, testFolder } from "../../test/quantize-folder.ts";
import { alphabetModel, slowModel } from "../../test/quantize-models.ts";
import { readGgufHeader } from "../gguf/read.ts";
import {
  quantizationTypes,
  type QuantizationManifest,
  type QuantizationType,
  type QuantizeProgress,
} from "./quantization.ts";
import { quantize } from "./quantize.ts";

const folder = testFolder();
const manifests = new Map<QuantizationType, QuantizationManifest>();
const results = new Map<QuantizationType, string>();
const told: string[] = [];
let source = "";
let slow = "";

beforeAll(async () => {
  source = await folder.write("source.gguf", alphabetModel().content);
  slow = await folder.write("slow.gguf", slowModel());
  await Promise.all([quantizationTypes.slice(0, 4), quantizationTypes.slice(4)].map(quantizeEach));
});
afterAll(() => folder[Symbol.dispose]());

async function quantizeEach(types: readonly QuantizationType[]): Promise<void> {
  for (const type of types) {
    const outputPath = folder.at(`${type}.gguf`);
    const onProgress = ({ phase, done, total }: QuantizeProgress): void => {
      if (type === "Q8_0") told.push(`${phase} ${done}/${total}`);
    };
    manifests.set(type, await quantize({ sourcePath: source, outputPath, type }, { onProgress }, never));
    results.set(type, outputPath);
  }
}

const sha256 = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");
const refused = async (options: Partial<Parameters<typeof quantize>[0]>): Promise<unknown> =>
  await quantize({ sourcePath: source, outputPath: folder.at("no.gguf"), type: "Q4_0", ...options }, {}, never).catch(
    (thrown: unknown) => thrown,
  );
/** Everything that a test may leave behind is known. */
const left = (): string[] => folder.names().filter((name) => name.startsWith(".") || name.startsWith("no"));

describe("P2.2 a quantized model", () => {
  test.for<[QuantizationType, Record<string, number>]>([
    ["F16", { F16: 16, F32: 5 }],
    ["BF16", { BF16: 16, F32: 5 }],
    ["Q8_0", { Q8_0: 16, F32: 5 }],
    ["Q6_K", { Q6_K: 16, F32: 5 }],
    ["Q5_K_M", { Q5_K: 13, Q6_K: 3, F32: 5 }],
    ["Q4_K_M", { Q4_K: 13, Q6_K: 3, F32: 5 }],
    ["Q4_0", { Q4_0: 15, Q6_K: 1, F32: 5 }],
  ])(
    "of %s opens elsewhere, with tensors of the right types and the metadata of its source",
    async ([type, tensors]) => {
      const opened = await gguf(results.get(type) ?? "", { allowLocalFile: true });
      const counts: Record<string, number> = {};
      for (const { dtype } of opened.tensorInfos) {
        const name = GGMLQuantizationType[dtype] ?? "";
        counts[name] = (counts[name] ?? 0) + 1;
      }
      expect(counts).toEqual(tensors);
      expect(manifests.get(type)?.tensors).toEqual(tensors);

      const { metadata } = await gguf(source, { allowLocalFile: true });
      expect(Object.keys(metadata)).toEqual(expect.arrayContaining(["general.license", "tokenizer.chat_template"]));
      const kept = Object.entries(metadata).filter(([key]) => !/^(kv_count|general\.file_type)$/.test(key));
      expect(opened.metadata).toMatchObject(Object.fromEntries(kept));
      expect(opened.metadata).toMatchObject({
        "benchtop.quantization.type": type,
        "benchtop.quantization.source.sha256": sha256(source),
        "benchtop.quantization.source.type": "F32",
        "benchtop.quantization.library": "llama.cpp 0.5.0-dev",
        "benchtop.quantization.importance_matrix.sha256": "none",
      });
      expect(await readGgufHeader(results.get(type) ?? "")).toMatchObject({ version: 3 });
    },
  );

  test("says how it came to be", () => {
    const manifest = manifests.get("Q4_K_M");
    expect(manifest).toMatchObject({
      source: { sha256: sha256(source), bytes: statSync(source).size, quantization: "F32" },
      type: "Q4_K_M",
      parameters: { ftype: 15, allow_requantize: false, pure: false, quantize_output_tensor: true },
      library: { name: "llama.cpp", version: "0.5.0-dev" },
      output: { sha256: sha256(folder.at("Q4_K_M.gguf")), bytes: statSync(folder.at("Q4_K_M.gguf")).size },
      fallbacks: [],
    });
    expect(manifest?.library.package).toMatch(/^@node-llama-cpp\/\S+ 3\.22\.1$/);
    expect(Date.parse(manifest?.startedAt ?? "")).toBeGreaterThan(0);
  });

  test("loads in llama.cpp and says what its source says", () => {
    const script = join(import.meta.dirname, "../../test/quantize-generate.ts");
    const said = execFileSync(process.execPath, [script, "ABC", source, ...results.values()], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    expect(JSON.parse(said.toString())).toEqual(Array.from({ length: 8 }, () => "DEFGHIJKLMNO"));
  });

  test("has the same bytes whenever and with however many threads it is made", async () => {
    for (const threads of [1, 3]) {
      const outputPath = folder.at(`again-${threads}.gguf`);
      const again = await quantize({ sourcePath: source, outputPath, type: "Q4_K_M", threads }, {}, never);
      expect(again.output).toEqual(manifests.get("Q4_K_M")?.output);
      expect(again.parameters["nthread"]).toBe(threads);
    }
  });

  test("tells how far it is by bytes of the source, then by tensors, then by bytes of the result", () => {
    const bytes = statSync(source).size;
    expect(told.slice(0, 2)).toEqual([`reading 0/${bytes}`, `reading ${bytes}/${bytes}`]);
    expect(told.slice(2, -2)).toEqual(Array.from({ length: 21 }, (_, index) => `quantizing ${index}/21`));
    expect(told.at(-1)).toMatch(/^checking (\d+)\/\1$/);
  });

  test("tells which tensors did not fit, and stays readable where its source was aligned otherwise", async () => {
    const content = tinyModel({
      embeddingLength: 96,
      feedForwardLength: 200,
      metadata: { "general.alignment": { type: "u32", value: 64 } },
    });
    const sourcePath = await folder.write("odd.gguf", content);
    const outputPath = folder.at("odd-Q4_K_M.gguf");
    const { fallbacks, tensors } = await quantize({ sourcePath, outputPath, type: "Q4_K_M" }, {}, never);
    expect(fallbacks).toHaveLength(15);
    expect(fallbacks).toContainEqual({ tensor: "blk.0.ffn_down.weight", columns: 200, wanted: "Q4_K", used: "F16" });
    expect(fallbacks).toContainEqual({ tensor: "blk.0.attn_q.weight", columns: 96, wanted: "Q4_K", used: "Q5_0" });
    expect(tensors).toEqual({ Q8_0: 2, F32: 5, Q5_0: 12, F16: 2 });
    const { metadata } = await readGgufHeader(outputPath);
    expect(metadata.get("general.alignment")).toBe(32);
  });
});

describe("P2.2 quantizing refuses", () => {
  test.for<[string, (path: string) => void, RegExp]>([
    ["a text", (path) => writeFileSync(path, "no model"), /GGUF/],
    ["a file that is cut off", (path) => cutOff(path, 0.5), /./],
    ["a header that is cut off", (path) => truncateTo(path, 900), /./],
  ])("%s", async ([, make, message]) => {
    const sourcePath = folder.at("bad.gguf");
    make(sourcePath);
    expect(await refused({ sourcePath })).toMatchObject({
      info: { error_code: "VALIDATION_FAILED" },
      message: expect.stringMatching(message) as unknown,
    });
    expect(left()).toEqual([]);
  });

  test("a source that is not there, itself as result, a result that exists and a folder that does not", async () => {
    expect(await refused({ sourcePath: folder.at("none.gguf") })).toMatchObject({ info: { error_code: "NOT_FOUND" } });
    for (const [outputPath, message] of [
      [source, "would replace its own source"],
      [join(folder.path, "x", "..", "source.gguf"), "would replace its own source"],
      [folder.at("Q8_0.gguf"), "exists already"],
      [folder.at("nowhere/no.gguf"), "There is no folder"],
    ] as const) {
      expect(await refused({ outputPath })).toMatchObject({
        info: { error_code: "VALIDATION_FAILED" },
        message: expect.stringContaining(message) as unknown,
      });
    }
    expect(await refused({ threads: 0 })).toMatchObject({ info: { error_code: "VALIDATION_FAILED" } });
    expect(left()).toEqual([]);
  });

  test.for<[string, Record<string, { type: "string"; value: string } | { type: "u16"; value: number }>, string]>([
    ["a part", { "split.no": { type: "u16", value: 1 }, "split.count": { type: "u16", value: 3 } }, "part 2 of 3"],
    ["an adapter", { "general.type": { type: "string", value: "adapter" } }, "LoRA adapter"],
    ["another kind", { "general.type": { type: "string", value: "mmproj" } }, "no language model"],
  ])("%s of a model", async ([, metadata, message]) => {
    const content = tinyModel({ metadata });
    const sourcePath = await folder.write("part.gguf", content);
    expect(await refused({ sourcePath })).toMatchObject({
      info: { error_code: "VALIDATION_FAILED" },
      message: expect.stringContaining(message) as unknown,
    });
  });

  test("an architecture that llama.cpp does not know, and goes on living", async () => {
    const sourcePath = await folder.write(
      "unknown.gguf",
      tinyModel({ metadata: { "general.architecture": { type: "string", value: "nobodys" } } }),
    );
    expect(await refused({ sourcePath })).toMatchObject({
      info: { error_code: "VALIDATION_FAILED" },
      message: "This model cannot be quantized: llama.cpp does not know its architecture.",
    });
  });

  test("a model that llama.cpp crashes at, and goes on living", async () => {
    const sourcePath = await folder.write(
      "crash.gguf",
      tinyModel({ metadata: { "llama.expert_count": { type: "u32", value: 4_000_000_000 } } }),
    );
    expect(await refused({ sourcePath })).toMatchObject({
      info: {
        error_code: "FILE_READ_FAILED",
        retryable: false,
        detail: { exit: "SIGABRT", assertion: "GGML_ASSERT(hparams.n_expert <= LLAMA_MAX_EXPERTS) failed" },
      },
    });
    expect(left()).toEqual([]);
  });

  test("a model that is quantized already, unless told otherwise; then what is damaged in it shows", async () => {
    const sourcePath = folder.at("Q8_0.gguf");
    expect(await refused({ sourcePath })).toMatchObject({
      info: { error_code: "VALIDATION_FAILED" },
      message: expect.stringContaining("quantized already (Q8_0)") as unknown,
    });
    const outputPath = folder.at("Q8_0-Q4_0.gguf");
    const again = await quantize({ sourcePath, outputPath, type: "Q4_0", allowRequantize: true }, {}, never);
    expect(again.source.quantization).toBe("Q8_0");
    expect(again.tensors).toEqual(manifests.get("Q4_0")?.tensors);

    const damaged = folder.at("damaged.gguf");
    copyFileSync(sourcePath, damaged);
    const { dataOffset } = await readGgufHeader(damaged);
    const bytes = readFileSync(damaged);
    // Scales that are NaN.
    writeFileSync(damaged, bytes.fill(0xff, dataOffset, dataOffset + 100_000));
    expect(await refused({ sourcePath: damaged, allowRequantize: true })).toMatchObject({
      info: { error_code: "VALIDATION_FAILED" },
      message: expect.stringMatching(/no numbers|damaged/) as unknown,
    });
    expect(left()).toEqual([]);
  });
});

function cutOff(path: string, share: number): void {
  copyFileSync(source, path);
  truncateSync(path, Math.floor(statSync(path).size * share));
}

function truncateTo(path: string, bytes: number): void {
  copyFileSync(source, path);
  truncateSync(path, bytes);
}

describe("P2.2 nothing is left behind", () => {
  test("by an abort in the middle, and the process is gone", async () => {
    const abort = new AbortController();
    const reason = new Error("enough");
    let children: number[] = [];
    const failure = await quantize(
      { sourcePath: slow, outputPath: folder.at("no.gguf"), type: "Q6_K" },
      {
        onProgress({ phase }) {
          if (phase !== "quantizing" || abort.signal.aborted) return;
          children = process.platform === "linux" ? childrenOf(process.pid, "quantize-process.ts") : [];
          abort.abort(reason);
        },
      },
      abort.signal,
    ).catch((thrown: unknown) => thrown);
    expect(failure).toBe(reason);
    expect(children.some(isRunning)).toBe(false);
    expect(left()).toEqual([]);
    await expect(
      quantize({ sourcePath: slow, outputPath: folder.at("no.gguf"), type: "Q6_K" }, {}, abort.signal),
    ).rejects.toBe(reason);
  });

  test.skipIf(process.platform !== "linux")("by a process that is killed (finds it in /proc)", async () => {
    const failure = await quantize(
      { sourcePath: slow, outputPath: folder.at("no.gguf"), type: "Q6_K" },
      {
        onProgress({ phase }) {
          if (phase !== "quantizing") return;
          for (const pid of childrenOf(process.pid, "quantize-process.ts")) process.kill(pid, "SIGKILL");
        },
      },
      never,
    ).catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({ info: { error_code: "PROVIDER_UNAVAILABLE", retryable: true } });
    expect(left()).toEqual([]);
  });

  test.skipIf(process.platform !== "linux")("by a daemon that is killed, nor does its process go on", async () => {
    const script = join(import.meta.dirname, "../../test/quantize-then-die.ts");
    const died = spawnSync(process.execPath, [script, slow, folder.at("no.gguf")], { encoding: "utf8" });
    expect(died.signal).toBe("SIGKILL");
    const child = Number(died.stdout);
    expect(child).toBeGreaterThan(0);
    await expect.poll(() => isRunning(child)).toBe(false);
    expect(left()).toEqual([]);
  });

  test("by one that throws where it is told of progress", async () => {
    const failure = await quantize(
      { sourcePath: source, outputPath: folder.at("no.gguf"), type: "Q4_0" },
      {
        onProgress() {
          throw new Error("listener");
        },
      },
      never,
    ).catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({ message: "listener" });
    expect(left()).toEqual([]);
  });
});

const root = process.getuid?.() === 0 && process.platform === "linux";

describe.skipIf(!root)("P2.2 a full disk (needs root)", () => {
  const small = testFolder();
  beforeAll(() => execFileSync("mount", ["-t", "tmpfs", "-o", "size=18m", "tmpfs", small.path]));
  afterAll(() => {
    execFileSync("umount", ["-l", small.path]);
    small[Symbol.dispose]();
  });

  test("is seen before anything is written", async () => {
    const told: string[] = [];
    const failure = await quantize(
      { sourcePath: slow, outputPath: small.at("no.gguf"), type: "Q8_0" },
      { onProgress: ({ phase }) => told.push(phase) },
      never,
    ).catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({
      info: { error_code: "DISK_FULL", detail: { needed_bytes: expect.any(Number) as unknown } },
    });
    expect(told).toEqual([]);
    expect(small.names()).toEqual([]);
  });

  test("that fills up meanwhile ends it, and leaves nothing", async () => {
    let filled = false;
    const failure = await quantize(
      { sourcePath: slow, outputPath: small.at("no.gguf"), type: "Q4_K_M" },
      {
        onProgress({ phase }) {
          if (phase !== "reading" || filled) return;
          filled = true;
          writeFileSync(small.at("ballast"), Buffer.alloc(14 * 2 ** 20));
        },
      },
      never,
    ).catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({ info: { error_code: "DISK_FULL" } });
    expect(small.names()).toEqual(["ballast"]);
  });
});
