import { startRun, type RunBody, type RunHandle, type RunOutcome } from "@benchtop/harness";
import {
  BenchtopError,
  newId,
  newTraceId,
  type Journal,
  type JournalWriter,
  type RunEvent,
  type RunInit,
  type RunRecord,
} from "@benchtop/protocol";
import type { Store } from "@benchtop/store";
import { closingEvents, interruptionOf, totalsOf } from "./interrupted.ts";

/** What a caller says of a run; the id and the trace are made where it gives none. */
export type RunStart = Omit<RunInit, "runId" | "traceId"> & { readonly runId?: string; readonly traceId?: string };

export interface RecoveredRun {
  readonly runId: string;
  readonly kind: string;
  readonly outcome: "interrupted" | "completed";
}

/**
 * Asked once for each run that a crash left open: what it had in truth achieved, where something outside the
 * journal knows (a publish whose files and rows were committed), or undefined when it did not come to its end.
 */
export type Settle = (run: RunRecord) => Promise<RunOutcome | undefined>;

/**
 * The runs of one process: starts them on the durable journal, reaches the ones that are going, and after a crash
 * closes what it left open. What a run was and did is read from the journal and the ledger, never from here.
 */
export class Runs {
  readonly #store: Store;
  readonly #active = new Map<string, RunHandle>();
  #closing = false;

  constructor(options: { readonly store: Store }) {
    this.#store = options.store;
  }

  /**
   * Starts a run; resolves once `RunStarted` is on disk. Rejects with `RUN_REPLAYED` when the id is taken (the
   * attempt becomes a ledger row of its own) and with `DISK_FULL` when nothing could be written.
   */
  async start(start: RunStart, body: RunBody): Promise<RunHandle> {
    if (this.#closing)
      throw new BenchtopError("RUN_INTERRUPTED", "Benchtop is shutting down; start it again and retry.");
    const init: RunInit = { ...start, runId: start.runId ?? newId("run"), traceId: start.traceId ?? newTraceId() };
    const handle = await this.#startOrRecordReplay(init, body);
    this.#active.set(init.runId, handle);
    void handle.result.then(() => this.#active.delete(init.runId));
    return handle;
  }

  /** Ids of the runs that are going in this process. */
  active(): readonly string[] {
    return [...this.#active.keys()];
  }

  /** Asks a run to stop. False when it has ended already; `NOT_FOUND` when there is no such run. */
  async abort(runId: string, reason?: string): Promise<boolean> {
    const handle = await this.#find(runId);
    return handle?.control.abort(reason) ?? false;
  }

  /** Hands a hint to a run. False when it takes no more (it ended, or too many wait); `NOT_FOUND` when there is no such run. */
  async hint(runId: string, text: string, userId?: string): Promise<boolean> {
    const handle = await this.#find(runId);
    return handle?.control.inject(text, userId) ?? false;
  }

  /**
   * Closes the runs that a process which is gone left open; those that another live process writes are left to it.
   * Call it once, before any run is started.
   */
  async recover(settle?: Settle): Promise<RecoveredRun[]> {
    const recovered: RecoveredRun[] = [];
    for (const runId of await this.#store.journal.unfinished()) {
      const writer = await this.#takeOver(runId);
      if (writer) recovered.push(await this.#close(writer, settle));
    }
    return recovered;
  }

  /** Aborts every run and waits until each has its terminal event. No run starts afterwards. */
  async shutdown(): Promise<void> {
    this.#closing = true;
    const handles = [...this.#active.values()];
    for (const handle of handles) handle.control.abort("Benchtop is shutting down.");
    await Promise.all(handles.map((handle) => handle.result));
  }

  async #startOrRecordReplay(init: RunInit, body: RunBody): Promise<RunHandle> {
    try {
      return await startRun(this.#store.journal, init, body);
    } catch (thrown) {
      const error = BenchtopError.from(thrown);
      if (error.code === "RUN_REPLAYED") await this.#store.ledger.recordReplay(init);
      throw error;
    }
  }

  async #find(runId: string): Promise<RunHandle | undefined> {
    const handle = this.#active.get(runId);
    if (!handle && !(await this.#store.ledger.get(runId))) {
      throw new BenchtopError("NOT_FOUND", `There is no run ${runId}.`);
    }
    return handle;
  }

  async #takeOver(runId: string): Promise<JournalWriter | undefined> {
    try {
      return await this.#store.journal.acquire(runId);
    } catch (thrown) {
      const error = BenchtopError.from(thrown);
      if (error.code === "RUN_INTERRUPTED") return undefined;
      throw error;
    }
  }

  async #close(writer: JournalWriter, settle: Settle | undefined): Promise<RecoveredRun> {
    const { runId } = writer;
    const record = await this.#store.ledger.get(runId);
    const settled = record && (await settle?.(record));
    const events = await storedEvents(this.#store.journal, runId);
    const interruption = interruptionOf(runId);
    for (const event of closingEvents(events, interruption)) writer.write(event);
    const totals = totalsOf(events);
    if (settled) {
      const { output, finishReason = "stop", result } = settled;
      writer.write({ type: "Completed", output, finishReason, ...(result !== undefined && { result }), totals });
    } else {
      writer.write({ type: "Error", error: interruption, totals });
    }
    await writer.close();
    return { runId, kind: record?.kind ?? "unknown", outcome: settled ? "completed" : "interrupted" };
  }
}

/** The whole journal as it is stored now, page by page. */
async function storedEvents(journal: Journal, runId: string): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for (;;) {
    const after = events.at(-1)?.seq ?? -1;
    const page = await journal.read(runId, { after, limit: 5000 });
    if (page.length === 0) return events;
    events.push(...page);
  }
}
