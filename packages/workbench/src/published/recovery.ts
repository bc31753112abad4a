import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncFolder } from "@benchtop/store";
import { folderOf, type Environment } from "../environment.ts";
import { buildNext } from "./build.ts";
import { folders } from "./tree.ts";

/**
 * Makes the folders of a workbench agree with the database again, whatever instant a crash or a failure struck.
 *
 * The database decides. A transition counts once its transaction is committed, and that transaction removes its intent;
 * so while the intent is there and names what is still the manifest, the old files come back. Each step may itself be
 * interrupted: what it leaves is one of the states below.
 *
 * | intent | published | next | old | what happened                          | what is done                   |
 * |--------|-----------|------|-----|----------------------------------------|--------------------------------|
 * | no     | yes       |      |     | nothing, or a crash while building      | next and old are removed       |
 * | no     | yes       |      | yes | committed, not cleaned up               | old is removed                 |
 * | yes    | yes       | yes  |     | built, not moved                        | next is removed                |
 * | yes    |           |      | yes | between the two renames                 | old becomes published          |
 * | yes    | yes       |      | yes | moved, not committed                    | published and old change places |
 * | any    |           |      |     | the folder was lost                     | built again from blobs          |
 */
export async function recoverFolders(environment: Environment, workbenchId: string): Promise<void> {
  const { store, disk } = environment;
  const home = folderOf(environment, workbenchId);
  const workbench = await store.db
    .selectFrom("workbenches")
    .select("manifest_hash")
    .where("id", "=", workbenchId)
    .executeTakeFirstOrThrow();
  const intent = await store.db
    .selectFrom("publish_intents")
    .selectAll()
    .where("workbench_id", "=", workbenchId)
    .executeTakeFirst();
  await makeDurableFolder(home);
  await rm(join(home, unfinishedStampFile), { force: true });
  const uncommitted = intent !== undefined && intent.from_manifest_hash === workbench.manifest_hash;
  const there = await disk.run("presence", { home });

  if (uncommitted && there.old && !there.next && there.published) {
    await disk.run("move", { home, from: "published", to: "next" });
    await disk.run("move", { home, from: "old", to: "published" });
  } else if (uncommitted && there.old && !there.published) {
    await disk.run("move", { home, from: "old", to: "published" });
  }

  const now = await disk.run("presence", { home });
  if (!now.published) await buildAgain(environment, workbenchId, workbench.manifest_hash);
  // What is removed now must never be needed again, so the commit that made it needless has to be on disk first.
  if (now.next || now.old) await store.flush();
  if (now.next && now.published) await disk.run("remove", { home, folder: "next" });
  if (now.old) await disk.run("remove", { home, folder: "old" });
  if (intent) {
    await store.db.deleteFrom("publish_intents").where("workbench_id", "=", workbenchId).execute();
    await store.flush();
  }
}

/** Published from blobs alone. No intent is needed: a crash leaves `published` missing, and this runs again. */
async function buildAgain(environment: Environment, workbenchId: string, manifestHash: string): Promise<void> {
  const { store, disk, manifests } = environment;
  const home = folderOf(environment, workbenchId);
  const { entries } = await manifests.load(manifestHash);
  await disk.run("remove", { home, folder: "next" });
  const files = entries.map(({ path, sha256, bytes }) => {
    return { path, sha256, bytes, stamp: null, blob: store.blobs.pathOf(sha256) };
  });
  await buildNext(environment, { home, files });
  await disk.run("move", { home, from: "next", to: "published" });
}

/** A folder whose name survives a power cut, and those above it that had to be made. */
export async function makeDurableFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let folder = path; folder !== dirname(first); folder = dirname(folder)) await syncFolder(dirname(folder));
}

/** Makes what is named in a folder, and what is no longer, survive a power cut. */

/** True when a listing of the folder shows nothing that `recoverFolders` would change. */
export function isSettled(names: readonly string[]): boolean {
  const leftOver = [folders.next, folders.old, unfinishedStampFile];
  return names.includes(folders.published) && !leftOver.some((name) => names.includes(name));
}

const stampFile = "published.stamps.json";
/** As `recordStamps` writes it before it renames it. */
const unfinishedStampFile = `${stampFile}.next`;

export function stampFileOf(environment: Pick<Environment, "home">, workbenchId: string): string {
  return join(folderOf(environment, workbenchId), stampFile);
}
