import { randomUUID } from "node:crypto";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import {
  toRow,
  type KeptFile,
  type KeptModel,
  type LocalModel,
  type ModelFileFacts,
  type NewModel,
} from "./descriptor.ts";
import { inspectModel } from "./inspect-model.ts";
import { changedMs, type ModelFolders, type Staged } from "./model-folders.ts";
import { checkModelName, fileNameFrom } from "./model-name.ts";
import type { ModelRows } from "./model-rows.ts";
import { readFile } from "./read-file.ts";
import { invalid, nameTaken } from "./refusals.ts";
import type { RoomNeeded } from "./room.ts";

/** A file that becomes one of a model's. */
export interface NewFile {
  readonly path: string;
  /** In the model's folder; made from the path unless told. */
  readonly name?: string;
  /** Read from the file unless told: whoever tells has just hashed this very file. */
  readonly sha256?: string | undefined;
  readonly role?: "weights" | "adapter";
}

/** What the ways of installing a model are given. */
export interface InstallMeans {
  readonly folders: ModelFolders;
  readonly installer: Installer;
  readonly checkRoom: (needed: RoomNeeded) => Promise<void>;
  readonly find: (name: string) => Promise<LocalModel | undefined>;
}

/** Files that are whole and checked, and not installed yet. To be disposed: what was not committed leaves nothing. */
export interface PreparedModel extends AsyncDisposable {
  commit(): Promise<LocalModel>;
}

/**
 * The one way in which a model gets into the registry. A crash at any moment leaves nothing of it or all of it:
 *
 * 1. the files are brought together in a work folder, checked and hashed (a crash: the next start removes it);
 * 2. a row says that a folder is about to be there (a crash: the folder is not there, the row goes);
 * 3. the work folder, on disk, gets that name (a crash: the folder is there and whole, the row is made ready);
 * 4. the row is ready, and the model of the same name that it replaces is on its way out, in one transaction.
 */
export class Installer {
  readonly #rows: ModelRows;
  readonly #folders: ModelFolders;
  readonly #checkRoom: (needed: RoomNeeded) => Promise<void>;
  readonly #isReserved: (name: string) => boolean;
  /** Names that are being installed. */
  readonly #claimed = new Set<string>();

  constructor(options: {
    readonly rows: ModelRows;
    readonly folders: ModelFolders;
    readonly checkRoom: (needed: RoomNeeded) => Promise<void>;
    /** Names of models that come with Benchtop. */
    readonly isReserved: (name: string) => boolean;
  }) {
    this.#rows = options.rows;
    this.#folders = options.folders;
    this.#checkRoom = options.checkRoom;
    this.#isReserved = options.isReserved;
  }

