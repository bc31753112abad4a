import type { Identity } from "@benchtop/operations";
import type { Log } from "../log/log.ts";
import type { Database } from "./lookup.ts";

const delayMs = 1000;
const everyMs = 60_000;
const maxRemembered = 10_000;

/** When keys, browsers and people were last seen: to the minute, written after the answer and many at once. */
export class LastSeen {
  readonly #db: Database;
  readonly #log: Log;
  readonly #writtenAt = new Map<string, number>();
  #waiting = new Map<string, Identity>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(parts: { readonly db: Database; readonly log: Log }) {
    this.#db = parts.db;
    this.#log = parts.log;
  }

  touch(identity: Identity, now = Date.now()): void {
    const id = identity.signInId ?? identity.keyId ?? identity.userId;
    if (now - (this.#writtenAt.get(id) ?? 0) < everyMs) return;
    if (this.#writtenAt.size >= maxRemembered) this.#writtenAt.clear();
    this.#writtenAt.set(id, now);
    this.#waiting.set(id, identity);
    this.#timer ??= setTimeout(() => this.#write(), delayMs).unref();
  }

  async close(): Promise<void> {
    this.#write();
    await this.#writing;
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const seen = [...this.#waiting.values()];
    this.#waiting = new Map();
    if (seen.length === 0) return;
    // A time that is not written is written a minute later; nothing depends on it.
    this.#writing = this.#writing
      .then(() => this.#writeAll(seen))
      .catch((cause: unknown) => this.#log.error("last-seen-failed", { name: (cause as Error).name }));
  }

  async #writeAll(seen: readonly Identity[]): Promise<void> {
    const now = new Date().toISOString();
    const ids = (of: (identity: Identity) => string | null): string[] => [
      ...new Set(seen.map(of).filter((id) => id !== null)),
    ];
    await this.#db.transaction().execute(async (transaction) => {
      const users = ids(({ userId }) => userId);
      await transaction.updateTable("users").set({ last_seen_at: now }).where("id", "in", users).execute();
      const keys = ids(({ keyId }) => keyId);
      if (keys.length > 0) {
        await transaction.updateTable("api_keys").set({ last_used_at: now }).where("id", "in", keys).execute();
      }
      const signIns = ids(({ signInId }) => signInId);
      if (signIns.length > 0) {
        await transaction.updateTable("sign_ins").set({ last_seen_at: now }).where("id", "in", signIns).execute();
      }
    });
  }
}
