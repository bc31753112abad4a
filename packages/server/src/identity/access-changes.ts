import type { Identity, Permission } from "@benchtop/operations";
import type { Store } from "@benchtop/store";
import { recordAccess, type AccessEntry } from "./access-log.ts";
import { findAgain, type Database } from "./lookup.ts";
import { denied, notFound, refusalOf } from "./refused.ts";

/** Who makes a change, and from where. */
export type Caller = Identity & { readonly address?: string };

/** Writes the change into the audit: of the caller's workspace, unless another is named. */
export type RecordAccess = (
  entry: Omit<AccessEntry, "workspaceId" | "actorId" | "address"> & { readonly workspaceId?: string | null },
) => Promise<void>;

/**
 * Every change of who may do what: one transaction, in which the one who makes it is looked at again, because what they
 * proved a moment ago may be over. Changes of a workspace happen one after the other, so that two owners who remove each
 * other at the same time leave one.
 */
export class AccessChanges {
  readonly #store: Pick<Store, "db" | "dialect" | "flush">;
  readonly #changed: () => void;

  /** `changed` is told after each commit, before the caller is. */
  constructor(store: Pick<Store, "db" | "dialect" | "flush">, changed: () => void) {
    this.#store = store;
    this.#changed = changed;
  }

  /** By somebody who is identified, in the workspace that they are in; `actor` is what they are worth now. */
  async by<Result>(
    identity: Caller,
    permission: Permission,
    work: (db: Database, actor: Identity, record: RecordAccess) => Promise<Result>,
  ): Promise<Result> {
    return await this.in(identity.workspaceId, async (db) => {
      const finding = await findAgain(db, identity);
      if (!finding.found) throw refusalOf(finding, identity.signInId === null ? "key" : "browser");
      if (!finding.identity.permissions.includes(permission)) {
        throw denied(`This needs the permission ${permission}.`, { permission });
      }
      const { userId: actorId, workspaceId } = finding.identity;
      const { address = null } = identity;
      return await work(db, finding.identity, (entry) => recordAccess(db, { workspaceId, actorId, address, ...entry }));
    });
  }

  /** In a workspace, by somebody who proves themselves within. Throws `NOT_FOUND` for a workspace that is gone. */
  async in<Result>(workspaceId: string, work: (db: Database) => Promise<Result>): Promise<Result> {
    return await this.anywhere(async (db) => {
      await this.lock(db, workspaceId);
      return await work(db);
    });
  }

  /** Keeps every other change of a workspace waiting until this one is committed. Throws `NOT_FOUND`. */
  async lock(db: Database, workspaceId: string): Promise<void> {
    const workspace = db.selectFrom("workspaces").select("id").where("id", "=", workspaceId);
    // SQLite has one writer anyway.
    const locked = this.#store.dialect === "postgres" ? workspace.forUpdate() : workspace;
    if ((await locked.executeTakeFirst()) === undefined) throw notFound("workspace");
  }

  async anywhere<Result>(work: (db: Database) => Promise<Result>): Promise<Result> {
    const result = await this.#store.db.transaction().execute(work);
    this.#changed();
    // A power cut must not bring back what somebody was told is taken away.
    await this.#store.flush();
    return result;
  }
}