  /** Finishes or takes back what a stopped process was at. */
  async recover(): Promise<void> {
    for (const { id, name, state, folder } of await this.#rows.unfinished()) {
      if (state === "installing" && (await this.#folders.has(folder))) await this.#rows.makeReady(id, name);
      else if (state === "installing") await this.#rows.remove(id);
    }
    await this.#finishRemovals();
  }

  /** Refuses names that cannot be installed under now: `VALIDATION_FAILED`. */
  async checkName(name: string, replace: boolean): Promise<void> {
    checkModelName(name);
    if (this.#isReserved(name)) throw invalid(`“${name}” comes with Benchtop. Choose another name.`);
    if (this.#claimed.has(name))
      throw invalid(`“${name}” is being installed in this moment. Choose another name, or wait.`);
    if (!replace && (await this.#rows.find(name))) throw nameTaken(name);
  }

  /**
   * Brings files together, the first one of a model that is split first. Files stay where they are, too, until whoever gave them
   * removes them; only on a file system without hard links they are moved. `id` finds the model again after a crash.
   */
  async prepare(
    files: readonly NewFile[],
    model: NewModel,
    { id = randomUUID(), signal }: { readonly id?: string; readonly signal: AbortSignal },
  ): Promise<PreparedModel> {
    const release = await this.#claim(model.name, model.replace ?? false);
    const work = await this.#folders.workFolder();
    const dispose = async () => {
      release();
      await rm(work, { recursive: true, force: true });
    };
    try {
      const staged = await this.#stage(files, work, signal);
      const facts = await inspectModel(
        staged.filter(({ role }) => role === "weights").map(({ name }) => join(work, name)),
        signal,
      );
      await this.#shareWhatIsInstalled(staged, work);
      signal.throwIfAborted();
      return {
        commit: () => this.#commit({ id, work, staged, facts, model }),
        [Symbol.asyncDispose]: dispose,
      };
    } catch (error) {
      await dispose();
      signal.throwIfAborted();
      throw BenchtopError.from(error, "FILE_WRITE_FAILED", { phase: "settings" });
    }
  }

  /** Nobody else gets the name while it is checked, nor afterwards until it is released. */
  async #claim(name: string, replace: boolean): Promise<() => void> {
    // A name that is claimed is refused before this waits for anything, so that two cannot both pass.
    const checked = this.checkName(name, replace);
    if (this.#claimed.has(name)) await checked;
    this.#claimed.add(name);
    let isOurs = true;
    const release = () => {
      if (isOurs) this.#claimed.delete(name);
      isOurs = false;
    };
    try {
      await checked;
      return release;
    } catch (error) {
      release();
      throw error;
    }
  }

  async #stage(files: readonly NewFile[], work: string, signal: AbortSignal): Promise<Staged[]> {
    const staged: Staged[] = [];
    for (const { path, name = fileNameFrom(path), sha256, role = "weights" } of files) {
      if (staged.some((each) => each.name === name)) throw invalid("Two files of the model have the same name.");
      const { size } = await stat(path);
      await this.#folders.stage(path, work, name);
      const hash = sha256 ?? (await readFile({ path: join(work, name) }, () => undefined, signal)).sha256;
      staged.push({ name, bytes: size, sha256: hash, role });
    }
    return staged;
  }

  /** A file that another model has is not kept twice; what is really new has to be within the quota. */
  async #shareWhatIsInstalled(staged: readonly Staged[], work: string): Promise<void> {
    const installed = await this.#rows.list();
    let bytes = 0;
    for (const file of staged) {
      const same = await this.#findInstalled(installed, file.sha256);
      if (same) await this.#folders.share(same.model, same.file, work, file.name);
      else bytes += file.bytes;
    }
    await this.#checkRoom({ bytes, onDisk: bytes });
  }

  /** An installed file of this content that nobody has touched. */
  async #findInstalled(
    installed: readonly KeptModel[],
    sha256: string,
  ): Promise<{ model: KeptModel; file: KeptFile } | undefined> {
    for (const model of installed) {
      const file = model.files.find((each) => each.sha256 === sha256);
      if (file && (await this.#folders.isUntouched(model, file))) return { model, file };
    }
    return undefined;
  }

  /** Where an installed file of this content lies, for whoever would fetch it. */
  async pathOfInstalled(sha256: string): Promise<string | undefined> {
    const found = await this.#findInstalled(await this.#rows.list(), sha256);
    return found && this.#folders.pathOf(found.model.folder, found.file.path);
  }

  async #commit({ id, work, staged, facts, model }: Ready): Promise<LocalModel> {
    const files: KeptFile[] = [];
    for (const { name, ...file } of staged) {
      files.push({ path: name, ...file, changedMs: await changedMs(join(work, name)) });
    }
    const folder = await this.#folders.freeFolder(model.name, await this.#rows.folders());
    await this.#rows.insert(toRow({ id, installation: this.#folders.installation, folder }, model, facts, files));
    try {
      await this.#folders.place(work, staged, folder);
      await this.#rows.makeReady(id, model.name);
    } catch (error) {
      await this.#rows.remove(id);
      await this.#folders.remove(folder);
      throw BenchtopError.from(error, "FILE_WRITE_FAILED", { phase: "settings" });
    }
    await this.#rows.flush();
    await this.#finishRemovals();
    const installed = await this.#rows.findById(id);
    if (!installed) throw new Error("The model that was installed just now is gone.");
    return installed.model;
  }

  /** Windows keeps files that somebody has open; the next start tries again. */
  async #finishRemovals(): Promise<void> {
    for (const { id, state, folder } of await this.#rows.unfinished()) {
      if (state !== "removing") continue;
      try {
        await this.#folders.remove(folder);
      } catch {
        continue;
      }
      await this.#rows.remove(id);
    }
  }
}

interface Ready {
  readonly id: string;
  readonly work: string;
  readonly staged: readonly Staged[];
  readonly facts: ModelFileFacts;
  readonly model: NewModel;
}
