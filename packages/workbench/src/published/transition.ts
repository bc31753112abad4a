import { setTimeout as wait } from "node:timers/promises";
import { BenchtopError, newId, type ErrorCode } from "@benchtop/protocol";
import { removeDraft } from "../draft/remove.ts";
import { folderOf, now, type Environment, type Transaction } from "../environment.ts";
import type { Manifest } from "../files/manifest.ts";
import { saving } from "../files/saving.ts";
import { codeOf } from "../path/folder.ts";
import { insertCheckpoint } from "../publish/insert-checkpoint.ts";
import { buildNext } from "./build.ts";
import { recoverFolders, stampFileOf } from "./recovery.ts";
import type { OutsideChange, ScanResult } from "./scan.ts";
import type { Stamp } from "./stamp.ts";
import type { BuildFile } from "./tree.ts";

export type TransitionPhase =
  | "conflict_check"
  | "checkpoint_pre_publish"
  | "swap_directories"
  | "finalizing"
  | "rolling_back";

export interface Transition {
  readonly workbenchId: string;
  readonly action: "publish" | "restore" | "add" | "remove" | "adopt" | "revert";
  readonly from: Manifest;
  /** What will be published. Every blob of it must be stored. */
  readonly to: Manifest;
  /** Keeps what was published before. */
  readonly checkpoint?: {
    readonly reason: "publish" | "pre-restore" | "files-changed";
    readonly message: string | null;
  };
  readonly runId?: string;
  /** The Draft that this publishes; removed in the same commit. */
  readonly draftId?: string;
  /** Resolving outside changes: they are no conflict then. */
  readonly toleratesOutsideChanges?: boolean;
  /** Told before each phase begins. */
  readonly onPhase?: (phase: TransitionPhase) => Promise<void>;
  /** Heeded until the swap begins. */
  readonly signal?: AbortSignal;
  /** Further rows that belong to the same commit. */
  readonly commit?: (transaction: Transaction) => Promise<void>;
}

export interface TransitionResult {
  readonly checkpointId: string | null;
}

/**
 * The one way in which Published changes. The caller holds the workbench's lock.
 *
 * The next tree is built whole beside the published one, an intent is recorded, two renames swap them, and one
 * transaction makes it so: manifest, checkpoint, Draft and intent together. Whatever fails before that commit is undone
 * by the same code that runs after a crash (`recoverFolders`), and the error is thrown; Published is then as it was.
 */
export async function transition(environment: Environment, change: Transition): Promise<TransitionResult> {
  const { workbenchId } = change;
  await saving(() => recoverFolders(environment, workbenchId));
  await change.onPhase?.("conflict_check");
  const scanned = await scanPublished(environment, workbenchId, change.from);
  if (!change.toleratesOutsideChanges && scanned.changes.length > 0) throw conflict(workbenchId, scanned.changes);

  await change.onPhase?.("checkpoint_pre_publish");
  const checkpointId = change.checkpoint ? newId("checkpoint") : null;
  if (change.checkpoint) await proveRestorable(environment, change.from);

  change.signal?.throwIfAborted();
  let built: readonly Stamp[];
  try {
    await change.onPhase?.("swap_directories");
    built = await swap(environment, change, scanned, checkpointId);
    await change.onPhase?.("finalizing");
  } catch (thrown) {
    return await rollBack(environment, change, thrown);
  }
  try {
    await commit(environment, change, checkpointId);
  } catch (thrown) {
    // The commit takes the intent away; while it is there, nothing was committed, whatever the database reported.
    if (await hasIntent(environment, workbenchId)) return await rollBack(environment, change, thrown);
  }
  // It is committed, so nothing may call it a failure any more. Where it cannot be made sure against a power cut now, the old
  // files stay beside the new ones until the next recovery can.
  const [flushed] = await Promise.allSettled([environment.store.flush()]);
  if (flushed.status === "fulfilled") await cleanUp(environment, change, built);
  return { checkpointId };
}

