import { join } from "node:path";
import { BenchtopError, newId } from "@benchtop/protocol";
import type { Catalogue, WorkbenchRow } from "../catalogue/catalogue.ts";
import type { Agents } from "../draft/agents.ts";
import type { Drafts } from "../draft/drafts.ts";
import type { DraftFile } from "../draft/view.ts";
import type { Environment } from "../environment.ts";
import { decodeCursor, encodeCursor, type Page, type PageInput } from "../page.ts";
import { Names } from "../path/names.ts";
import { parseWorkbenchPath, printable, refusal, type WorkbenchPath } from "../path/workbench-path.ts";
import { transition, type Transition } from "../published/transition.ts";
import type { Classification } from "./classify.ts";
import type { HostFile, HostRefusal } from "./host.ts";
import { limitError, tooLarge, type HostReader } from "./host-reader.ts";
import { makeManifest, type Manifest, type ManifestEntry } from "./manifest.ts";
import { forgetOrigins, noteOrigins } from "./origins.ts";
import { saving } from "./saving.ts";
import type { Uploads } from "./uploads.ts";
import type { FileOutcome } from "./write-out.ts";

export interface FileEntry extends ManifestEntry {
  readonly change?: "added" | "modified";
}

/** A file to hand out. */
export interface FileContent {
  readonly fileName: string;
  readonly mediaType: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly content: AsyncIterable<Uint8Array>;
}

export interface Refusal {
  readonly path: string;
  readonly code: string;
  readonly reason: string;
}

/** Content that waits for its place: a blob, and the path that it shall have. */
interface Incoming {
  readonly path: WorkbenchPath;
  readonly sha256: string;
  readonly bytes: number;
  /** Where it was copied from on the daemon's machine. */
  readonly hostPath?: string;
  /** What it is, where that is known already. */
  readonly kind?: Classification;
}

/** Files that are read at the same time. */
const atOnce = 8;

/** The files of Published: adding, removing, taking out, reading. Every change is refused while a Draft exists. */
export class Files {
  readonly #environment: Environment;
  readonly #catalogue: Catalogue;
  readonly #drafts: Drafts;
  readonly #agents: Agents;
  readonly #reader: HostReader;

  readonly #uploads: Uploads;

  constructor(
    environment: Environment,
    parts: {
      readonly catalogue: Catalogue;
      readonly drafts: Drafts;
      readonly agents: Agents;
      readonly reader: HostReader;
      readonly uploads: Uploads;
    },
  ) {
    this.#environment = environment;
    this.#catalogue = parts.catalogue;
    this.#drafts = parts.drafts;
    this.#agents = parts.agents;
    this.#reader = parts.reader;
    this.#uploads = parts.uploads;
  }

  /** Sorted by path. The Draft's side shows the Draft over its base. */
  async list(input: PageInput & { workbenchId: string; side: "published" | "draft" }): Promise<Page<FileEntry>> {
    const row = await this.#catalogue.find(input.workbenchId);
    const files = await this.#side(row, input.side);
    const [after] = decodeCursor(input.cursor, 1) ?? [];
    const rest = after === undefined ? files : files.filter((file) => file.path > after);
    const shown = rest.slice(0, input.limit);
    const last = shown.at(-1);
    return {
      // A file that exists in the Draft alone gets its lasting id when it is published.
      items: shown.map((file) => ({ ...file, fileId: file.fileId ?? `${row.id}:${file.path}` })),
      nextCursor: rest.length > input.limit && last ? encodeCursor([last.path]) : null,
    };
  }

