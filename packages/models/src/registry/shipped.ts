import { basename } from "node:path";
import { stat } from "node:fs/promises";
import type { Json } from "@benchtop/protocol";
import { isCode } from "../private-file.ts";
import type { LocalModel } from "./descriptor.ts";
import { inspectModel } from "./inspect-model.ts";
import { readFile } from "./read-file.ts";

/** A model that comes with Benchtop, in one file of the program's own folder. */
export interface ShippedModel {
  readonly name: string;
  readonly path: string;
  /** What the file has to be; `verify` tells whether it is. */
  readonly sha256?: string;
  readonly manifest?: Readonly<Record<string, Json>>;
}

/** The models that come with Benchtop. They are read when somebody asks, not at start-up; one whose file is absent is not there. */
export class ShippedModels {
  readonly #models: ReadonlyMap<string, ShippedModel>;
  readonly #read = new Map<string, Promise<LocalModel>>();

  constructor(models: readonly ShippedModel[]) {
    this.#models = new Map(models.map((model) => [model.name, model]));
  }

  has(name: string): boolean {
    return this.#models.has(name);
  }

  pathOf(name: string): string | undefined {
    return this.#models.get(name)?.path;
  }

  expectedSha256(name: string): string | undefined {
    return this.#models.get(name)?.sha256;
  }

  async list(): Promise<LocalModel[]> {
    const found = await Promise.all([...this.#models.keys()].map((name) => this.find(name)));
    return found.filter((model) => model !== undefined);
  }

  async find(name: string): Promise<LocalModel | undefined> {
    const model = this.#models.get(name);
    if (!model || !(await isThere(model.path))) return undefined;
    let read = this.#read.get(name);
    if (!read) {
      read = describe(model);
      read.catch(() => this.#read.delete(name));
      this.#read.set(name, read);
    }
    return read;
  }
}

async function describe({ name, path, manifest }: ShippedModel): Promise<LocalModel> {
  const signal = new AbortController().signal;
  const facts = await inspectModel([path], signal);
  const { bytes, sha256 } = await readFile({ path }, () => undefined, signal);
  return {
    ...facts,
    name,
    source: { type: "shipped" },
    files: [{ path: basename(path), bytes, sha256, role: "weights" }],
    bytes,
    sha256,
    defaults: null,
    pinned: false,
    shipped: true,
    damaged: false,
    installedAt: (await stat(path)).mtime.toISOString(),
    usedAt: null,
    manifest: manifest ?? null,
  };
}

async function isThere(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (isCode(error, "ENOENT") || isCode(error, "ENOTDIR")) return false;
    throw error;
  }
}