/** Undoes all that was done, and throws why. Should undoing fail too, the next change or start-up does it. */
async function rollBack(environment: Environment, change: Transition, thrown: unknown): Promise<never> {
  const error = transitionError(thrown, change);
  const failures: unknown[] = [];
  const attempt = async (work: () => Promise<void> | undefined): Promise<void> => {
    try {
      await work();
    } catch (failure) {
      failures.push(failure);
    }
  };
  await attempt(() => change.onPhase?.("rolling_back"));
  await attempt(() => recoverFolders(environment, change.workbenchId));
  if (failures.length === 0) throw error;
  throw new BenchtopError(
    error.code,
    `${error.message} What was begun is undone when there is room again, or at the next start.`,
    {
      ...(error.info.detail && { detail: error.info.detail }),
      workbenchId: change.workbenchId,
      cause: new AggregateError([thrown, ...failures]),
    },
  );
}

/** How the published folder differs from its manifest. Rejects with `FILE_READ_FAILED` where that cannot be told. */
export async function scanPublished(
  environment: Environment,
  workbenchId: string,
  manifest: Manifest,
): Promise<ScanResult> {
  try {
    return await environment.disk.run("scan", {
      root: `${folderOf(environment, workbenchId)}/published`,
      expected: manifest.entries.map(({ path, sha256, bytes }) => ({ path, sha256, bytes })),
      manifestHash: manifest.hash,
      stampFile: stampFileOf(environment, workbenchId),
    });
  } catch (thrown) {
    const code = codeOf(thrown);
    if (BenchtopError.is(thrown) || !/^E[A-Z0-9]+$/.test(code)) throw thrown;
    throw new BenchtopError(
      "FILE_READ_FAILED",
      `The published files could not be read (${code}). Check the disk and who may read them, then try again.`,
      { phase: "workbench", workbenchId, cause: thrown },
    );
  }
}

/** A checkpoint is a promise that it can be restored: its manifest and every blob of it are there. */
async function proveRestorable({ store, manifests, disk }: Environment, manifest: Manifest): Promise<void> {
  try {
    await manifests.save(manifest);
    const blobs = manifest.entries.map(({ path, sha256, bytes }) => ({
      path,
      bytes,
      blob: store.blobs.pathOf(sha256),
    }));
    const missing = await disk.run("missingBlobs", { blobs });
    if (missing.length > 0) {
      throw new BenchtopError(
        "CHECKPOINT_CREATE_FAILED",
        `What is published now cannot be kept as a checkpoint: ${missing.length} files are missing from Benchtop's own store.`,
        { detail: { paths: missing.slice(0, 20), count: missing.length } },
      );
    }
  } catch (thrown) {
    throw BenchtopError.from(thrown, "CHECKPOINT_CREATE_FAILED");
  }
}

async function swap(
  environment: Environment,
  change: Transition,
  scanned: ScanResult,
  checkpointId: string | null,
): Promise<readonly Stamp[]> {
  const { store, disk, manifests } = environment;
  const home = folderOf(environment, change.workbenchId);
  await manifests.save(change.to);
  const built = await buildNext(environment, { home, files: filesOf(environment, change, scanned) });
  change.signal?.throwIfAborted();
  await store.db
    .insertInto("publish_intents")
    .values({
      workbench_id: change.workbenchId,
      run_id: change.runId ?? null,
      action: change.action,
      from_manifest_hash: change.from.hash,
      to_manifest_hash: change.to.hash,
      draft_id: change.draftId ?? null,
      checkpoint_id: checkpointId,
      created_at: now(),
    })
    .execute();
  await store.flush();
  await disk.run("move", { home, from: "published", to: "old" });
  await disk.run("move", { home, from: "next", to: "published" });
  return built;
}

/** Unchanged files carry the stamp that vouches for them, so that they can be linked. */
function filesOf({ store }: Environment, { from, to }: Transition, { stamps }: ScanResult): BuildFile[] {
  const known = new Map(from.entries.map((entry, index) => [entry.path, { entry, stamp: stamps[index] ?? null }]));
  return to.entries.map(({ path, sha256, bytes }) => {
    const before = known.get(path);
    const stamp = before?.entry.sha256 === sha256 ? before.stamp : null;
    return { path, sha256, bytes, stamp, blob: store.blobs.pathOf(sha256) };
  });
}

