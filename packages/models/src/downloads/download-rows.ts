import { newId } from "@benchtop/protocol";
import type { ModelDownloadsTable, Store } from "@benchtop/store";

/** The rows of `model_downloads` that are of one installation. */
export class DownloadRows {
  readonly #store: Pick<Store, "db" | "flush">;
  readonly #installation: string;

  constructor(store: Pick<Store, "db" | "flush">, installation: string) {
    this.#store = store;
    this.#installation = installation;
  }

  /** In their order. */
  async list(): Promise<ModelDownloadsTable[]> {
    return this.#store.db
      .selectFrom("model_downloads")
      .selectAll()
      .where("installation", "=", this.#installation)
      .orderBy("place")
      .orderBy("created_at")
      .execute();
  }

  async insert(
    values: Pick<ModelDownloadsTable, "name" | "plan" | "place" | "bytes_total" | "workspace_id" | "user_id">,
  ): Promise<ModelDownloadsTable> {
    const now = new Date().toISOString();
    const row: ModelDownloadsTable = {
      id: newId("download"),
      installation: this.#installation,
      ...values,
      state: "queued",
      bytes_done: 0,
      error: null,
      created_at: now,
      updated_at: now,
    };
    await this.#store.db.insertInto("model_downloads").values(row).execute();
    await this.#store.flush();
    return row;
  }

  async save({ id, ...values }: ModelDownloadsTable): Promise<void> {
    await this.#store.db.updateTable("model_downloads").set(values).where("id", "=", id).execute();
  }

  async remove(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#store.db.deleteFrom("model_downloads").where("id", "in", ids).execute();
  }
}
