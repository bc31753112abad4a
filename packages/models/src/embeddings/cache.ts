import type { Store } from "@benchtop/store";
import { bytesOf, vectorOf } from "./vector.ts";

/** Keeps vectors by keys that say all that they depend on. */
export interface EmbeddingCache {
  /** Those that are there. */
  get(keys: readonly string[]): Promise<ReadonlyMap<string, Float32Array>>;
  put(vectors: ReadonlyMap<string, Float32Array>): Promise<void>;
}

export interface StoreEmbeddingCacheOptions {
  /** Of all vectors together; 256 MiB unless told. */
  readonly maxBytes?: number;
  readonly now?: () => Date;
}

/** Keys of one statement. */
const atOnce = 200;
/** A use is written when the last one that was written is older. */
const useWrittenAfterMs = 60 * 60 * 1000;
/** Vectors that are added between two looks at how many there are. */
const addedBetweenLooks = 500;
/** Room is made for more than is needed, so that it is not made again at once. */
const keptShare = 0.9;

/** Vectors in the table `embedding_cache`. Above its size, those that were used longest ago go. */
export function storeEmbeddingCache(
  store: Pick<Store, "db">,
  options: StoreEmbeddingCacheOptions = {},
): EmbeddingCache {
  return new StoreEmbeddingCache(store, options);
}

class StoreEmbeddingCache implements EmbeddingCache {
  readonly #db: Store["db"];
  readonly #maxBytes: number;
  readonly #now: () => Date;
  /** The first addition looks: nobody knows how much is there from before. */
  #addedSinceLook = addedBetweenLooks;

  constructor(
    { db }: Pick<Store, "db">,
    { maxBytes = 256 * 1024 * 1024, now = () => new Date() }: StoreEmbeddingCacheOptions,
  ) {
    this.#db = db;
    this.#maxBytes = maxBytes;
    this.#now = now;
  }

  async get(keys: readonly string[]): Promise<ReadonlyMap<string, Float32Array>> {
    const found = new Map<string, Float32Array>();
    const stale: string[] = [];
    const staleBefore = new Date(this.#now().getTime() - useWrittenAfterMs).toISOString();
    for (const some of inParts(keys)) {
      const rows = await this.#db.selectFrom("embedding_cache").selectAll().where("key", "in", some).execute();
      for (const { key, dimensions, vector, used_at: usedAt } of rows) {
        // What was damaged on disk is made anew.
        if (vector.byteLength !== dimensions * 4) continue;
        found.set(key, vectorOf(vector));
        if (usedAt < staleBefore) stale.push(key);
      }
    }
    await this.#touch(stale);
    return found;
  }

  async put(vectors: ReadonlyMap<string, Float32Array>): Promise<void> {
    const used_at = this.#now().toISOString();
    const rows = [...vectors].map(([key, vector]) => ({
      key,
      dimensions: vector.length,
      vector: Buffer.from(bytesOf(vector)),
      used_at,
    }));
    for (const some of inParts(rows)) {
      await this.#db
        .insertInto("embedding_cache")
        .values(some)
        .onConflict((conflict) =>
          conflict.column("key").doUpdateSet((excluded) => ({
            dimensions: excluded.ref("excluded.dimensions"),
            vector: excluded.ref("excluded.vector"),
            used_at: excluded.ref("excluded.used_at"),
          })),
        )
        .execute();
    }
    this.#addedSinceLook += rows.length;
    if (this.#addedSinceLook < Math.min(addedBetweenLooks, this.#maxBytes / 64 / 1024)) return;
    this.#addedSinceLook = 0;
    await this.#makeRoom();
  }

  async #touch(keys: readonly string[]): Promise<void> {
    const used_at = this.#now().toISOString();
    for (const some of inParts(keys)) {
      await this.#db.updateTable("embedding_cache").set({ used_at }).where("key", "in", some).execute();
    }
  }

  async #makeRoom(): Promise<void> {
    const { numbers } = await this.#db
      .selectFrom("embedding_cache")
      .select(({ fn }) => fn.sum<number | string | null>("dimensions").as("numbers"))
      .executeTakeFirstOrThrow();
    let bytes = Number(numbers ?? 0) * 4;
    if (bytes <= this.#maxBytes) return;
    while (bytes > this.#maxBytes * keptShare) {
      const oldest = await this.#db
        .selectFrom("embedding_cache")
        .select(["key", "dimensions"])
        .orderBy("used_at")
        .orderBy("key")
        .limit(atOnce)
        .execute();
      if (oldest.length === 0) return;
      const leaving: string[] = [];
      for (const { key, dimensions } of oldest) {
        if (bytes <= this.#maxBytes * keptShare) break;
        bytes -= dimensions * 4;
        leaving.push(key);
      }
      await this.#db.deleteFrom("embedding_cache").where("key", "in", leaving).execute();
    }
  }
}

function* inParts<Item>(items: readonly Item[]): Generator<Item[]> {
  for (let start = 0; start < items.length; start += atOnce) yield items.slice(start, start + atOnce);
}
