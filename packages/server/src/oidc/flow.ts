import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";

/** Ten minutes to prove oneself to the identity provider. */
export const flowLifetimeMs = 10 * 60_000;
const maxFinished = 10_000;

const Content = z.tuple([z.string(), z.string(), z.int(), z.string(), z.string().optional()]);

/** A sign-in that one browser has begun. */
export interface Flow {
  /** Of the identity provider. */
  readonly provider: string;
  readonly redirectUri: string;
  readonly invitation: string | undefined;
  readonly state: string;
  readonly nonce: string;
  /** PKCE (RFC 7636). */
  readonly codeVerifier: string;
}

/**
 * Sign-ins under way. Nothing of them is kept here: a browser holds its own in a cookie that we have signed, so strangers who
 * begin thousands push nobody's out. What the identity provider has to return, and what only we may know (the verifier), is
 * derived from the cookie's random part with a key of this process. Each can be finished once.
 */
export class Flows {
  readonly #key = randomBytes(32);
  /** Random parts of those that were finished, until they have expired anyway. */
  readonly #finished = new Map<string, number>();

  begin(
    begun: Pick<Flow, "provider" | "redirectUri" | "invitation">,
    now = Date.now(),
  ): { readonly flow: Flow; readonly cookie: string } {
    const { provider, redirectUri, invitation } = begun;
    const random = randomBytes(24).toString("base64url");
    const content = [
      random,
      provider,
      now + flowLifetimeMs,
      redirectUri,
      ...(invitation === undefined ? [] : [invitation]),
    ];
    const body = Buffer.from(JSON.stringify(content)).toString("base64url");
    return { flow: this.#derive(random, begun), cookie: `${body}.${this.#mac("cookie", body)}` };
  }

  /** The flow of this cookie, which is finished by that; undefined for one that is not ours, is over, or was finished. */
  finish(cookie: string | undefined, now = Date.now()): Flow | undefined {
    const [body = "", mac = "", rest] = cookie?.split(".") ?? [];
    if (rest !== undefined || !same(mac, this.#mac("cookie", body))) return undefined;
    const [random, provider, expiresAt, redirectUri, invitation] = Content.parse(
      JSON.parse(Buffer.from(body, "base64url").toString("utf8")),
    );
    for (const [finished, expiry] of this.#finished) {
      if (expiry > now && this.#finished.size < maxFinished) break;
      this.#finished.delete(finished);
    }
    if (expiresAt <= now || this.#finished.has(random)) return undefined;
    this.#finished.set(random, expiresAt);
    return this.#derive(random, { provider, redirectUri, invitation });
  }

  #derive(
    random: string,
    { provider, redirectUri, invitation }: Pick<Flow, "provider" | "redirectUri" | "invitation">,
  ): Flow {
    return {
      provider,
      redirectUri,
      invitation,
      state: this.#mac("state", random),
      nonce: this.#mac("nonce", random),
      codeVerifier: this.#mac("verifier", random),
    };
  }

  #mac(purpose: string, text: string): string {
    return createHmac("sha256", this.#key).update(`${purpose}\0${text}`).digest("base64url");
  }
}

function same(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}