  /** One file's content, checked against its hash as it streams. Throws `NOT_FOUND`. */
  async read(input: { workbenchId: string; path: string; side: "published" | "draft" }): Promise<FileContent> {
    const path = parseWorkbenchPath(input.path, this.#environment.limits);
    const row = await this.#catalogue.find(input.workbenchId);
    const file =
      input.side === "draft"
        ? (await this.#drafts.viewOf(row.id)).get(path)
        : (await this.#environment.manifests.load(row.manifest_hash)).byPath.get(path);
    if (!file) throw new BenchtopError("NOT_FOUND", `There is no file "${path}" here.`, { phase: "workbench" });
    const { sha256, bytes, mediaType } = file;
    const fileName = path.slice(path.lastIndexOf("/") + 1);
    return { fileName, mediaType, sha256, bytes, content: this.#environment.store.blobs.stream(sha256) };
  }

  /**
   * Gives uploaded content its paths, all or none: what was uploaded to the workspace, or is in the workbench or one of its
   * checkpoints already. Throws `NOT_FOUND` for any other.
   */
  async add(input: {
    workbenchId: string;
    uploads: readonly { path: string; sha256: string }[];
    replace: boolean;
  }): Promise<{ added: FileEntry[] }> {
    return await this.change(input.workbenchId, async (row) => {
      const { limits } = this.#environment;
      const incoming: Incoming[] = [];
      let own: ReadonlyMap<string, number> | undefined;
      for (const { path, sha256 } of input.uploads) {
        const checked = parseWorkbenchPath(path, limits);
        let bytes = await this.#uploads.take(row.workspace_id, sha256);
        if (bytes === undefined) {
          own ??= await this.#contentOf(row);
          bytes = (await this.#environment.store.blobs.keep(sha256)) ? own.get(sha256) : undefined;
        }
        if (bytes === undefined) {
          throw new BenchtopError("NOT_FOUND", `The upload for "${checked}" is not there. Upload the file again.`);
        }
        incoming.push({ path: checked, sha256, bytes });
      }
      return { added: await this.#addAll(row, incoming, input.replace) };
    });
  }

  /** Copies files and folders of this machine in. All or nothing, unless told to leave out what cannot be taken. */
  async addFromHost(input: {
    workbenchId: string;
    sources: readonly string[];
    replace: boolean;
    skipRefused: boolean;
  }): Promise<{ added: FileEntry[]; refused: Refusal[] }> {
    return await this.change(input.workbenchId, async (row) => {
      const refused: HostRefusal[] = [];
      const taken = await this.#takeIn(input, row, refused);
      if (refused.length > 0 && !input.skipRefused) throw refusedError(refused);
      const added = taken.length === 0 ? [] : await this.#addAll(row, taken, input.replace);
      return { added, refused };
    });
  }

  /** Removes files and whole folders. A checkpoint keeps what was there. */
  async remove(input: {
    workbenchId: string;
    workbenchPaths: readonly string[];
  }): Promise<{ removeResults: FileOutcome[] }> {
    return await this.change(input.workbenchId, async (row) => {
      const { limits, manifests } = this.#environment;
      const manifest = await manifests.load(row.manifest_hash);
      const gone = new Set<string>();
      const removeResults = input.workbenchPaths.map((path): FileOutcome => {
        const checked = parseWorkbenchPath(path, limits);
        const named = namedBy(manifest, checked);
        if (named.length === 0)
          return { path, outcome: "refused", code: "NOT_FOUND", reason: "There is no such file." };
        for (const entry of named) gone.add(entry.path);
        return { path, outcome: "done" };
      });
      if (gone.size > 0) {
        const kept = manifest.entries.filter((entry) => !gone.has(entry.path));
        const fileIds = manifest.entries.flatMap((entry) => (gone.has(entry.path) ? entry.fileId : []));
        await this.#apply(row, "remove", manifest, makeManifest(kept), true, (transaction) =>
          forgetOrigins(transaction, row.id, fileIds),
        );
      }
      return { removeResults };
    });
  }

  /** Copies published files out. Refused while a Draft exists, so that nobody takes old files for new ones. */
  async extract(input: {
    workbenchId: string;
    destinationDir: string;
    workbenchPaths?: readonly string[] | undefined;
    overwrite: boolean;
  }): Promise<{ extractResults: FileOutcome[] }> {
    return await this.change(input.workbenchId, async (row) => {
      const { limits, manifests, store, disk, home } = this.#environment;
      const manifest = await manifests.load(row.manifest_hash);
      const results: FileOutcome[] = [];
      const wanted = new Map<string, ManifestEntry>();
      for (const path of input.workbenchPaths ?? []) {
        const named = namedBy(manifest, parseWorkbenchPath(path, limits));
        if (named.length === 0)
          results.push({ path, outcome: "refused", code: "NOT_FOUND", reason: "There is no such file." });
        for (const entry of named) wanted.set(entry.path, entry);
      }
      const entries = input.workbenchPaths ? [...wanted.values()] : manifest.entries;
      const files = entries.map(({ path, sha256 }) => ({ path, sha256, blob: store.blobs.pathOf(sha256) }));
      const written = await disk.run("writeOut", {
        destination: input.destinationDir,
        home,
        files: files.sort((a, b) => (a.path < b.path ? -1 : 1)),
        overwrite: input.overwrite,
      });
      return { extractResults: [...results, ...written] };
    });
  }

  /** Work on Published, alone and behind the gate: no Draft, no agent at work. */
  async change<Result>(ref: string, work: (row: WorkbenchRow) => Promise<Result>): Promise<Result> {
    const { id } = await this.#catalogue.find(ref);
    return await this.#environment.locks.run(id, async () => {
      const row = await this.#catalogue.find(id);
      this.#agents.refuseWhileActive(id);
      if (await this.#drafts.find(id)) throw draftExists(id);
      return await saving(() => work(row));
    });
  }

  async #side(row: WorkbenchRow, side: "published" | "draft"): Promise<readonly DraftFile[]> {
    if (side === "draft") return (await this.#drafts.viewOf(row.id)).files();
    return (await this.#environment.manifests.load(row.manifest_hash)).entries;
  }

  async #addAll(row: WorkbenchRow, incoming: readonly Incoming[], replace: boolean): Promise<FileEntry[]> {
    const { manifests } = this.#environment;
    const manifest = await manifests.load(row.manifest_hash);
    const names = new Names(manifest.entries.map((entry) => entry.path));
    const entries = new Map(manifest.byPath);
    const kinds = await this.#kindsOf(incoming);
    const added: ManifestEntry[] = [];
    const origins: { entry: ManifestEntry; hostPath: string | undefined }[] = [];
    const fresh = new Set<string>();
    let replaced = false;
    for (const file of incoming) {
      const before = manifest.byPath.get(file.path);
      if (fresh.has(file.path)) throw refusal("VALIDATION_FAILED", file.path, "two of the files would have this path");
      if (before && !replace) {
        throw refusal(
          "VALIDATION_FAILED",
          file.path,
          "a file of this name exists. Ask to replace it, or choose another name",
        );
      }
      names.add(file.path);
      fresh.add(file.path);
      replaced ||= before !== undefined;
      const { path, sha256, bytes, hostPath } = file;
      const { mediaType = "", opaque = true } = kinds.get(file) ?? {};
      const entry = { path, sha256, bytes, mediaType, opaque, fileId: before?.fileId ?? newId("file") };
      entries.set(path, entry);
      added.push(entry);
      origins.push({ entry, hostPath });
    }
    const next = makeManifest(entries.values());
    this.#reader.refuseTooMuch(next);
    await this.#apply(row, "add", manifest, next, replaced, (transaction) =>
      noteOrigins(transaction, row.id, origins, next),
    );
    return added;
  }

  async #kindsOf(incoming: readonly Incoming[]): Promise<ReadonlyMap<Incoming, Classification>> {
    const kinds = new Map<Incoming, Classification>();
    const queue = incoming.values();
    const classify = async (): Promise<void> => {
      for (const file of queue) kinds.set(file, file.kind ?? (await this.#reader.classify(file.path, file)));
    };
    await Promise.all(Array.from({ length: atOnce }, classify));
    return kinds;
  }

  async #apply(
    row: WorkbenchRow,
    action: Transition["action"],
    from: Manifest,
    to: Manifest,
    keep: boolean,
    commit: NonNullable<Transition["commit"]>,
  ): Promise<void> {
    await transition(this.#environment, {
      workbenchId: row.id,
      action,
      from,
      to,
      commit,
      ...(keep && { checkpoint: { reason: "files-changed", message: null } }),
    });
  }

  /** Reads what the sources name into blobs. What cannot be taken goes to `refused`. */
  async #takeIn(
    input: { sources: readonly string[]; skipRefused: boolean; replace: boolean },
    row: WorkbenchRow,
    refused: HostRefusal[],
  ): Promise<Incoming[]> {
    const { disk, home, limits, manifests, store } = this.#environment;
    const candidates: (HostFile & { target: WorkbenchPath })[] = [];
    const published = await manifests.load(row.manifest_hash);
    const names = new Names(published.entries.map((entry) => entry.path));
    const targets = new Set<string>();
    for (const source of input.sources) {
      const listing = await disk.run("listHost", { source, home, maxFiles: limits.maxFiles });
      refused.push(...listing.refused.map((refusal) => ({ ...refusal, path: printable(refusal.path) })));
      for (const file of listing.files) {
        try {
          const target = parseWorkbenchPath(file.path.normalize("NFC"), limits);
          if (targets.has(target)) throw refusal("VALIDATION_FAILED", target, "two of the files would have this path");
          if (!input.replace && published.byPath.has(target)) {
            throw refusal("VALIDATION_FAILED", target, "a file of this name exists. Ask to replace it, or rename one");
          }
          if (file.bytes > limits.maxFileBytes) {
            throw tooLarge(target, file.bytes, limits.maxFileBytes);
          }
          names.add(target);
          targets.add(target);
          candidates.push({ ...file, target });
        } catch (thrown) {
          const error = BenchtopError.from(thrown);
          refused.push({ path: printable(`${file.base}/${file.path}`), code: error.code, reason: error.message });
        }
      }
      const total = published.entries.length + candidates.length;
      if (total > limits.maxFiles) {
        throw limitError(
          `A workbench holds at most ${limits.maxFiles} files; there are more.`,
          "maxFiles",
          limits.maxFiles,
        );
      }
    }
    if (refused.length > 0 && !input.skipRefused) return [];

    const taken: Incoming[] = [];
    const queue = candidates.values();
    await using batch = store.blobs.batch();
    const take = async (): Promise<void> => {
      for (const file of queue) {
        const result = await this.#reader.copyInto(batch, file, file.target);
        if ("sha256" in result) taken.push({ path: file.target, ...result, hostPath: join(file.base, file.path) });
        else refused.push({ ...result, path: printable(result.path) });
      }
    };
    // None may still write into the batch when it is given up.
    const ends = await Promise.allSettled(Array.from({ length: atOnce }, take));
    const failed = ends.find((end) => end.status === "rejected");
    if (failed) throw failed.reason;
    await batch.keep();
    return taken.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** Sizes of all that the published files and the checkpoints hold, by hash. (There is no Draft while files are added.) */
  async #contentOf(row: WorkbenchRow): Promise<ReadonlyMap<string, number>> {
    const { store, manifests } = this.#environment;
    const checkpoints = await store.db
      .selectFrom("checkpoints")
      .select("manifest_hash")
      .distinct()
      .where("workbench_id", "=", row.id)
      .execute();
    const sizes = new Map<string, number>();
    for (const hash of new Set([row.manifest_hash, ...checkpoints.map(({ manifest_hash }) => manifest_hash)])) {
      for (const { sha256, bytes } of (await manifests.load(hash)).entries) sizes.set(sha256, bytes);
    }
    return sizes;
  }
}

export function draftExists(workbenchId: string): BenchtopError {
  return new BenchtopError(
    "DRAFT_EXISTS",
    "This workbench has a Draft. Publish it or discard it, then change the files.",
    { phase: "workbench", workbenchId },
  );
}

/** The file of this path, or all files of the folder of this path. */
export function namedBy(manifest: Manifest, path: WorkbenchPath): ManifestEntry[] {
  const file = manifest.byPath.get(path);
  return file ? [file] : manifest.entries.filter((entry) => entry.path.startsWith(`${path}/`));
}

function refusedError(refused: readonly HostRefusal[]): BenchtopError {
  const [first] = refused;
  const more = refused.length > 1 ? ` ${refused.length - 1} more cannot be taken either.` : "";
  return new BenchtopError(
    first?.code ?? "VALIDATION_FAILED",
    `Nothing was added. "${first?.path}": ${first?.reason}.${more} Leave them out, or ask to skip what cannot be taken.`,
    { phase: "workbench", detail: { paths: refused.slice(0, 50).map((one) => one.path), count: refused.length } },
  );
}
