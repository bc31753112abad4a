import type { Identity, Permission } from "@benchtop/operations";
import type { Log } from "../log/log.ts";
import { findAgain, type Database } from "./lookup.ts";

/** How long what another process took away can go unnoticed by what stays open. */
const recheckMs = 15_000;

export interface Watch {
  /** Aborts when the identity may not do any more what it is watched for. */
  readonly signal: AbortSignal;
  end(): void;
}

interface Watched {
  readonly identity: Identity;
  readonly permission: Permission;
  readonly over: AbortController;
}

/**
 * Looks after what stays open for longer than one request: it ends when its key, sign-in or membership does. Changes that
 * this process makes are noticed at once, those of others and the passing of time within fifteen seconds.
 */
export class Watches {
  readonly #db: Database;
  readonly #log: Log;
  readonly #watched = new Set<Watched>();
  #timer: NodeJS.Timeout | undefined;
  #isChecking = false;
  #again = false;

  constructor(parts: { readonly db: Database; readonly log: Log }) {
    this.#db = parts.db;
    this.#log = parts.log;
  }

  /** `fresh`: nothing has changed since the identity was proved; else it is looked at again at once. */
  watch(identity: Identity, permission: Permission, fresh: boolean): Watch {
    const watched = { identity, permission, over: new AbortController() };
    this.#watched.add(watched);
    this.#timer ??= setInterval(() => this.check(), recheckMs).unref();
    if (!fresh) this.check();
    return {
      signal: watched.over.signal,
      end: () => {
        this.#watched.delete(watched);
        if (this.#watched.size === 0) this.close();
      },
    };
  }

  /** Looks at all of them again, one query for each identity. */
  check(): void {
    if (this.#watched.size === 0) return;
    // However many changes come while it looks, it looks once more.
    this.#again = true;
    if (!this.#isChecking) void this.#checkUntilQuiet();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** What cannot be looked at now (the database is away) is looked at the next time. Never rejects. */
  async #checkUntilQuiet(): Promise<void> {
    this.#isChecking = true;
    try {
      while (this.#again) {
        this.#again = false;
        await this.#checkAll();
      }
    } catch (cause) {
      this.#log.error("watch-failed", { name: (cause as Error).name });
    } finally {
      this.#isChecking = false;
    }
  }

  async #checkAll(): Promise<void> {
    const byIdentity = Map.groupBy(this.#watched, ({ identity }) =>
      JSON.stringify([identity.userId, identity.workspaceId, identity.keyId, identity.signInId]),
    );
    for (const same of byIdentity.values()) {
      const [first] = same;
      if (first === undefined) continue;
      const finding = await findAgain(this.#db, first.identity);
      for (const watched of same) {
        if (finding.found && finding.identity.permissions.includes(watched.permission)) continue;
        this.#watched.delete(watched);
        watched.over.abort();
      }
    }
  }
}
