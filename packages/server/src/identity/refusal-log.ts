import type { AccessEventName } from "@benchtop/operations";
import type { Log } from "../log/log.ts";
import { recordAccess, type AccessEntry } from "./access-log.ts";
import type { Database } from "./lookup.ts";
import { networkOf } from "./network.ts";

export interface Refused {
  readonly event: Extract<AccessEventName, "sign-in.failed" | "token.refused">;
  readonly address: string;
  readonly workspaceId?: string | null;
  /** The key that was refused, where it is known. */
  readonly subjectId?: string;
  /** One word of why. */
  readonly reason: string;
}

const windowMs = 60_000;
/** Lines in one window, whatever is tried from however many addresses. */
const maxLines = 20;

/**
 * Refused proofs in the audit, which nobody can flood: of the same attempts in one minute the first is written at once and
 * the rest as a number when the minute is over, and there are at most so many lines a minute. Writing never holds up the
 * answer; what the database does not take is in the log alone.
 */
export class RefusalLog {
  readonly #db: Database;
  readonly #log: Log;
  readonly #windows = new Map<string, { readonly refused: Refused; more: number }>();
  #beyond = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(parts: { readonly db: Database; readonly log: Log }) {
    this.#db = parts.db;
    this.#log = parts.log;
  }

  record(refused: Refused): void {
    const address = networkOf(refused.address);
    const key = JSON.stringify([refused.event, address, refused.subjectId, refused.reason]);
    const known = this.#windows.get(key);
    if (known !== undefined) {
      known.more++;
    } else if (this.#windows.size < maxLines) {
      this.#windows.set(key, { refused, more: 0 });
      this.#write(entryOf(refused, 1));
    } else {
      this.#beyond++;
    }
    this.#timer ??= setTimeout(() => this.#endWindow(), windowMs).unref();
  }

  /** Writes what is counted. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#endWindow();
    await this.#writing;
  }

  #endWindow(): void {
    this.#timer = undefined;
    for (const { refused, more } of this.#windows.values()) if (more > 0) this.#write(entryOf(refused, more));
    this.#windows.clear();
    if (this.#beyond > 0) {
      const others = { event: "token.refused", workspaceId: null, actorId: null } as const;
      this.#write({ ...others, detail: { reason: "others", count: String(this.#beyond) } });
    }
    this.#beyond = 0;
  }

  #write(entry: AccessEntry): void {
    this.#log.warn("refused", { audit: entry.event, address: entry.address ?? "", ...entry.detail });
    this.#writing = this.#writing
      .then(() => recordAccess(this.#db, entry))
      .catch((cause: unknown) => this.#log.error("audit-failed", { name: (cause as Error).name }));
  }
}

function entryOf({ event, address, workspaceId = null, subjectId, reason }: Refused, count: number): AccessEntry {
  return {
    event,
    workspaceId,
    actorId: null,
    subjectId: subjectId ?? null,
    address,
    detail: { reason, ...(count > 1 && { count: String(count) }) },
  };
}
