import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { traceRun, type TraceSink, type TraceState } from "@benchtop/harness";
import { BenchtopError, type Journal, type RunStore } from "@benchtop/protocol";
import { z } from "zod";
import type { Log } from "../log/log.ts";

export interface TraceExportOptions {
  readonly home: string;
  /** Which export of this home it is; each has a place of its own. */
  readonly name: string;
  /** Where its traces go, in words for the operator. */
  readonly target: string;
  readonly journal: Journal;
  readonly ledger: Pick<RunStore, "list">;
  readonly sink: TraceSink;
  readonly log: Log;
  /** How often new runs are looked for, in milliseconds; a second when absent. */
  readonly everyMs?: number;
}

/**
 * Hands every run of the store to a sink, from the journal and beside the runs: those that begin after it was first turned
 * on, whoever drives them. Where it is in each run is in `$BENCHTOP_HOME/trace-<name>.json`, and moves once the sink has passed
 * the events on. After a restart, or a crash, it goes on there; what a crash made it forget is passed on twice, never lost.
 */
export class TraceExport {
  readonly #options: TraceExportOptions;
  readonly #stopping = new AbortController();
  readonly #following = new Map<string, Promise<void>>();
  /** The last event of a run that the sink has taken, and of those that have ended. */
  readonly #taken = new Map<string, number>();
  readonly #ended = new Set<string>();
  #cursor: Cursor;
  #saved: string;
  readonly #loop: Promise<void>;

  private constructor(options: TraceExportOptions, cursor: Cursor) {
    this.#options = options;
    this.#cursor = cursor;
    this.#saved = "";
    this.#loop = this.#run();
  }

  /** Begins where the last process was; without one, with the runs from now on. Throws `FILE_READ_FAILED` for a damaged cursor. */
  static async start(options: TraceExportOptions): Promise<TraceExport> {
    const now = new Date().toISOString();
    const path = pathOf(options);
    const known = await readCursor(path);
    const cursor = known ?? { from: now, since: now, runs: {}, done: {} };
    if (!known) await writeCursor(path, JSON.stringify(cursor));
    return new TraceExport(options, cursor);
  }

