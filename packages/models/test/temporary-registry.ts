import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, type Store } from "@benchtop/store";
import { ModelRegistry, type ModelRegistryOptions } from "../src/registry/registry.ts";

/** One database for all tests of a file: registries of different homes do not see one another's rows. */
let shared: { readonly folder: string; readonly store: Store } | undefined;

export async function closeSharedStore(): Promise<void> {
  if (!shared) return;
  await shared.store.close();
  rmSync(shared.folder, { recursive: true, force: true });
  shared = undefined;
}

/** A registry in a folder of its own, which can be closed and opened again as a restart does. */
export class TemporaryRegistry {
  readonly folder: string;
  readonly home: string;
  readonly store: Store;
  readonly #shipped: ModelRegistryOptions["shipped"];
  registry!: ModelRegistry;

  static async open(shipped?: ModelRegistryOptions["shipped"]): Promise<TemporaryRegistry> {
    if (!shared) {
      const folder = mkdtempSync(join(tmpdir(), "benchtop-registry-store-"));
      shared = { folder, store: await openStore({ home: folder }) };
    }
    const temporary = new TemporaryRegistry(shared.store, shipped);
    await temporary.#open();
    return temporary;
  }

  private constructor(store: Store, shipped: ModelRegistryOptions["shipped"]) {
    this.folder = mkdtempSync(join(tmpdir(), "benchtop-registry-"));
    this.home = join(this.folder, "home");
    this.store = store;
    this.#shipped = shipped;
  }

  get installation(): string {
    return this.registry.folders.installation;
  }

  async #open(): Promise<void> {
    const { store, home } = this;
    this.registry = await ModelRegistry.open({ store, home, ...(this.#shipped && { shipped: this.#shipped }) });
  }

  async restart(meanwhile: () => Promise<void> = async () => undefined): Promise<void> {
    await this.registry.close();
    await meanwhile();
    await this.#open();
  }

  async remove(): Promise<void> {
    await this.registry.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Every file below the folder of models, but for those that are always there. */
  filesLeft(): string[] {
    const root = join(this.home, "models");
    return readdirSync(root, { recursive: true })
      .map(String)
      .filter((path) => path !== ".installation" && statSync(join(root, path)).isFile())
      .sort();
  }
}
