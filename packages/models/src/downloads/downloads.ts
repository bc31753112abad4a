import { readdir } from "node:fs/promises";
import { totalmem } from "node:os";
import { join } from "node:path";
import { BenchtopError, firstWorkspaceId } from "@benchtop/protocol";
import type { ModelDownloadsTable, Store } from "@benchtop/store";
import { isCode } from "../private-file.ts";
import { checkModelName } from "../registry/model-name.ts";
import { invalid, refusal } from "../registry/refusals.ts";
import type { ModelRegistry } from "../registry/registry.ts";
import type { ModelRequest } from "../registry/source-text.ts";
import type { Secret } from "../secret.ts";
import { Bandwidth } from "./bandwidth.ts";
import { Changes } from "./changes.ts";
import { choicesFrom, type ModelChoice } from "./choices.ts";
import { DownloadEntry, endedStates, errorText, type Download, type DownloadPlan } from "./download.ts";
import { DownloadRows } from "./download-rows.ts";
import type { DownloadGate } from "./download-gate.ts";
import { defaultFetchLimits, type FetchLimits } from "./fetch-file.ts";
import { findOffers } from "./find-offers.ts";
import { usualOffer } from "./hugging-face.ts";
import { bytesOf, type Offer } from "./offer.ts";
import { PartFile } from "./part-file.ts";
import { runDownload, sizeOf, type DownloadMeans } from "./run-download.ts";

export interface ModelDownloadsOptions {
  readonly store: Pick<Store, "db" | "flush">;
  readonly registry: ModelRegistry;
  /** Closed by whoever opened it. */
  readonly gate: DownloadGate;
  /** Of Hugging Face. */
  readonly readToken?: () => Promise<Secret | undefined>;
  /** What a model may take of the memory, for `fitsMemory`; all of the machine's unless told. */
  readonly memoryBytes?: () => number;
  /** Downloads at once; 1 unless told. */
  readonly atOnce?: number;
  readonly limits?: Partial<FetchLimits>;
}

export interface StartOptions {
  /** Made from the source unless told. */
  readonly name?: string | undefined;
  /** What the file has to be, for a model in one file. */
  readonly sha256?: string | undefined;
  /** Takes the place of the model that has this name. */
  readonly replace?: boolean | undefined;
  /** Who asks; its egress log shows the requests. */
  readonly workspaceId?: string | undefined;
  readonly userId?: string | undefined;
}

/** Why a download that runs is stopped. */
class Stopped extends Error {
  readonly to: "paused" | "canceled" | "queued";

  constructor(to: Stopped["to"]) {
    super(`The download was stopped (${to}).`);
    this.to = to;
  }
}

const canGoOn: ReadonlySet<string> = new Set(["queued", "running", "verifying", "paused", "failed"]);

/** Ended downloads that are remembered. */
const remembered = 50;

/**
 * The queue of models that are on their way. It is kept in a table, and what has come in files beside it, so that a process that
 * is stopped or killed goes on where it was. What is asked for is decided when it is asked for: which commit, which files, which
 * hashes. A full disk pauses a download, and whatever came is kept until it is canceled.
 */
export class ModelDownloads {
  readonly #rows: DownloadRows;
  readonly #means: DownloadMeans;
  readonly #memoryBytes: () => number;
  readonly #atOnce: number;
  readonly #entries = new Map<string, DownloadEntry>();
  readonly #changes = new Changes();
  #closed = false;

  /** Goes on with what an earlier process left. */
  static async open(options: ModelDownloadsOptions): Promise<ModelDownloads> {
    const downloads = new ModelDownloads(options);
    await downloads.#recover();
    downloads.#pump();
    return downloads;
  }

  private constructor(options: ModelDownloadsOptions) {
    const { store, registry, gate, readToken = async () => undefined, memoryBytes = totalmem, atOnce = 1 } = options;
    this.#rows = new DownloadRows(store, registry.folders.installation);
    const bandwidth = new Bandwidth(() => registry.settings.downloadBytesPerSecond);
    this.#means = { registry, gate, readToken, bandwidth, limits: { ...defaultFetchLimits, ...options.limits } };
    this.#memoryBytes = memoryBytes;
    this.#atOnce = atOnce;
  }

