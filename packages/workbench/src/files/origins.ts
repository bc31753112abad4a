import { now, type Environment, type Transaction } from "../environment.ts";
import type { Selectable } from "../rows.ts";
import type { Manifest, ManifestEntry } from "./manifest.ts";

/** Where a file was copied from, and what was there when it was last read or written. */
export type OriginRow = Selectable<"file_origins">;

/** By path. */
export async function originsOf({ store }: Pick<Environment, "store">, workbenchId: string): Promise<OriginRow[]> {
  return await store.db
    .selectFrom("file_origins")
    .selectAll()
    .where("workbench_id", "=", workbenchId)
    .orderBy("path")
    .orderBy("file_id")
    .execute();
}

/**
 * Notes where added files were copied from, in the commit that adds them. Uploads come from nowhere: what one replaces has no
 * origin any more. A file that is gone leaves its place to the one that was copied from there now.
 */
export async function noteOrigins(
  transaction: Transaction,
  workbenchId: string,
  added: readonly { readonly entry: ManifestEntry; readonly hostPath: string | undefined }[],
  to: Manifest,
): Promise<void> {
  const before = await transaction
    .selectFrom("file_origins")
    .select(["file_id", "host_path"])
    .where("workbench_id", "=", workbenchId)
    .execute();
  const renewed = new Set(added.map(({ entry }) => entry.fileId));
  const places = new Set(added.flatMap(({ hostPath }) => hostPath ?? []));
  const present = new Set(to.entries.map((entry) => entry.fileId));
  const gone = before.filter(
    (row) => renewed.has(row.file_id) || (places.has(row.host_path) && !present.has(row.file_id)),
  );
  await forgetOrigins(
    transaction,
    workbenchId,
    gone.map((row) => row.file_id),
  );
  const syncedAt = now();
  const rows = added.flatMap(({ entry: { fileId, path, sha256 }, hostPath }) => {
    if (hostPath === undefined) return [];
    return [{ workbench_id: workbenchId, file_id: fileId, path, host_path: hostPath, sha256, synced_at: syncedAt }];
  });
  for (const batch of batches(rows)) await transaction.insertInto("file_origins").values(batch).execute();
}

/** For files that a person removed from the workbench. */
export async function forgetOrigins(
  transaction: Transaction,
  workbenchId: string,
  fileIds: readonly string[],
): Promise<void> {
  for (const batch of batches(fileIds)) {
    await transaction
      .deleteFrom("file_origins")
      .where("workbench_id", "=", workbenchId)
      .where("file_id", "in", batch)
      .execute();
  }
}

/** At most so many at a time, so that a statement stays small and other work is not kept waiting. */
export function* batches<Item>(items: readonly Item[], size = 64): Generator<Item[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
