import { hashToken, newToken } from "./token.ts";

const lifetimeMs = 10 * 60_000;
const maxOpen = 1000;

/** Tokens for one sign-in each, good for ten minutes; gone when the daemon stops. */
export class OneTimeTokens {
  readonly #expiryByHash = new Map<string, number>();

  create(now = Date.now()): { token: string; expiresAt: Date } {
    for (const [hash, expiry] of this.#expiryByHash) {
      if (expiry > now && this.#expiryByHash.size < maxOpen) break;
      this.#expiryByHash.delete(hash);
    }
    const token = newToken();
    const expiresAt = now + lifetimeMs;
    this.#expiryByHash.set(hashToken(token), expiresAt);
    return { token, expiresAt: new Date(expiresAt) };
  }

  /** True once for each token that was made here and has not expired. */
  use(token: string, now = Date.now()): boolean {
    const hash = hashToken(token);
    const expiry = this.#expiryByHash.get(hash);
    this.#expiryByHash.delete(hash);
    return expiry !== undefined && expiry > now;
  }
}
