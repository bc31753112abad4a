import { createHash } from "node:crypto";
import { isUniqueViolation, type LocalModelsTable, type Store } from "@benchtop/store";
import { fromRow, type KeptFile, type KeptModel, type ModelFile } from "./descriptor.ts";
import { nameTaken } from "./refusals.ts";

/** The rows of `local_models` that are of one installation. What a method has changed is on disk when it resolves, unless it says otherwise. */
export class ModelRows {
  readonly #store: Pick<Store, "db" | "flush">;
  readonly #installation: string;

  constructor(store: Pick<Store, "db" | "flush">, installation: string) {
    this.#store = store;
    this.#installation = installation;
  }

  /** Those that are installed, by name. */
  async list(): Promise<KeptModel[]> {
    const rows = await this.#ready().orderBy("name").execute();
    return rows.map((row) => fromRow(row, sha256Of));
  }

  async find(name: string): Promise<KeptModel | undefined> {
    const row = await this.#ready().where("name", "=", name).executeTakeFirst();
    return row && fromRow(row, sha256Of);
  }

  async findById(id: string): Promise<KeptModel | undefined> {
    const row = await this.#ready().where("id", "=", id).executeTakeFirst();
    return row && fromRow(row, sha256Of);
  }

  /** What a stopped process may have left half done. */
  async unfinished(): Promise<Pick<LocalModelsTable, "id" | "name" | "state" | "folder">[]> {
    return this.#store.db
      .selectFrom("local_models")
      .select(["id", "name", "state", "folder"])
      .where("installation", "=", this.#installation)
      .where("state", "<>", "ready")
      .execute();
  }

  async folders(): Promise<Set<string>> {
    const rows = await this.#store.db
      .selectFrom("local_models")
      .select("folder")
      .where("installation", "=", this.#installation)
      .execute();
    return new Set(rows.map(({ folder }) => folder));
  }

  async insert(row: LocalModelsTable): Promise<void> {
    await this.#store.db.insertInto("local_models").values(row).execute();
    await this.#store.flush();
  }

  /** The model of this row is installed from now on, and the one that had its name is to be removed. On disk with the next flush. */
  async makeReady(id: string, name: string): Promise<void> {
    try {
      await this.#store.db.transaction().execute(async (transaction) => {
        const before = await transaction
          .updateTable("local_models")
          .set({ state: "removing" })
          .where("installation", "=", this.#installation)
          .where("name", "=", name)
          .where("state", "=", "ready")
          .returning("pinned")
          .executeTakeFirst();
        await transaction
          .updateTable("local_models")
          .set({ state: "ready", ...(before && { pinned: before.pinned }) })
          .where("id", "=", id)
          .execute();
      });
    } catch (error) {
      throw isUniqueViolation(error) ? nameTaken(name) : error;
    }
  }

  async flush(): Promise<void> {
    await this.#store.flush();
  }

  async change(
    id: string,
    values: Partial<Pick<LocalModelsTable, "state" | "pinned" | "damaged">> & { readonly files?: readonly KeptFile[] },
  ): Promise<void> {
    const { files, ...plain } = values;
    await this.#store.db
      .updateTable("local_models")
      .set({ ...plain, ...(files && { files: JSON.stringify(files) }) })
      .where("id", "=", id)
      .execute();
    await this.#store.flush();
  }

  async used(times: ReadonlyMap<string, string>): Promise<void> {
    for (const [name, usedAt] of times) {
      await this.#store.db
        .updateTable("local_models")
        .set({ used_at: usedAt })
        .where("installation", "=", this.#installation)
        .where("name", "=", name)
        .execute();
    }
  }

  async remove(id: string): Promise<void> {
    await this.#store.db.deleteFrom("local_models").where("id", "=", id).execute();
    await this.#store.flush();
  }

  #ready() {
    return this.#store.db
      .selectFrom("local_models")
      .selectAll()
      .where("installation", "=", this.#installation)
      .where("state", "=", "ready");
  }
}

/** One hash for a model, whatever its files are called. */
export function sha256Of(files: readonly ModelFile[]): string {
  const [only] = files;
  if (files.length === 1 && only) return only.sha256;
  return createHash("sha256")
    .update(files.map(({ sha256, role }) => `${sha256} ${role}\n`).join(""))
    .digest("hex");
}
