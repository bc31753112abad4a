import { rm, stat } from "node:fs/promises";
import { BenchtopError } from "@benchtop/protocol";
import type { Store } from "@benchtop/store";
import { exportBundle } from "./bundle/export-bundle.ts";
import { importBundle } from "./bundle/import-bundle.ts";
import type { KeptModel, LocalModel, NewModel, OnProgress } from "./descriptor.ts";
import { Installer, type InstallMeans, type NewFile } from "./installer.ts";
import { installFile, type InstallFileOptions } from "./install-file.ts";
import { changedMs, ModelFolders } from "./model-folders.ts";
import { ModelRows } from "./model-rows.ts";
import { importOllama, type ImportOllamaOptions } from "./ollama/import-ollama.ts";
import { readFile } from "./read-file.ts";
import { invalid, notInstalled, refusal } from "./refusals.ts";
import { noRoom, storageOf, type ModelStorage, type RoomNeeded } from "./room.ts";
import { KeptSettings, type ModelSettings } from "./settings.ts";
import { ShippedModels, type ShippedModel } from "./shipped.ts";

export interface ModelRegistryOptions {
  readonly store: Pick<Store, "db" | "flush">;
  /** `$BENCHTOP_HOME`: models lie in its folder `models`. One process at a time. */
  readonly home: string;
  readonly shipped?: readonly ShippedModel[];
}

/** What a runtime opens. */
export interface ModelPaths {
  /** The file, or the first of several parts. */
  readonly weights: string;
  /** LoRA adapters that belong to the model. */
  readonly adapters: readonly string[];
  /** All of them as they were when they were installed, the file of `weights` first. */
  readonly files: readonly {
    readonly path: string;
    readonly bytes: number;
    readonly sha256: string;
    readonly modifiedMs: number;
  }[];
}

/**
 * The models that are installed on this machine: what is known of them, their files, and the room that they may take. It belongs to
 * the installation, not to a workspace. Errors are `NOT_FOUND` for a name that is not installed, `VALIDATION_FAILED` for what is
 * refused, `DISK_FULL`, `FILE_READ_FAILED`, `FILE_WRITE_FAILED`, and the reason of a signal.
 */
export class ModelRegistry {
  readonly folders: ModelFolders;
  readonly installer: Installer;
  readonly #rows: ModelRows;
  readonly #shipped: ShippedModels;
  readonly #settings: KeptSettings;
  /** When models were used that is not written yet. */
  #used = new Map<string, string>();
  #usedTimer: NodeJS.Timeout | undefined;
  /** Names that are being removed: nobody is given their files any more. */
  readonly #leaving = new Set<string>();

  /** Finishes or takes back what a stopped process was at. */
  static async open({ store, home, shipped = [] }: ModelRegistryOptions): Promise<ModelRegistry> {
    const folders = await ModelFolders.open(home);
    const settings = await KeptSettings.open(store, folders.installation);
    const registry = new ModelRegistry(folders, new ModelRows(store, folders.installation), settings, shipped);
    await registry.installer.recover();
    return registry;
  }

  private constructor(
    folders: ModelFolders,
    rows: ModelRows,
    settings: KeptSettings,
    shipped: readonly ShippedModel[],
  ) {
    this.folders = folders;
    this.#rows = rows;
    this.#settings = settings;
    this.#shipped = new ShippedModels(shipped);
    this.installer = new Installer({
      rows,
      folders,
      checkRoom: (needed) => this.checkRoom(needed),
      isReserved: (name) => this.#shipped.has(name),
    });
  }

