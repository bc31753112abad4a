import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { estimateMemory, readGgufHeader, writeGguf, type GgufContent } from "@benchtop/llama/gguf";
import type { LlamaModelOptions } from "@benchtop/llama";
import type { InstalledModel, InstalledModels } from "../src/runtimes/embedded/installed.ts";

/** Real GGUF files in a folder of their own, as if they were installed. */
export class TinyModels implements InstalledModels {
  readonly folder = mkdtempSync(join(tmpdir(), "benchtop-tiny-"));
  readonly #installed = new Map<string, InstalledModel>();

  async add(name: string, content: GgufContent, facts: Partial<InstalledModel> = {}): Promise<void> {
    const path = join(this.folder, `${name}.gguf`);
    await writeGguf(path, content);
    const { size, mtimeMs } = statSync(path);
    const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
    const files: InstalledModel["files"] = [{ path, bytes: size, sha256, modifiedMs: mtimeMs }];
    this.#installed.set(name, { name, kind: "model", embeds: false, ...facts, files });
  }

  async list(): Promise<readonly InstalledModel[]> {
    return [...this.#installed.values()];
  }

  async find(name: string): Promise<InstalledModel | undefined> {
    return this.#installed.get(name);
  }

  readonly estimateMemory = async (_: InstalledModel, options: LlamaModelOptions): Promise<number> => {
    const { contextTokens = 512, parallel = 1, modelPath } = options;
    return estimateMemory(await readGgufHeader(modelPath), { contextTokens, parallel }).totalBytes;
  };

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
