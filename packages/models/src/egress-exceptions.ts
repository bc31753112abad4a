import { approvedHost } from "@benchtop/egress";
import { BenchtopError } from "@benchtop/protocol";
import type { Store } from "@benchtop/store";

/** A host of the local network that the operator approved for the providers of one workspace. */
export interface EgressException {
  /** `host:port`, in the one way in which the gate writes it. */
  readonly host: string;
  readonly note: string;
  readonly approvedBy: string;
  readonly createdAt: string;
}

/** Writes the change down elsewhere, in the same transaction. */
export type RecordChange = (db: Store["db"], host: string) => Promise<void>;

/**
 * The rows of `egress_exceptions`. The gate asks for one at every request, and nothing is kept in memory in between: what is
 * taken back here or by another process is closed from the next request on.
 */
export class EgressExceptions {
  readonly #store: Pick<Store, "db" | "flush">;

  constructor(options: { readonly store: Pick<Store, "db" | "flush"> }) {
    this.#store = options.store;
  }

  /** By host. */
  async list(workspaceId: string): Promise<EgressException[]> {
    const rows = await this.#store.db
      .selectFrom("egress_exceptions")
      .selectAll()
      .where("workspace_id", "=", workspaceId)
      .orderBy("host")
      .execute();
    return rows.map(({ host, note, approved_by, created_at }) => ({
      host,
      note,
      approvedBy: approved_by,
      createdAt: created_at,
    }));
  }

  /** Approving again changes the note. Throws `VALIDATION_FAILED` for what is no `host:port`, `EGRESS_BLOCKED_BY_POLICY` for a host that can never be approved. */
  async approve(
    workspaceId: string,
    input: { host: string; note: string; userId: string },
    record?: RecordChange,
  ): Promise<EgressException> {
    const host = approvedHost(input.host);
    const row = { note: input.note.trim(), approved_by: input.userId, created_at: new Date().toISOString() };
    await this.#store.db.transaction().execute(async (transaction) => {
      await transaction
        .insertInto("egress_exceptions")
        .values({ workspace_id: workspaceId, host, ...row })
        .onConflict((conflict) => conflict.columns(["workspace_id", "host"]).doUpdateSet(row))
        .execute();
      await record?.(transaction, host);
    });
    await this.#store.flush();
    return { host, note: row.note, approvedBy: row.approved_by, createdAt: row.created_at };
  }

  /** Throws `NOT_FOUND`. */
  async revoke(workspaceId: string, written: string, record?: RecordChange): Promise<void> {
    const host = written.trim().toLowerCase();
    await this.#store.db.transaction().execute(async (transaction) => {
      const { numDeletedRows } = await transaction
        .deleteFrom("egress_exceptions")
        .where("workspace_id", "=", workspaceId)
        .where("host", "=", host)
        .executeTakeFirstOrThrow();
      if (numDeletedRows === 0n) {
        throw new BenchtopError("NOT_FOUND", "No such host of the local network is approved.", { phase: "settings" });
      }
      await record?.(transaction, host);
    });
    await this.#store.flush();
  }

  /** `host` as `approvableHost` of the egress package writes it. */
  async isApproved(workspaceId: string, host: string): Promise<boolean> {
    const row = await this.#store.db
      .selectFrom("egress_exceptions")
      .select("host")
      .where("workspace_id", "=", workspaceId)
      .where("host", "=", host)
      .executeTakeFirst();
    return row !== undefined;
  }
}
