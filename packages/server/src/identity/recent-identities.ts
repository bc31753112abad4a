import type { Identity } from "@benchtop/operations";

export interface Known {
  readonly identity: Identity;
  /** ISO 8601; null for never. */
  readonly expiresAt: string | null;
}

const maxKnown = 10_000;
/** How long a change that another process makes can go unnoticed. */
const trustedMs = 1000;

/**
 * Identities that were proved a moment ago, by the hash of their proof, so that a program that asks a hundred times a
 * second costs one look into the database each second. Every change of access that this process makes clears it.
 */
export class RecentIdentities {
  #known = new Map<string, Known & { readonly until: number }>();
  #changes = 0;

  get(proof: string, now = Date.now()): Known | undefined {
    const known = this.#known.get(proof);
    if (known === undefined) return undefined;
    if (known.until > now) return known;
    this.#known.delete(proof);
    return undefined;
  }

  /** To be asked for before the database is; what it said counts only if nothing has changed since. */
  get changes(): number {
    return this.#changes;
  }

  add(proof: string, known: Known, changes: number, now = Date.now()): void {
    if (changes !== this.#changes) return;
    if (this.#known.size >= maxKnown) this.#known.clear();
    const expiry = known.expiresAt === null ? Infinity : Date.parse(known.expiresAt);
    this.#known.set(proof, { ...known, until: Math.min(now + trustedMs, expiry) });
  }

  clear(): void {
    this.#changes++;
    this.#known.clear();
  }
}
