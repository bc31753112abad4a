import { createHash } from "node:crypto";
import { BenchtopError, type ErrorInfo } from "@benchtop/protocol";
import type { Store } from "@benchtop/store";

/** How a request ended, as it is kept and told again. */
export interface Outcome {
  readonly output?: unknown;
  readonly failure?: { readonly message: string } & ErrorInfo;
}

export interface KeyedRequest {
  readonly userId: string;
  readonly workspaceId: string;
  readonly key: string;
  readonly operation: string;
  /** The gathered input; the same key must come with the same. */
  readonly fields: Record<string, unknown>;
}

const lifetimeMs = 24 * 60 * 60_000;

/**
 * `Idempotency-Key`: the first request with a key is executed and its outcome kept for 24 hours; the same request again
 * gets that outcome. Failures that ask for another attempt are not kept, so that the attempt can be made.
 */
export class IdempotencyKeys {
  readonly #db: Store["db"];
  readonly #startedAt = new Date().toISOString();
  #expiredAt = 0;

  constructor(db: Store["db"]) {
    this.#db = db;
  }

  /**
   * Executes, or replays; `kept` is what is told again in place of an outcome that must not be kept. Throws `IDEMPOTENCY_CONFLICT` when the key belongs to another request, when its first request
   * is still being served, or when the daemon stopped while it was (then nobody knows what it did).
   */
  async once(
    request: KeyedRequest,
    execute: () => Promise<Outcome & { readonly retryable: boolean; readonly kept?: Outcome }>,
  ): Promise<Outcome & { readonly replayed: boolean }> {
    const requestHash = hashRequest(request);
    if (!(await this.#claim(request, requestHash))) {
      return { ...(await this.#kept(request, requestHash)), replayed: true };
    }
    let keep = false;
    try {
      const { retryable, kept: instead, ...outcome } = await execute();
      keep = !retryable;
      if (keep) {
        const told = instead ?? outcome;
        const kept = { status: told.failure === undefined ? 200 : 400, response: JSON.stringify(told) };
        await this.#row(this.#db.updateTable("idempotency_keys").set(kept), request).execute();
      }
      return { ...outcome, replayed: false };
    } finally {
      if (!keep) await this.#row(this.#db.deleteFrom("idempotency_keys"), request).execute();
    }
  }

  /** Deletes keys that are older than a day; looks for them once a minute at most. */
  async #expire(): Promise<void> {
    const now = Date.now();
    if (now - this.#expiredAt < 60_000) return;
    this.#expiredAt = now;
    const limit = new Date(now - lifetimeMs).toISOString();
    await this.#db.deleteFrom("idempotency_keys").where("created_at", "<", limit).execute();
  }

  async #claim(request: KeyedRequest, requestHash: string): Promise<boolean> {
    await this.#expire();
    const inserted = await this.#db
      .insertInto("idempotency_keys")
      .values({
        user_id: request.userId,
        key: request.key,
        operation: request.operation,
        request_hash: requestHash,
        status: null,
        response: null,
        created_at: new Date().toISOString(),
      })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    return inserted.numInsertedOrUpdatedRows === 1n;
  }

  async #kept(request: KeyedRequest, requestHash: string): Promise<Outcome> {
    const row = await this.#db
      .selectFrom("idempotency_keys")
      .select(["request_hash", "status", "response", "created_at"])
      .where("user_id", "=", request.userId)
      .where("key", "=", request.key)
      .executeTakeFirst();
    if (row !== undefined && row.request_hash !== requestHash) {
      throw conflict("This Idempotency-Key was used for another request. Use a new key.", false);
    }
    if (row === undefined || (row.status === null && row.created_at >= this.#startedAt)) {
      throw conflict("The first request with this Idempotency-Key is still being served. Try again.", true);
    }
    if (row.status === null || row.response === null) {
      throw conflict(
        "The daemon stopped while it served the first request with this Idempotency-Key. Look at what it did, then use a new key.",
        false,
      );
    }
    return JSON.parse(row.response) as Outcome;
  }

  #row<Query extends { where(column: "user_id" | "key", operator: "=", value: string): Query }>(
    query: Query,
    { userId, key }: KeyedRequest,
  ): Query {
    return query.where("user_id", "=", userId).where("key", "=", key);
  }
}

function hashRequest({ operation, workspaceId, fields }: KeyedRequest): string {
  const text = JSON.stringify([
    operation,
    workspaceId,
    Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  ]);
  return createHash("sha256").update(text).digest("hex");
}

function conflict(message: string, retryable: boolean): BenchtopError {
  return new BenchtopError("IDEMPOTENCY_CONFLICT", message, {
    phase: "settings",
    retryable,
    ...(retryable && { actions: ["retry"] as const, detail: { retry_after_ms: 1000 } }),
  });
}