  get state(): TraceState & { readonly target: string; readonly runs: number } {
    const { sink, target } = this.#options;
    return { target, runs: Object.keys(this.#cursor.runs).length, ...sink.state };
  }

  /** Passes on what can be in two seconds. What was not is passed on by the next process. */
  async close(): Promise<void> {
    // Runs that have just ended are read to their end.
    await Promise.race([Promise.all(this.#following.values()), wait(closingMs)]);
    this.#stopping.abort();
    await this.#loop;
    const { sink } = this.#options;
    const taken = new Map(this.#taken);
    const ended = new Set(this.#ended);
    const { dropped } = sink.state;
    await sink.close();
    if (sink.state.dropped === dropped) this.#advance(taken, ended);
    await this.#save();
    await Promise.all(this.#following.values());
  }

  async #run(): Promise<void> {
    const { log, sink, everyMs = 1000 } = this.#options;
    for (let failed = false; !this.#stopping.signal.aborted;) {
      try {
        await this.#discover();
        this.#followAll();
        const taken = new Map(this.#taken);
        const ended = new Set(this.#ended);
        await Promise.race([sink.flush(), aborted(this.#stopping.signal)]);
        if (this.#stopping.signal.aborted) return;
        this.#advance(taken, ended);
        await this.#save();
        failed = false;
      } catch (thrown) {
        if (!failed) log.warn("trace.export-failed", { code: BenchtopError.from(thrown).code });
        failed = true;
      }
      await wait(everyMs, undefined, { signal: this.#stopping.signal, ref: false }).catch(() => undefined);
    }
  }

  /** Runs that began since the last look; a little further back, for the clocks of several processes differ. */
  async #discover(): Promise<void> {
    const { ledger } = this.#options;
    const { since, runs, done } = this.#cursor;
    const back = new Date(Date.parse(since) - overlapMs).toISOString();
    let newest = since;
    let page = await ledger.list({ limit: 50 });
    for (;;) {
      const fresh = page.items.filter(({ startedAt }) => startedAt > back);
      for (const { runId, startedAt, status, deletedAt } of fresh) {
        if (startedAt > newest) newest = startedAt;
        // What began before the export was turned on stays out, however the clocks differ.
        if (status === "replay" || deletedAt !== null || startedAt < this.#cursor.from) continue;
        if (!Object.hasOwn(runs, runId) && !Object.hasOwn(done, runId)) runs[runId] = -1;
      }
      if (fresh.length < page.items.length || page.nextCursor === null) break;
      page = await ledger.list({ limit: 200, cursor: page.nextCursor });
    }
    const forgotten = new Date(Date.parse(newest) - 2 * overlapMs).toISOString();
    for (const [runId, at] of Object.entries(done)) if (at < forgotten) delete done[runId];
    this.#cursor = { ...this.#cursor, since: newest };
  }

  #followAll(): void {
    for (const [runId, passedOn] of Object.entries(this.#cursor.runs)) {
      if (this.#following.size >= maxFollowed) return;
      if (this.#following.has(runId) || this.#ended.has(runId)) continue;
      this.#following.set(runId, this.#follow(runId, this.#taken.get(runId) ?? passedOn));
    }
  }

  async #follow(runId: string, after: number): Promise<void> {
    const { journal, sink, log } = this.#options;
    const { signal } = this.#stopping;
    try {
      await traceRun(journal, runId, sink, { after, signal, taken: (seq) => this.#taken.set(runId, seq) });
      if (!signal.aborted) this.#ended.add(runId);
    } catch (thrown) {
      const { code } = BenchtopError.from(thrown);
      // A journal that was deleted meanwhile has nothing more to say; everything else is tried again.
      if (code === "NOT_FOUND") this.#ended.add(runId);
      else log.warn("trace.run-failed", { runId, code });
    } finally {
      this.#following.delete(runId);
    }
  }

  #advance(taken: ReadonlyMap<string, number>, ended: ReadonlySet<string>): void {
    const { runs, done } = this.#cursor;
    for (const [runId, seq] of taken) if (Object.hasOwn(runs, runId)) runs[runId] = seq;
    for (const runId of ended) {
      delete runs[runId];
      done[runId] = new Date().toISOString();
      this.#taken.delete(runId);
      this.#ended.delete(runId);
    }
  }

  async #save(): Promise<void> {
    const text = JSON.stringify(this.#cursor);
    if (text === this.#saved) return;
    await writeCursor(pathOf(this.#options), text);
    this.#saved = text;
  }
}

const overlapMs = 60_000;
const closingMs = 300;
/** Followers of one process; further runs wait for their turn. */
const maxFollowed = 1000;

const Cursor = z.object({
  /** Runs that began before are none of this export's. */
  from: z.string(),
  /** When the newest run that was seen began. */
  since: z.string(),
  /** Runs that are not passed on whole yet, with the last `seq` that was. */
  runs: z.record(z.string(), z.int()),
  /** Runs that are, with when they were; for as long as they could be taken for new ones. */
  done: z.record(z.string(), z.string()),
});
type Cursor = z.infer<typeof Cursor>;

function pathOf({ home, name }: TraceExportOptions): string {
  return join(home, `trace-${name}.json`);
}

async function readCursor(path: string): Promise<Cursor | undefined> {
  try {
    return Cursor.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new BenchtopError(
      "FILE_READ_FAILED",
      `The place of the trace export in ${path} cannot be read. Delete it: traces then begin anew.`,
      { phase: "settings", detail: { path }, cause },
    );
  }
}

/** Readers see the whole old file or the whole new one. */
async function writeCursor(path: string, text: string): Promise<void> {
  const file = await open(`${path}.tmp`, "w", 0o600);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
  await rename(`${path}.tmp`, path);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
