import type { EgressRecord } from "@benchtop/egress";
import { BenchtopError, newId } from "@benchtop/protocol";
import type { EgressEventsTable, Store } from "@benchtop/store";

/** One attempt to reach a provider, as the log of its workspace shows it. */
export interface EgressEvent extends Omit<EgressRecord, "workspaceId" | "call">, CountedTokens {
  readonly id: string;
}

/** As the provider counted them; null where it did not, and for what is no model call. */
export interface CountedTokens {
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
}

export interface EgressEventPage {
  readonly items: EgressEvent[];
  readonly nextCursor: string | null;
}

/**
 * What was sent where, in the table `egress_events`. `record` only queues, so a call never waits for it; rows are written
 * in batches. What the database did not take (a full disk) stays queued and is tried again; `list` and `close` wait for
 * everything queued before them and reject if it cannot be written.
 */
export class EgressLog {
  readonly #store: Pick<Store, "db" | "flush">;
  #queue: EgressEventsTable[] = [];
  /** Counts of calls whose rows may have been written already. */
  #counted: { readonly id: string; readonly tokens: CountedTokens }[] = [];
  readonly #calls = new WeakMap<object, { readonly id?: string; readonly tokens?: CountedTokens }>();
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { readonly store: Pick<Store, "db" | "flush"> }) {
    this.#store = options.store;
  }

  record(event: EgressRecord): void {
    const { call } = event;
    const tokens = call && this.#calls.get(call)?.tokens;
    const row = toRow(event, tokens);
    if (call && !tokens) this.#calls.set(call, { id: row.id });
    this.#queue.push(row);
    this.#writeSoon();
  }

  /**
   * What a provider counted for a call, before or after its record comes: the end of an answer is often read after the connection is
   * done with it. Belongs to the attempt that was recorded last for the call.
   */
  counted(call: object, tokens: CountedTokens): void {
    const id = this.#calls.get(call)?.id;
    if (id === undefined) {
      this.#calls.set(call, { tokens });
      return;
    }
    this.#counted.push({ id, tokens });
    this.#writeSoon();
  }

  #writeSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      // A failure is not lost: the rows are still queued, and whoever lists or closes is told.
      this.#drain().catch(() => undefined);
    }, delayMs);
  }

  /** What one workspace sent, newest first. */
  async list(options: {
    readonly workspaceId: string;
    readonly cursor?: string | undefined;
    readonly limit?: number | undefined;
    readonly workbenchId?: string | undefined;
    readonly runId?: string | undefined;
  }): Promise<EgressEventPage> {
    const { workspaceId, cursor, limit = 100, workbenchId, runId } = options;
    if (cursor !== undefined && !/^egr_[0-9a-z]{26}$/.test(cursor)) {
      throw new BenchtopError("VALIDATION_FAILED", "That cursor is not one that a page of this list gave.");
    }
    await this.#drain();
    let query = this.#store.db
      .selectFrom("egress_events")
      .selectAll()
      .where("workspace_id", "=", workspaceId)
      .orderBy("id", "desc")
      .limit(limit + 1);
    if (cursor !== undefined) query = query.where("id", "<", cursor);
    if (workbenchId !== undefined) query = query.where("workbench_id", "=", workbenchId);
    if (runId !== undefined) query = query.where("run_id", "=", runId);
    const rows = await query.execute();
    const items = rows.slice(0, limit).map(fromRow);
    return { items, nextCursor: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
  }

  /** Writes what is queued, durably. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#drain();
    await this.#store.flush();
  }

  async #drain(): Promise<void> {
    while (this.#writing || this.#queue.length > 0 || this.#counted.length > 0) {
      this.#writing ??= this.#writeBatch().finally(() => {
        this.#writing = undefined;
      });
      await this.#writing;
    }
  }

  async #writeBatch(): Promise<void> {
    const rows = this.#queue.slice(0, batchRows);
    const written = new Set(rows.map(({ id }) => id));
    const waiting = new Set(this.#queue.slice(batchRows).map(({ id }) => id));
    const counted = this.#counted.filter(({ id }) => !waiting.has(id)).slice(0, batchRows);
    const tokens = new Map(counted.map((count) => [count.id, columnsOf(count.tokens)]));
    // Both are repeatable: a batch whose commit was not reported is not written twice.
    if (rows.length > 0) {
      await this.#store.db
        .insertInto("egress_events")
        .values(rows.map((row) => ({ ...row, ...tokens.get(row.id) })))
        .onConflict((conflict) => conflict.column("id").doNothing())
        .execute();
      this.#queue = this.#queue.slice(rows.length);
    }
    for (const [id, columns] of tokens) {
      if (written.has(id)) continue;
      await this.#store.db.updateTable("egress_events").set(columns).where("id", "=", id).execute();
    }
    const done = new Set(counted);
    this.#counted = this.#counted.filter((count) => !done.has(count));
  }
}

const delayMs = 50;
const batchRows = 200;

function columnsOf({ inputTokens, outputTokens }: CountedTokens) {
  return { input_tokens: inputTokens, output_tokens: outputTokens };
}

function toRow(event: EgressRecord, tokens?: CountedTokens): EgressEventsTable {
  return {
    id: newId("egress"),
    workspace_id: event.workspaceId,
    at: event.at,
    purpose: event.purpose,
    outcome: event.outcome,
    method: event.method,
    host: event.host,
    provider_id: event.providerId,
    model_id: event.modelId,
    run_id: event.runId,
    workbench_id: event.workbenchId,
    scope_hash: event.scopeHash,
    bytes_sent: event.bytesSent,
    bytes_received: event.bytesReceived,
    status: event.status,
    error_code: event.errorCode,
    ...columnsOf(tokens ?? { inputTokens: null, outputTokens: null }),
    file_count: event.fileCount,
  };
}

function fromRow(row: EgressEventsTable): EgressEvent {
  return {
    id: row.id,
    at: row.at,
    purpose: row.purpose as EgressEvent["purpose"],
    outcome: row.outcome as EgressEvent["outcome"],
    method: row.method,
    host: row.host,
    providerId: row.provider_id ?? "",
    modelId: row.model_id,
    runId: row.run_id,
    workbenchId: row.workbench_id,
    scopeHash: row.scope_hash,
    bytesSent: row.bytes_sent,
    bytesReceived: row.bytes_received,
    status: row.status,
    errorCode: row.error_code as EgressEvent["errorCode"],
    inputTokens: row.input_tokens,
    outputTokens: row.output_tokens,
    fileCount: row.file_count,
  };
}
