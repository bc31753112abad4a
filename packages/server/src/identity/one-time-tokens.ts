import { hashToken, newToken } from "./token.ts";

const lifetimeMs = 10 * 60_000;
const maxOpen = 1000;

/** Tokens for one sign-in each, and what each is good for; ten minutes, and gone when the daemon stops. */
export class OneTimeTokens<Grant> {
  readonly #open = new Map<string, { readonly grant: Grant; readonly expiry: number }>();

  create(grant: Grant, now = Date.now()): { readonly token: string; readonly expiresAt: Date } {
    for (const [hash, { expiry }] of this.#open) {
      if (expiry > now && this.#open.size < maxOpen) break;
      this.#open.delete(hash);
    }
    const token = newToken();
    const expiry = now + lifetimeMs;
    this.#open.set(hashToken(token), { grant, expiry });
    return { token, expiresAt: new Date(expiry) };
  }

  /** What a token is good for; once for each that was made here and has not expired. */
  use(token: string, now = Date.now()): Grant | undefined {
    const hash = hashToken(token);
    const open = this.#open.get(hash);
    this.#open.delete(hash);
    return open !== undefined && open.expiry > now ? open.grant : undefined;
  }
}
