import { setTimeout as wait } from "node:timers/promises";
import { startRun, type RunBody, type RunHandle, type RunOutcome } from "@benchtop/harness";
import {
  BenchtopError,
  newId,
  newTraceId,
  type Failure,
  type Journal,
  type JournalWriter,
  type RunEvent,
  type RunInit,
  type RunRecord,
} from "@benchtop/protocol";
import type { Store } from "@benchtop/store";
import { endOfInterrupted, interruptionOf } from "./interrupted.ts";

/** What a caller says of a run; the id and the trace are made where it gives none. */
export type RunStart = Omit<RunInit, "runId" | "traceId"> & { readonly runId?: string; readonly traceId?: string };

export interface RecoveredRun {
  readonly runId: string;
  readonly kind: string;
  readonly outcome: "interrupted" | "completed";
}

/**
 * Asked for each run that a crash or a full disk left open: what it had in truth achieved, where something outside the
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
  #settle: Settle | undefined;
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
    void this.#forgetOnceEnded(handle);
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
   * Call it once, before any run is started. `settle` is kept for the runs that are left open later.
   */
  async recover(settle?: Settle): Promise<RecoveredRun[]> {
    this.#settle = settle;
    const recovered: RecoveredRun[] = [];
    for (const { runId, suspended } of await this.#store.journal.unfinished()) {
      if (suspended) continue;
      const writer = await this.#takeOver(runId);
      if (writer) recovered.push(await this.#recoverRun(writer));
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

  async #forgetOnceEnded({ runId, result }: RunHandle): Promise<void> {
    const { recorded, error } = await result;
    this.#active.delete(runId);
    if (!recorded && error) await this.#closeOnceThereIsRoom(runId, error);
  }

  /**
   * A full disk leaves a run open: even its terminal event found no room. It is written as soon as there is, true to what
   * the run achieved; should the process end before, or the journal refuse for another reason, the next start does it.
   */
  async #closeOnceThereIsRoom(runId: string, error: BenchtopError): Promise<void> {
    for (let delayMs = 500; error.code === "DISK_FULL" && !this.#closing; delayMs = Math.min(delayMs * 2, 30_000)) {
      await wait(delayMs, undefined, { ref: false });
      try {
        const writer = await this.#takeOver(runId);
        if (writer) await this.#close(writer, { message: error.message, ...error.info }, await this.#settledAs(runId));
        return;
      } catch (thrown) {
        if (BenchtopError.from(thrown).code !== "DISK_FULL") return;
      }
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

  async #recoverRun(writer: JournalWriter): Promise<RecoveredRun> {
    const { runId } = writer;
    const settled = await this.#settledAs(runId);
    await this.#close(writer, interruptionOf(runId), settled);
    const record = await this.#store.ledger.get(runId);
    return { runId, kind: record?.kind ?? "unknown", outcome: settled ? "completed" : "interrupted" };
  }

  async #settledAs(runId: string): Promise<RunOutcome | undefined> {
    const record = await this.#store.ledger.get(runId);
    return record && (await this.#settle?.(record));
  }

  /** Ends what is open in a journal, then the run: with the failure, or with what it is known to have achieved. */
  async #close(writer: JournalWriter, failure: Failure, settled?: RunOutcome): Promise<void> {
    const events = await storedEvents(this.#store.journal, writer.runId);
    const { closing, totals } = endOfInterrupted(events, failure);
    for (const event of closing) writer.write(event);
    if (settled) {
      const { output, finishReason = "stop", result } = settled;
      writer.write({ type: "Completed", output, finishReason, ...(result !== undefined && { result }), totals });
    } else {
      writer.write({ type: "Error", error: failure, totals });
    }
    await writer.close();
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