  /** Those that come with Benchtop first, then by name. */
  async list(): Promise<LocalModel[]> {
    const installed = await this.#rows.list();
    return [...(await this.#shipped.list()), ...installed.map(({ model }) => model)].map((model) =>
      this.#current(model),
    );
  }

  async get(name: string): Promise<LocalModel> {
    const model = (await this.#shipped.find(name)) ?? (await this.#find(name)).model;
    return this.#current(model);
  }

  /** The files of a model, for whoever loads it. Throws `FILE_READ_FAILED` where one is missing or known to be damaged. */
  async paths(name: string): Promise<ModelPaths> {
    const shipped = await this.#shipped.find(name);
    const path = this.#shipped.pathOf(name);
    if (shipped && path !== undefined) {
      const { bytes, sha256 } = shipped;
      return { weights: path, adapters: [], files: [{ path, bytes, sha256, modifiedMs: await changedMs(path) }] };
    }
    if (this.#leaving.has(name)) throw notInstalled(name);
    const kept = await this.#find(name);
    if (kept.model.damaged) throw damaged(name, "are not those that were installed");
    for (const file of kept.files) {
      const found = await stat(this.folders.pathOf(kept.folder, file.path)).catch(() => undefined);
      if (found?.size !== file.bytes)
        throw damaged(name, found ? "have another size than was installed" : "are missing");
    }
    const pathsOf = (role: "weights" | "adapter") =>
      kept.files.filter((file) => file.role === role).map((file) => this.folders.pathOf(kept.folder, file.path));
    const [weights] = pathsOf("weights");
    if (weights === undefined) throw damaged(name, "are missing");
    const files = kept.files.map(({ path, bytes, sha256, changedMs }) => ({
      path: this.folders.pathOf(kept.folder, path),
      bytes,
      sha256,
      modifiedMs: changedMs,
    }));
    return { weights, adapters: pathsOf("adapter"), files: files.toSorted(({ path }) => (path === weights ? -1 : 0)) };
  }

  /** A model is used now. Written down after a while. */
  touch(name: string): void {
    this.#used.set(name, new Date().toISOString());
    this.#usedTimer ??= setTimeout(() => {
      this.#usedTimer = undefined;
      // It is only the order of suggestions; what could not be written is told by whatever is written next.
      this.#writeUsed().catch(() => undefined);
    }, usedDelayMs).unref();
  }

  /** A pinned model is not suggested for removal, and not removed. */
  async pin(name: string, pinned: boolean): Promise<LocalModel> {
    if (this.#shipped.has(name)) throw invalid(`“${name}” comes with Benchtop and stays anyway.`);
    const { id } = await this.#find(name);
    await this.#rows.change(id, { pinned: pinned ? 1 : 0 });
    return this.get(name);
  }

  /** Removes a model and its files. `inUse` is asked once nobody can begin to load it any more. */
  async remove(
    name: string,
    inUse: (name: string) => boolean | Promise<boolean>,
  ): Promise<{ readonly freedBytes: number }> {
    if (this.#shipped.has(name)) throw invalid(`“${name}” comes with Benchtop and cannot be removed.`);
    const kept = await this.#find(name);
    if (kept.model.pinned) throw invalid(`“${name}” is pinned. Unpin it first.`);
    if (this.#leaving.has(name)) throw notInstalled(name);
    this.#leaving.add(name);
    try {
      if (await inUse(name)) throw invalid(`“${name}” is loaded. Unload it first.`);
      const freedBytes = await this.folders.freedBy(kept);
      await this.#rows.change(kept.id, { state: "removing" });
      await this.folders.remove(kept.folder);
      await this.#rows.remove(kept.id);
      return { freedBytes };
    } catch (error) {
      throw BenchtopError.from(error, "FILE_WRITE_FAILED", { phase: "settings" });
    } finally {
      this.#leaving.delete(name);
    }
  }

  /** Reads every file again and compares its hash; what is found is remembered (`damaged`). */
  async verify(
    name: string,
    { onProgress }: { readonly onProgress?: OnProgress },
    signal: AbortSignal,
  ): Promise<{ readonly intact: boolean; readonly damaged: string[] }> {
    const shipped = await this.#shipped.find(name);
    const kept = shipped ? undefined : await this.#find(name);
    const model = shipped ?? (await this.get(name));
    const damaged: string[] = [];
    let before = 0;
    for (const file of model.files) {
      const path = kept ? this.folders.pathOf(kept.folder, file.path) : (this.#shipped.pathOf(name) ?? "");
      const expected = kept ? file.sha256 : (this.#shipped.expectedSha256(name) ?? file.sha256);
      const onBytes = (bytes: number) => onProgress?.({ bytesDone: before + bytes, bytesTotal: model.bytes });
      const read = await readFile({ path }, onBytes, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        if (BenchtopError.is(error) && error.code === "FILE_READ_FAILED") return undefined;
        throw error;
      });
      if (read?.sha256 !== expected) damaged.push(file.path);
      before += file.bytes;
    }
    if (kept) await this.#rows.change(kept.id, { damaged: damaged.length > 0 ? 1 : 0 });
    return { intact: damaged.length === 0, damaged };
  }

  /**
   * Installs a file of this machine, with its other parts if it is one of several. `link` gives the file a second name in place
   * of a copy: the same disk, no room taken, and whoever changes the file changes the model.
   */
  installFile(path: string, options: InstallFileOptions, signal: AbortSignal): Promise<LocalModel> {
    return installFile(this.#means, path, options, signal);
  }

  /** A fresh folder on the disk of the models, for whoever makes one. What is left in it is removed at the next start. */
  workFolder(): Promise<string> {
    return this.folders.workFolder();
  }

  /**
   * Installs files that were made or fetched, the first part first, and removes them from where they lie. Where it fails they stay.
   */
  async adopt(
    files: readonly (string | NewFile)[],
    model: NewModel,
    signal: AbortSignal,
    options: { readonly id?: string } = {},
  ): Promise<LocalModel> {
    const given = files.map((file) => (typeof file === "string" ? { path: file } : file));
    await using prepared = await this.installer.prepare(given, model, { ...options, signal });
    const installed = await prepared.commit();
    for (const { path } of given) await rm(path, { force: true });
    return installed;
  }

  /** Installs a model of an Ollama library on this machine (`~/.ollama/models` unless told). */
  importOllama(options: ImportOllamaOptions, signal: AbortSignal): Promise<LocalModel> {
    return importOllama(this.#means, options, signal);
  }

  /** Writes models into one file, for a machine without a network. The file must not be there yet. */
  async exportBundle(
    names: readonly string[],
    path: string,
    { onProgress }: { readonly onProgress?: OnProgress },
    signal: AbortSignal,
  ): Promise<{ readonly path: string; readonly bytes: number }> {
    const models: KeptModel[] = [];
    for (const name of new Set(names)) {
      if (this.#shipped.has(name)) throw invalid(`“${name}” comes with Benchtop; it is on every machine that has it.`);
      models.push(await this.#find(name));
    }
    return exportBundle(this.folders, models, path, onProgress, signal);
  }

  /** Installs every model of a bundle, or none. One that is installed already, with the same files, is passed over. */
  importBundle(
    path: string,
    { onProgress }: { readonly onProgress?: OnProgress },
    signal: AbortSignal,
  ): Promise<LocalModel[]> {
    return importBundle(this.#means, path, onProgress, signal);
  }

  /** What the models take of the disk, and what could go to make room for so many bytes. */
  async usage(neededBytes = 0): Promise<ModelStorage> {
    const { missing: _missing, ...storage } = await this.#storage({ bytes: neededBytes });
    return storage;
  }

  /** Throws `DISK_FULL` where what is needed is over the quota or larger than the disk. */
  async checkRoom(needed: RoomNeeded): Promise<void> {
    if (needed.bytes === 0) return;
    const { missing, ...storage } = await this.#storage(needed);
    if (missing !== null) throw noRoom(storage, needed.bytes, missing);
  }

  /** The model that was installed under this id, by whichever process. */
  async findById(id: string): Promise<LocalModel | undefined> {
    return (await this.#rows.findById(id))?.model;
  }

  get settings(): ModelSettings {
    return this.#settings.value;
  }

  /** What is left out stays. */
  configure(change: Partial<ModelSettings>): Promise<ModelSettings> {
    return this.#settings.change(change);
  }

  async close(): Promise<void> {
    clearTimeout(this.#usedTimer);
    this.#usedTimer = undefined;
    await this.#writeUsed();
  }

  /** What the ways of installing need. */
  get #means(): InstallMeans {
    return {
      folders: this.folders,
      installer: this.installer,
      checkRoom: (needed: RoomNeeded) => this.checkRoom(needed),
      find: async (name: string) => (await this.#rows.find(name))?.model,
    };
  }

  async #storage(needed: RoomNeeded) {
    const models = await this.#rows.list();
    const current = models.map((kept) => ({ ...kept, model: this.#current(kept.model) }));
    return storageOf(this.folders, current, this.settings.quotaBytes, needed);
  }

  async #find(name: string): Promise<KeptModel> {
    const kept = await this.#rows.find(name);
    if (!kept) throw notInstalled(name);
    return kept;
  }

  #current(model: LocalModel): LocalModel {
    const usedAt = this.#used.get(model.name);
    return usedAt === undefined ? model : { ...model, usedAt };
  }

  async #writeUsed(): Promise<void> {
    const used = this.#used;
    await this.#rows.used(used);
    for (const [name, at] of used) if (this.#used.get(name) === at && !this.#shipped.has(name)) this.#used.delete(name);
  }
}

const usedDelayMs = 5000;

function damaged(name: string, what: string): BenchtopError {
  return refusal("FILE_READ_FAILED", `The files of “${name}” ${what}. Remove the model and install it again.`, {
    retryable: false,
    detail: { model: name },
  });
}
