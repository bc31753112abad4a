import { basename, dirname } from "node:path";
import { BenchtopError, newId, type ErrorCode } from "@benchtop/protocol";
import type { Catalogue, WorkbenchRow } from "../catalogue/catalogue.ts";
import { now, type Environment } from "../environment.ts";
import { parseWorkbenchPath } from "../path/workbench-path.ts";
import { insertCheckpoint } from "../publish/insert-checkpoint.ts";
import { racyNanoseconds } from "../published/stamp.ts";
import { namedBy, type Files } from "./files.ts";
import type { HostReader } from "./host-reader.ts";
import { makeManifest, type Manifest, type ManifestEntry } from "./manifest.ts";
import { batches, originsOf, type OriginRow } from "./origins.ts";
import type { KnownContent, Seen } from "./place.ts";
import type { FileOutcome } from "./write-out.ts";

/** As the API shows where a file came from. */
export interface FileOrigin {
  readonly path: string;
  readonly hostPath: string;
  readonly state: "same" | "changed-here" | "changed-there" | "conflict" | "missing-there" | "removed-here";
  readonly syncedAt: string;
}

/** A file that can go back: what is published, and what is in its place. */
interface Candidate {
  readonly row: OriginRow;
  readonly entry: ManifestEntry;
  readonly seen: Seen;
}

/**
 * Where files were copied from on the daemon's machine, and the way back. Only what is published goes back, only into the
 * file's own place, and only over what Benchtop read or wrote there last, unless told; what is replaced is kept in a checkpoint.
 * Nothing else ever touches those places.
 */
export class Origins {
  readonly #environment: Environment;
  readonly #catalogue: Catalogue;
  readonly #files: Files;
  readonly #reader: HostReader;
  /** By place. */
  readonly #known = new Map<string, KnownContent>();

  constructor(
    environment: Environment,
    parts: { readonly catalogue: Catalogue; readonly files: Files; readonly reader: HostReader },
  ) {
    this.#environment = environment;
    this.#catalogue = parts.catalogue;
    this.#files = parts.files;
    this.#reader = parts.reader;
  }