async function commit(environment: Environment, change: Transition, checkpointId: string | null): Promise<void> {
  const { store } = environment;
  const { workbenchId, from, to, draftId, runId = null } = change;
  await store.db.transaction().execute(async (transaction) => {
    const updated = await transaction
      .updateTable("workbenches")
      .set({ manifest_hash: to.hash, file_count: to.entries.length, total_bytes: to.totalBytes, updated_at: now() })
      .where("id", "=", workbenchId)
      .where("manifest_hash", "=", from.hash)
      .where("deleting", "=", 0)
      .executeTakeFirst();
    if (Number(updated.numUpdatedRows) !== 1) throw conflict(workbenchId, []);
    if (change.checkpoint && checkpointId !== null) {
      const kept = { id: checkpointId, workbenchId, ...change.checkpoint, manifest: from, runId };
      await insertCheckpoint(environment, transaction, kept);
    }
    if (draftId !== undefined) await removeDraft(transaction, draftId);
    await change.commit?.(transaction);
    await transaction.deleteFrom("publish_intents").where("workbench_id", "=", workbenchId).execute();
  });
}

async function hasIntent({ store }: Environment, workbenchId: string): Promise<boolean> {
  const intent = await store.db
    .selectFrom("publish_intents")
    .select("action")
    .where("workbench_id", "=", workbenchId)
    .executeTakeFirst();
  return intent !== undefined;
}

/** Longer than the clock tick in which a change could hide from a stamp, see `racyNanoseconds`. */
const stampDelayMs = 80;

/** The change is committed, so nothing here may fail it: what is left over, the next recovery removes. */
async function cleanUp(environment: Environment, change: Transition, built: readonly Stamp[]): Promise<void> {
  const home = folderOf(environment, change.workbenchId);
  const files = change.to.entries.map(({ path, sha256, bytes }) => ({ path, sha256, bytes }));
  const stampFile = stampFileOf(environment, change.workbenchId);
  const [removed] = await Promise.allSettled([environment.disk.run("removeOld", { home, files, stamps: built })]);
  if (removed.status === "rejected") return;
  const stamps = removed.value;
  // Not waited for. Without the record the next scan hashes every file, no more.
  void Promise.allSettled([
    environment.locks.run(change.workbenchId, async () => {
      await wait(stampDelayMs);
      await environment.disk.run("recordStamps", { home, files, stamps, manifestHash: change.to.hash, stampFile });
    }),
  ]);
}

export function conflict(workbenchId: string, changes: readonly OutsideChange[]): BenchtopError {
  const paths = changes.map((change) => `${change.path} (${change.change})`);
  const some = paths.slice(0, 3).join(", ");
  const more = paths.length > 3 ? ` and ${paths.length - 3} more` : "";
  return new BenchtopError(
    "CONFLICT_PUBLISHED_CHANGED",
    paths.length === 0
      ? "The published files changed meanwhile. Look at them, then try again."
      : `The published files were changed outside Benchtop: ${some}${more}. Take these changes in (adopt) or put the files back (revert), then try again.`,
    { workbenchId, detail: { paths: paths.slice(0, 50), count: paths.length } },
  );
}

function transitionError(thrown: unknown, { action, workbenchId }: Transition): BenchtopError {
  if (BenchtopError.is(thrown)) return thrown;
  const { code, path } = thrown as { code?: unknown; path?: unknown };
  if (code === "ECHANGED") return conflict(workbenchId, [{ path: String(path), change: "modified" }]);
  if (code === "EDAMAGED") {
    return new BenchtopError("FILE_READ_FAILED", `Benchtop's own copy of "${String(path)}" is missing or damaged.`, {
      workbenchId,
      detail: { path: String(path) },
    });
  }
  const fallback: ErrorCode = action === "restore" ? "CHECKPOINT_RESTORE_FAILED" : "FILE_WRITE_FAILED";
  const error = BenchtopError.from(thrown, fallback, { workbenchId });
  if (error.code !== fallback) return error;
  const reason = typeof code === "string" ? ` (${code})` : "";
  return new BenchtopError(fallback, `The published files could not be replaced${reason}; they are as they were.`, {
    workbenchId,
    cause: thrown,
  });
}