  /** What a source has, with sizes and whether they would fit, before anything is installed. */
  async choices(
    request: ModelRequest,
    { workspaceId = firstWorkspaceId }: { readonly workspaceId?: string | undefined },
    signal: AbortSignal,
  ): Promise<ModelChoice[]> {
    const offers = await findOffers(request, this.#means, workspaceId, signal);
    return choicesFrom(offers, {
      storage: await this.#means.registry.usage(),
      reserved: this.#reserved(),
      memoryBytes: this.#means.registry.settings.memoryBytes ?? this.#memoryBytes(),
      installed: await this.#means.registry.list(),
    });
  }

  /**
   * Asks the source what it has, and queues the one that is meant. Asking again for what is on its way gives that download, and goes
   * on with it. Throws `NOT_FOUND`, `VALIDATION_FAILED` (several are meant, the name is taken), `DISK_FULL`, and what the
   * way to the source throws.
   */
  async start(request: ModelRequest, options: StartOptions, signal: AbortSignal): Promise<Download> {
    const { registry } = this.#means;
    const { workspaceId = firstWorkspaceId, replace = false } = options;
    if (options.name !== undefined) checkModelName(options.name);
    const offer = withHash(usualOffer(await findOffers(request, this.#means, workspaceId, signal)), options.sha256);
    const name = options.name ?? offer.suggestedName;
    const source = JSON.stringify(offer.source);
    const same = [...this.#entries.values()].find(
      ({ row, plan }) => row.name === name && canGoOn.has(row.state) && JSON.stringify(plan.offer.source) === source,
    );
    if (same) return this.resume(same.row.id);
    if (this.#unfinished().some(({ row }) => row.name === name))
      throw invalid(`Another model is on its way as “${name}”. Choose another name, or cancel that download.`);
    await registry.installer.checkName(name, replace);
    const bytes = bytesOf(offer.files);
    const isLinked = offer.request.type === "file" && offer.request.link === true;
    await registry.checkRoom({ bytes: bytes ?? 0, onDisk: isLinked ? (bytes ?? 0) : 0, reserved: this.#reserved() });
    signal.throwIfAborted();
    const plan: DownloadPlan = { offer, replace };
    const row = await this.#rows.insert({
      name,
      plan: JSON.stringify(plan),
      place: Math.max(0, ...[...this.#entries.values()].map((entry) => entry.row.place)) + 1,
      bytes_total: bytes,
      workspace_id: workspaceId,
      user_id: options.userId ?? null,
    });
    const entry = new DownloadEntry(row);
    this.#entries.set(row.id, entry);
    this.#changes.changed(row.id, true);
    this.#pump();
    return entry.toDownload();
  }

  /** Those on their way in their order, then those that ended, the last first. */
  list(): Download[] {
    return [...this.#unfinished(), ...this.#ended()].map((entry) => entry.toDownload());
  }

  get(id: string): Download {
    return this.#entry(id).toDownload();
  }

  /** Stops a download and keeps what has come. */
  async pause(id: string): Promise<Download> {
    return this.#stop(this.#entry(id), "paused");
  }

  /** Goes on with a download that was paused or failed. Throws `DISK_FULL` where there is still no room. */
  async resume(id: string): Promise<Download> {
    const entry = this.#entry(id);
    const { state } = entry.row;
    if (state === "queued" || state === "running" || state === "verifying") return entry.toDownload();
    if (state !== "paused" && state !== "failed") throw isOver(entry);
    const bytes = entry.bytesTotal ?? 0;
    const reserved = this.#reserved(entry);
    await this.#means.registry.checkRoom({ bytes, onDisk: Math.min(bytes, entry.bytesDone), reserved });
    await this.#set(entry, { state: "queued", error: null });
    this.#pump();
    return entry.toDownload();
  }

  /** Ends a download and removes what has come. */
  async cancel(id: string): Promise<Download> {
    const entry = this.#entry(id);
    if (entry.row.state === "canceled") return entry.toDownload();
    return this.#stop(entry, "canceled");
  }

  /** Gives a download another place among those on their way; 0 is the first. What runs goes on. */
  async move(id: string, place: number): Promise<Download> {
    const entry = this.#entry(id);
    const others = this.#unfinished().filter((each) => each !== entry);
    others.splice(Math.max(0, Math.min(place, others.length)), 0, entry);
    for (const [index, each] of others.entries()) await this.#set(each, { place: index + 1 });
    return entry.toDownload();
  }

  /** Forgets those that ended. */
  async clear(): Promise<void> {
    await this.#forget(this.#ended());
  }

  /** Everything once, then whatever changes, each a few times a second at most. Ends when the signal is aborted. */
  async *watch(signal: AbortSignal): AsyncGenerator<Download> {
    const changed = this.#changes.watch(signal);
    for (const download of this.list()) yield download;
    for await (const id of changed) {
      const entry = this.#entries.get(id);
      if (entry) yield entry.toDownload();
    }
  }

  /** Waits until a download ended or was paused. Throws `NOT_FOUND` for one that is forgotten meanwhile, and the signal's reason. */
  async ended(id: string, signal: AbortSignal): Promise<Download> {
    for (;;) {
      const now = this.get(id);
      if (now.state === "paused" || endedStates.has(now.state)) return now;
      signal.throwIfAborted();
      await this.#changes.next(id, signal);
    }
  }

  /** Stops everything; the next start goes on. */
  async close(): Promise<void> {
    this.#closed = true;
    const running = [...this.#entries.values()].filter(({ running }) => running);
    await Promise.all(running.map((entry) => this.#stop(entry, "queued")));
  }

  async #recover(): Promise<void> {
    const { folders } = this.#means.registry;
    for (const row of await this.#rows.list()) {
      const entry = new DownloadEntry(row);
      this.#entries.set(row.id, entry);
      if (!entry.isUnfinished && row.state !== "failed") continue;
      if (row.state === "running" || row.state === "verifying") await this.#set(entry, { state: "queued" });
      const folder = await folders.downloadFolder(row.id);
      for (const [index] of entry.done.entries()) entry.done[index] = await broughtBefore(join(folder, String(index)));
    }
    // What a process that was killed could not remove any more.
    for (const id of await namesIn(join(folders.root, ".downloads"))) {
      const state = this.#entries.get(id)?.row.state;
      if (state === undefined || state === "done" || state === "canceled") await folders.removeDownload(id);
    }
  }

  /** Starts what is next, as long as there may be more at once. */
  #pump(): void {
    if (this.#closed) return;
    const waiting = this.#unfinished().filter(({ row, running }) => row.state === "queued" && !running);
    let free = this.#atOnce - [...this.#entries.values()].filter(({ running }) => running).length;
    for (const entry of waiting) {
      if (free <= 0) return;
      free -= 1;
      const stopping = new AbortController();
      entry.running = stopping;
      entry.task = this.#run(entry, stopping.signal)
        .catch((error: unknown) => this.#failed(entry, stopping.signal, error))
        // A table that cannot be written now: what is in memory holds until the next start, which goes on.
        .catch(() => undefined)
        .finally(() => {
          entry.running = undefined;
          this.#changes.changed(entry.row.id, true);
          this.#pump();
        });
    }
  }

  async #run(entry: DownloadEntry, signal: AbortSignal): Promise<void> {
    const { id, name, workspace_id: workspaceId } = entry.row;
    await this.#set(entry, { state: "running", error: null });
    entry.speed.clear();
    await runDownload(
      { id, name, plan: entry.plan, workspaceId },
      this.#means,
      {
        progress: (index, bytesDone, bytesTotal) => {
          entry.speed.add(Math.max(0, bytesDone - (entry.done[index] ?? 0)));
          entry.done[index] = bytesDone;
          entry.totals[index] = bytesTotal;
          entry.retryAt = undefined;
          this.#changes.changed(id);
        },
        waiting: (until) => {
          entry.retryAt = until;
          this.#changes.changed(id);
        },
        verifying: () => this.#set(entry, { state: "verifying" }),
        fetching: () => this.#set(entry, { state: "running" }),
      },
      signal,
    );
    const bytes = entry.bytesDone;
    await this.#set(entry, { state: "done", bytes_done: bytes, bytes_total: bytes });
    await this.#forget(this.#ended().slice(remembered));
  }

  async #failed(entry: DownloadEntry, signal: AbortSignal, thrown: unknown): Promise<void> {
    const { id } = entry.row;
    const bytes = { bytes_done: entry.bytesDone, bytes_total: entry.bytesTotal };
    if (signal.aborted && signal.reason instanceof Stopped) {
      const { to } = signal.reason;
      if (to === "canceled") await this.#means.registry.folders.removeDownload(id);
      await this.#set(entry, { state: to, ...bytes });
      return;
    }
    const error = BenchtopError.from(thrown, "FILE_WRITE_FAILED", { phase: "settings" });
    await this.#set(entry, {
      state: error.code === "DISK_FULL" ? "paused" : "failed",
      error: errorText(error),
      ...bytes,
    });
  }

  async #stop(entry: DownloadEntry, to: Stopped["to"]): Promise<Download> {
    if (entry.running) {
      entry.running.abort(new Stopped(to));
      await entry.task;
      // It may have come to its end meanwhile.
      return entry.toDownload();
    }
    const { id, state } = entry.row;
    if (state === "done" || state === "canceled" || (state === "failed" && to !== "canceled")) throw isOver(entry);
    if (to === "canceled") {
      await this.#means.registry.folders.removeDownload(id);
      entry.done.fill(0);
    }
    await this.#set(entry, { state: to, ...(to === "canceled" && { error: null }) });
    return entry.toDownload();
  }

  async #set(entry: DownloadEntry, values: Partial<ModelDownloadsTable>): Promise<void> {
    entry.row = { ...entry.row, ...values, updated_at: new Date().toISOString() };
    this.#changes.changed(entry.row.id, values.state !== undefined && values.state !== "running");
    await this.#rows.save(entry.row);
  }

  async #forget(entries: readonly DownloadEntry[]): Promise<void> {
    for (const { row } of entries) {
      await this.#means.registry.folders.removeDownload(row.id);
      this.#entries.delete(row.id);
      this.#changes.changed(row.id, true);
    }
    await this.#rows.remove(entries.map(({ row }) => row.id));
  }

  /** What downloads that have begun, or wait, will still take. */
  #reserved(except?: DownloadEntry): { quota: number; disk: number } {
    const entries = this.#unfinished().filter((entry) => entry !== except);
    const totals = entries.map((entry) => entry.bytesTotal ?? 0);
    const done = entries.map((entry) => entry.bytesDone);
    const quota = totals.reduce((sum, bytes) => sum + bytes, 0);
    return { quota, disk: Math.max(0, quota - done.reduce((sum, bytes) => sum + bytes, 0)) };
  }

  #unfinished(): DownloadEntry[] {
    return [...this.#entries.values()]
      .filter(({ isUnfinished }) => isUnfinished)
      .sort((a, b) => a.row.place - b.row.place);
  }

  /** The last first. */
  #ended(): DownloadEntry[] {
    return [...this.#entries.values()]
      .filter(({ isUnfinished }) => !isUnfinished)
      .sort((a, b) => (a.row.updated_at < b.row.updated_at ? 1 : -1));
  }

  #entry(id: string): DownloadEntry {
    const entry = this.#entries.get(id);
    if (entry) return entry;
    throw refusal("NOT_FOUND", "There is no such download, or it was forgotten.");
  }
}

/** Throws for a hash that contradicts what the source says, or that several files cannot have. */
function withHash(offer: Offer, sha256: string | undefined): Offer {
  if (sha256 === undefined) return offer;
  const [file, ...others] = offer.files;
  const wanted = sha256.toLowerCase();
  if (!file || others.length > 0) throw invalid("A hash can be given for a model in one file only.");
  if (file.sha256 !== null && file.sha256 !== wanted) {
    throw invalid("The source has another file there: the sha256 that it tells is not the one that was given.");
  }
  return { ...offer, files: [{ ...file, sha256: wanted }] };
}

async function broughtBefore(path: string): Promise<number> {
  return (await sizeOf(`${path}.gguf`)) ?? PartFile.bytesDone(`${path}.part`);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isCode(error, "ENOENT")) return [];
    throw error;
  }
}

function isOver({ row }: DownloadEntry): BenchtopError {
  return invalid(
    row.state === "failed"
      ? "This download failed. Resume or cancel it."
      : `This download is ${row.state === "done" ? "done" : "canceled"}. Start another.`,
  );
}