  /** Every file that was copied from the daemon's machine, by path, compared with its place. */
  async list(ref: string): Promise<{ items: FileOrigin[] }> {
    const workbench = await this.#catalogue.find(ref);
    const manifest = await this.#environment.manifests.load(workbench.manifest_hash);
    const rows = await originsOf(this.#environment, workbench.id);
    const entries = entriesById(manifest);
    const here = rows.filter((row) => entries.has(row.file_id));
    const seen = await this.#look(here);
    return {
      items: rows.map((row) => {
        const entry = entries.get(row.file_id);
        const state = entry ? stateOf(row, entry, seen.get(row.host_path)) : "removed-here";
        return { path: row.path, hostPath: row.host_path, state, syncedAt: row.synced_at };
      }),
    };
  }

  /**
   * Puts published files into the places that they were copied from: those that are named, else all that were changed here.
   * Refused as a whole while there is a Draft or an agent at work; what happens to each file is in the result.
   */
  async writeBack(input: {
    workbenchId: string;
    workbenchPaths?: readonly string[] | undefined;
    overwrite: boolean;
  }): Promise<{ writeBackResults: FileOutcome[] }> {
    return await this.#files.change(input.workbenchId, async (workbench) => {
      const manifest = await this.#environment.manifests.load(workbench.manifest_hash);
      const { candidates, results } = await this.#candidates(workbench, manifest, input.workbenchPaths);
      const going: Candidate[] = [];
      for (const candidate of candidates) {
        const refused = refusalOf(candidate, input.overwrite);
        if (refused) results.push(refused);
        else if (contentIn(candidate.seen) !== candidate.entry.sha256) going.push(candidate);
        else {
          await this.#synced(workbench.id, [candidate]);
          results.push({ path: candidate.entry.path, outcome: "done" });
        }
      }
      const kept = await this.#keepReplaced(workbench, manifest, going, results);
      results.push(...(await this.#write(workbench, kept)));
      return { writeBackResults: results.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)) };
    });
  }

  async #candidates(
    workbench: WorkbenchRow,
    manifest: Manifest,
    paths: readonly string[] | undefined,
  ): Promise<{ candidates: Candidate[]; results: FileOutcome[] }> {
    const results: FileOutcome[] = [];
    const rows = new Map((await originsOf(this.#environment, workbench.id)).map((row) => [row.file_id, row]));
    const wanted = new Map<string, OriginRow>();
    const want = (entry: ManifestEntry): boolean => {
      const row = rows.get(entry.fileId);
      if (row) wanted.set(entry.fileId, row);
      return row !== undefined;
    };
    if (paths === undefined) for (const entry of manifest.entries) want(entry);
    for (const path of paths ?? []) {
      const named = namedBy(manifest, parseWorkbenchPath(path, this.#environment.limits));
      const some = named.filter(want);
      if (some.length > 0) continue;
      const reason = named.length === 0 ? "There is no such file." : "It was not copied from a file of this machine.";
      results.push({ path, outcome: "refused", code: "NOT_FOUND", reason });
    }
    const entries = entriesById(manifest);
    const seen = await this.#look([...wanted.values()]);
    const candidates = [...wanted.values()].flatMap((row): Candidate[] => {
      const entry = entries.get(row.file_id);
      const there = seen.get(row.host_path);
      if (!entry || !there) return [];
      // Unless it is named, a file that nobody changed here stays as it is there, whatever that is.
      return paths === undefined && entry.sha256 === row.sha256 ? [] : [{ row, entry, seen: there }];
    });
    return { candidates, results };
  }

  /** What is in the places, by place. Content is read again only where something changed. */
  async #look(rows: readonly OriginRow[]): Promise<Map<string, Seen>> {
    const { disk, home, limits } = this.#environment;
    const found = new Map<string, Seen>();
    for (const batch of batches(rows)) {
      const places = batch.map(({ host_path: hostPath }) => ({ hostPath, known: this.#known.get(hostPath) }));
      const began = BigInt(Date.now()) * 1_000_000n;
      const seen = await disk.run("lookAtPlaces", { home, maxBytes: limits.maxFileBytes, places });
      for (const [index, { hostPath }] of places.entries()) {
        const there = seen[index];
        if (!there) continue;
        found.set(hostPath, there);
        this.#remember(hostPath, there, began);
      }
    }
    return found;
  }

  #remember(hostPath: string, seen: Seen, began: bigint): void {
    if (this.#known.size >= 20_000) this.#known.clear();
    this.#known.delete(hostPath);
    // A change in the same tick of the clock could not be told from this content later.
    if (seen.kind !== "file" || began - BigInt(seen.stamp.changed) <= racyNanoseconds) return;
    this.#known.set(hostPath, { sha256: seen.sha256, stamp: seen.stamp });
  }

  /**
   * Sees to it that what will be replaced is in a checkpoint: where no checkpoint has it at the file's path, a new one is made,
   * of the published files with it in place. Gives the files that may be written; the others are told in `results`.
   */
  async #keepReplaced(
    workbench: WorkbenchRow,
    manifest: Manifest,
    going: readonly Candidate[],
    results: FileOutcome[],
  ): Promise<(Candidate & { keptIn?: string })[]> {
    const unkept = await this.#unkept(workbench.id, going);
    const entries = new Map(manifest.byPath);
    const saved = new Set<Candidate>();
    const lost = new Set<Candidate>();
    for (const candidate of unkept) {
      const { entry, row } = candidate;
      const read = await this.#reader.copyIn({ base: dirname(row.host_path), path: basename(row.host_path) });
      if ("code" in read) {
        lost.add(candidate);
        results.push(
          refused(entry, read.code, `What is there was left alone, since it cannot be kept: ${read.reason}.`),
        );
        continue;
      }
      if (read.sha256 !== contentIn(candidate.seen)) {
        lost.add(candidate);
        results.push(refused(entry, "CONFLICT_PUBLISHED_CHANGED", "It is being changed there; it was left alone."));
        continue;
      }
      entries.set(entry.path, { ...entry, ...read, ...(await this.#reader.classify(entry.path, read)) });
      saved.add(candidate);
    }
    if (saved.size === 0) return going.filter((candidate) => !lost.has(candidate));
    const checkpointId = await this.#checkpoint(workbench.id, makeManifest(entries.values()), saved.size);
    return going.flatMap((candidate) => {
      if (lost.has(candidate)) return [];
      return [saved.has(candidate) ? { ...candidate, keptIn: checkpointId } : candidate];
    });
  }

  /** Those that would replace something which no checkpoint has. */
  async #unkept(workbenchId: string, going: readonly Candidate[]): Promise<Set<Candidate>> {
    const { store, manifests } = this.#environment;
    const unkept = new Set(going.filter(({ seen }) => contentIn(seen) !== null));
    const checkpoints = await store.db
      .selectFrom("checkpoints")
      .select("manifest_hash")
      .where("workbench_id", "=", workbenchId)
      .orderBy("created_at", "desc")
      .orderBy("id", "desc")
      .execute();
    for (const hash of new Set(checkpoints.map((checkpoint) => checkpoint.manifest_hash))) {
      if (unkept.size === 0) break;
      const { byPath } = await manifests.load(hash);
      for (const candidate of unkept) {
        if (byPath.get(candidate.entry.path)?.sha256 === contentIn(candidate.seen)) unkept.delete(candidate);
      }
    }
    return unkept;
  }

  async #checkpoint(workbenchId: string, manifest: Manifest, count: number): Promise<string> {
    const { store, manifests } = this.#environment;
    await manifests.save(manifest);
    const id = newId("checkpoint");
    const files = count === 1 ? "1 file was" : `${count} files were`;
    const message = `What ${files} on this machine before writing back`;
    await store.db.transaction().execute(async (transaction) => {
      await insertCheckpoint(this.#environment, transaction, {
        id,
        workbenchId,
        reason: "files-changed",
        message,
        manifest,
        runId: null,
      });
    });
    await store.flush();
    return id;
  }

  async #write(workbench: WorkbenchRow, going: readonly (Candidate & { keptIn?: string })[]): Promise<FileOutcome[]> {
    const { disk, home, store } = this.#environment;
    const results: FileOutcome[] = [];
    for (const batch of batches(going)) {
      const written = await disk.run("writeBack", {
        home,
        files: batch.map(({ row, entry, seen }) => ({
          path: entry.path,
          hostPath: row.host_path,
          sha256: entry.sha256,
          blob: store.blobs.pathOf(entry.sha256),
          expected: contentIn(seen),
        })),
      });
      await this.#synced(
        workbench.id,
        batch.filter((_, index) => written[index]?.outcome === "done"),
      );
      results.push(
        ...written.map((outcome, index) => {
          const keptIn = batch[index]?.keptIn;
          if (outcome.outcome !== "done" || keptIn === undefined) return outcome;
          return { ...outcome, reason: `What was there is kept in the checkpoint ${keptIn}.` };
        }),
      );
      const full = written.find(({ code }) => code === "DISK_FULL");
      if (full && !results.some(({ outcome }) => outcome === "done")) {
        throw new BenchtopError("DISK_FULL", full.reason ?? "The disk is full.", { phase: "workbench" });
      }
    }
    return results;
  }

  /** From now on, what is in these places is what is published here. */
  async #synced(workbenchId: string, candidates: readonly Candidate[]): Promise<void> {
    if (candidates.length === 0) return;
    const { store } = this.#environment;
    const syncedAt = now();
    await store.db.transaction().execute(async (transaction) => {
      for (const { entry } of candidates) {
        await transaction
          .updateTable("file_origins")
          .set({ sha256: entry.sha256, synced_at: syncedAt })
          .where("workbench_id", "=", workbenchId)
          .where("file_id", "=", entry.fileId)
          .execute();
      }
    });
    await store.flush();
  }
}

function stateOf(row: OriginRow, entry: ManifestEntry, seen: Seen | undefined): FileOrigin["state"] {
  if (!seen || seen.kind === "none" || seen.kind === "other") return "missing-there";
  const there = contentIn(seen);
  if (there === entry.sha256) return "same";
  if (entry.sha256 === row.sha256) return "changed-there";
  return there === row.sha256 ? "changed-here" : "conflict";
}

/** Hash of what is there; null for nothing, and for what was not read. */
function contentIn(seen: Seen): string | null {
  return seen.kind === "file" ? seen.sha256 : null;
}

/** Why a file is not written, as far as that can be told by looking. */
function refusalOf({ row, entry, seen }: Candidate, overwrite: boolean): FileOutcome | undefined {
  if (seen.kind === "other") return refused(entry, seen.code, seen.reason);
  if (seen.kind === "large") {
    const reason = "What is there is larger than any file that Benchtop keeps; it was left alone.";
    return refused(entry, "CONFLICT_PUBLISHED_CHANGED", reason);
  }
  const there = contentIn(seen);
  if (overwrite || there === row.sha256 || there === entry.sha256) return undefined;
  const reason =
    there === null
      ? "It is no longer there. Overwrite to put it back."
      : "It was changed there since it was copied. Look at it, then overwrite it, or add it again.";
  return refused(entry, "CONFLICT_PUBLISHED_CHANGED", reason);
}

function refused({ path }: ManifestEntry, code: ErrorCode, reason: string): FileOutcome {
  return { path, outcome: "refused", code, reason };
}

function entriesById(manifest: Manifest): Map<string, ManifestEntry> {
  return new Map(manifest.entries.map((entry) => [entry.fileId, entry]));
}
