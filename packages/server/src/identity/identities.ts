import type { IncomingMessage } from "node:http";
import { userInfo } from "node:os";
import { operations, type Identity, type Permission } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import type { Store } from "@benchtop/store";
import { Refusal } from "../api/refusal.ts";
import { FailedAttempts } from "./failed-attempts.ts";
import { OneTimeTokens } from "./one-time-tokens.ts";
import { checkCookieRequest } from "./origin.ts";
import { hashToken, isToken, newToken } from "./token.ts";

const cookieName = "benchtop_session";
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
  async identify(request: IncomingMessage): Promise<Identity> {
    const { authorization } = request.headers;
    if (authorization !== undefined) {
      const token = /^Bearer ([\x21-\x7e]{1,500})$/i.exec(authorization)?.[1];
      if (token !== undefined && isToken(token, this.#bootstrapHash)) return owner("token");
      throw authRequired("The token is wrong.");
    }
    const cookie = readCookie(request);
    if (cookie === undefined) throw authRequired("A token is needed.");
    checkCookieRequest(request);
    const row = await this.#db
      .selectFrom("sign_ins")
      .select("expires_at")
      .where("token_hash", "=", hashToken(cookie))
      .executeTakeFirst();
    if (row === undefined || row.expires_at <= new Date().toISOString()) {
      throw authRequired("This browser is not signed in any more.");
    }
    return owner("sign-in");
  }

  /** A token that signs one browser in, once. */
  createOneTimeToken(): { token: string; expiresAt: Date } {
    return this.#oneTime.create();
  }

  /** Exchanges the bootstrap token or a one-time token for a cookie. `address` is what failures are counted by. */
  async signIn(token: string, address: string, secure: boolean): Promise<{ identity: Identity; cookie: string }> {
    const blockedFor = this.#failures.blockedFor(address);
    if (blockedFor > 0) {
      throw new Refusal(429, "AUTH_REQUIRED", "Too many failed sign-ins. Wait a minute and try again.", {
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
    await this.#db.deleteFrom("sign_ins").where("expires_at", "<=", new Date(now).toISOString()).execute();
    await this.#db
      .insertInto("sign_ins")
      .values({
        token_hash: hashToken(cookie),
        user_id: ownerId,
        created_at: new Date(now).toISOString(),
        expires_at: new Date(now + signInLifetimeMs).toISOString(),
      })
      .execute();
    return { identity: owner("sign-in"), cookie: cookieHeader(cookie, signInLifetimeMs / 1000, secure) };
  }

  /** Ends the sign-in of this request, if it has one; returns the header that makes the browser forget it. */
  async signOut(request: IncomingMessage, secure: boolean): Promise<string> {
    const cookie = readCookie(request);
    if (cookie !== undefined) {
      await this.#db.deleteFrom("sign_ins").where("token_hash", "=", hashToken(cookie)).execute();
    }
    return cookieHeader("", 0, secure);
  }
}

/** The one user of this version, and everything they may do: each permission that an operation names. */
export const ownerId = "owner";
const everyPermission = [...new Set<Permission>(Object.values(operations).map((operation) => operation.permission))]
  .filter((permission) => permission !== "public")
  .toSorted();

function owner(via: Identity["via"]): Identity {
  return { userId: ownerId, displayName: displayName(), workspaceId: "default", permissions: everyPermission, via };
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

function readCookie(request: IncomingMessage): string | undefined {
  for (const part of request.headers.cookie?.split(";") ?? []) {
    const [name, value] = part.trim().split("=", 2);
    if (name === cookieName && value !== undefined && /^[A-Za-z0-9_-]{43}$/.test(value)) return value;
  }
  return undefined;
}
