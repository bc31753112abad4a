import { userInfo } from "node:os";
import { operatorPermissions, type Identity } from "@benchtop/operations";
import { BenchtopError, newId } from "@benchtop/protocol";
import type { Store } from "@benchtop/store";
import type { BrowserSession } from "../api/handler.ts";
import { Refusal } from "../api/refusal.ts";
import { FailedAttempts } from "./failed-attempts.ts";
import { OneTimeTokens } from "./one-time-tokens.ts";
import { foreignOrigin } from "./origin.ts";
import { cookieName, type Proof } from "./proof.ts";
import { hashToken, isToken, newToken } from "./token.ts";

const signInLifetimeMs = 30 * 24 * 60 * 60_000;

/**
 * Who makes a request. One person, the owner: they prove it with the bootstrap token (`Authorization: Bearer`) or with
 * the cookie of a sign-in, which that token or a one-time token was exchanged for.
 */
export class Identities {
  readonly #db: Store["db"];
  readonly #bootstrapHash: string;
  readonly #oneTime = new OneTimeTokens();
  readonly #failures = new FailedAttempts();

  constructor(options: { readonly db: Store["db"]; readonly bootstrapToken: string }) {
    this.#db = options.db;
    this.#bootstrapHash = hashToken(options.bootstrapToken);
  }

  /** Throws `AUTH_REQUIRED` when the request proves nobody, `PERMISSION_DENIED` when a foreign page uses the cookie. */
  async identify(proof: Proof): Promise<Identity> {
    const { authorization, cookie } = proof;
    if (authorization !== undefined) {
      const token = /^Bearer ([\x21-\x7e]{1,500})$/i.exec(authorization)?.[1];
      if (token !== undefined && isToken(token, this.#bootstrapHash)) return operator("token");
      throw authRequired("The token is wrong.");
    }
    if (cookie === undefined) throw authRequired("A token is needed.");
    if (proof.foreign) throw foreignOrigin();
    const row = await this.#db
      .selectFrom("sign_ins")
      .select(["id", "expires_at"])
      .where("token_hash", "=", hashToken(cookie))
      .executeTakeFirst();
    if (row === undefined || row.expires_at <= new Date().toISOString()) {
      throw authRequired("This browser is not signed in any more.");
    }
    return { ...operator("sign-in"), signInId: row.id };
  }

  /** A token that signs one browser in, once. */
  createOneTimeToken(): { token: string; expiresAt: Date } {
    return this.#oneTime.create();
  }

  /** Exchanges the bootstrap token or a one-time token for a cookie. */
  async signIn(token: string, proof: Proof, browser: BrowserSession): Promise<Identity> {
    const { address, userAgent } = proof;
    const blockedFor = this.#failures.blockedFor(address);
    if (blockedFor > 0) {
      throw new Refusal(429, "RATE_LIMITED", "Too many failed sign-ins. Wait a minute and try again.", {
        retryable: true,
        detail: { retry_after_ms: blockedFor },
      });
    }
    if (!isToken(token, this.#bootstrapHash) && !this.#oneTime.use(token)) {
      this.#failures.failed(address);
      throw authRequired("This token is wrong, was used already or has expired.");
    }
    const cookie = newToken();
    const now = Date.now();
    const id = newId("signIn");
    await this.#db.deleteFrom("sign_ins").where("expires_at", "<=", new Date(now).toISOString()).execute();
    await this.#db
      .insertInto("sign_ins")
      .values({
        token_hash: hashToken(cookie),
        id,
        user_id: ownerId,
        workspace_id: "default",
        key_id: null,
        method: "token",
        user_agent: userAgent ?? null,
        address,
        created_at: new Date(now).toISOString(),
        last_seen_at: new Date(now).toISOString(),
        expires_at: new Date(now + signInLifetimeMs).toISOString(),
      })
      .execute();
    browser.setCookie(cookieHeader(cookie, signInLifetimeMs / 1000, browser.secure));
    return { ...operator("sign-in"), signInId: id };
  }

  /** Ends the sign-in of this request, if it has one. */
  async signOut(proof: Proof, browser: BrowserSession): Promise<void> {
    const { cookie } = proof;
    if (cookie !== undefined) {
      await this.#db.deleteFrom("sign_ins").where("token_hash", "=", hashToken(cookie)).execute();
    }
    browser.setCookie(cookieHeader("", 0, browser.secure));
  }
}

/** The operator, who holds the bootstrap token. */
export const ownerId = "owner";

function operator(via: Identity["via"]): Identity {
  return {
    userId: ownerId,
    displayName: displayName(),
    email: null,
    kind: "person",
    workspaceId: "default",
    workspaceName: "Default",
    role: "owner",
    operator: true,
    permissions: [...operatorPermissions],
    via,
    keyId: null,
    signInId: null,
  };
}

function displayName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a user id that has no name.
    return "owner";
  }
}

function authRequired(message: string): BenchtopError {
  return new BenchtopError(
    "AUTH_REQUIRED",
    `${message} Use the token in $BENCHTOP_HOME/bootstrap-token, or open the console with \`benchtop up\`.`,
    { phase: "settings" },
  );
}

function cookieHeader(value: string, maxAgeSeconds: number, secure: boolean): string {
  const attributes = ["Path=/", "HttpOnly", "SameSite=Strict", `Max-Age=${maxAgeSeconds}`];
  if (secure) attributes.push("Secure");
  return [`${cookieName}=${value}`, ...attributes].join("; ");
}
