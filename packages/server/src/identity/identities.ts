import { userInfo } from "node:os";
import type { Identity, Permission } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import type { Store } from "@benchtop/store";
import type { BrowserSession } from "../api/handler.ts";
import { Refusal } from "../api/refusal.ts";
import type { Log } from "../log/log.ts";
import { AccessChanges } from "./access-changes.ts";
import { ApiKeys } from "./api-keys.ts";
import { signInWithClaims, type Claims } from "./claims.ts";
import type { FailedAttempts } from "./failed-attempts.ts";
import { Invitations, type OpenInvitation } from "./invitations.ts";
import { LastSeen } from "./last-seen.ts";
import { Links } from "./links.ts";
import { findKey, findOperator, findSignIn, type Finding } from "./lookup.ts";
import { Members } from "./members.ts";
import { foreignOrigin } from "./origin.ts";
import type { Proof } from "./proof.ts";
import type { RateLimits } from "./rate-limits.ts";
import { RecentIdentities } from "./recent-identities.ts";
import { RefusalLog } from "./refusal-log.ts";
import { authRequired, refusalOf } from "./refused.ts";
import { openSignIn, SignIns } from "./sign-ins.ts";
import { firstWorkspaceId, operatorId } from "./standing.ts";
import { hashToken, isApiKey, isSameHash, isToken } from "./token.ts";
import { Watches, type Watch } from "./watches.ts";
import { Workspaces } from "./workspaces.ts";

export interface IdentitiesOptions {
  readonly store: Pick<Store, "db" | "dialect" | "flush">;
  readonly log: Log;
  readonly bootstrapToken: string;
  /** Wrong proofs of an address are counted here. */
  readonly rateLimits: Pick<RateLimits, "take">;
  readonly failedSignIns: FailedAttempts;
  /** Ask nobody: every request is the operator's. */
  readonly open?: boolean;
}

/**
 * Who makes a request, and what they may do: the operator by the bootstrap token, people and programs by API keys, and
 * browsers by the cookie of a sign-in, which any of those, a link, an invitation or an identity provider was exchanged for.
 */
export class Identities {
  readonly workspaces: Workspaces;
  readonly members: Members;
  readonly invitations: Invitations;
  readonly keys: ApiKeys;
  readonly signIns: SignIns;
  readonly links: Links;

  readonly #options: IdentitiesOptions;
  readonly #bootstrapHash: string;
  readonly #recent = new RecentIdentities();
  readonly #lastSeen: LastSeen;
  readonly #refusals: RefusalLog;
  readonly #failures: FailedAttempts;
  readonly #watches: Watches;
  /** How many changes there had been when an identity was proved. */
  readonly #provedAt = new WeakMap<Identity, number>();
  readonly #changes: AccessChanges;

  constructor(options: IdentitiesOptions) {
    const { store, log } = options;
    const { db } = store;
    this.#options = options;
    this.#bootstrapHash = hashToken(options.bootstrapToken);
    this.#lastSeen = new LastSeen({ db, log });
    this.#refusals = new RefusalLog({ db, log });
    this.#failures = options.failedSignIns;
    this.#watches = new Watches({ db, log });
    this.#changes = new AccessChanges(store, () => {
      this.#recent.clear();
      this.#watches.check();
    });
    const parts = { db, changes: this.#changes };
    this.workspaces = new Workspaces(parts);
    this.members = new Members(parts);
    this.invitations = new Invitations(parts);
    this.keys = new ApiKeys(parts);
    this.signIns = new SignIns(parts);
    this.links = new Links(parts);
  }

  /** Throws `AUTH_REQUIRED`, `PERMISSION_DENIED` for a workspace that is not theirs or a foreign page, `RATE_LIMITED`. */
  async identify(proof: Proof): Promise<Identity> {
    if (this.#options.open === true) return await this.#openIdentity(proof);
    const { authorization, cookie, workspace } = proof;
    if (authorization !== undefined) {
      const token = /^Bearer ([\x21-\x7e]{1,500})$/i.exec(authorization)?.[1] ?? "";
      return await this.#identifyToken(token, proof);
    }
    if (cookie === undefined) throw authRequired("A token is needed.");
    if (proof.foreign) throw foreignOrigin();
    const hash = hashToken(cookie);
    return await this.#known(`cookie ${hash} ${workspace ?? ""}`, proof, "browser", () =>
      findSignIn(this.#options.store.db, { hash }, workspace),
    );
  }

  /**
   * Watches over what stays open for longer than a request: the signal aborts once the identity is revoked, removed, expired
   * or without the permission. `end` it in any case.
   */
  watch(identity: Identity, permission: Permission): Watch {
    return this.#watches.watch(identity, permission, this.#provedAt.get(identity) === this.#recent.changes);
  }

  /** Exchanges the bootstrap token, an API key or a link's token for a cookie. Throws `AUTH_REQUIRED` or `RATE_LIMITED`. */
  async signIn(token: string, proof: Proof, browser: BrowserSession): Promise<Identity> {
    return await this.#attempt(proof, async () => {
      if (isToken(token, this.#bootstrapHash)) return await this.#signInOperator(proof, browser);
      if (isApiKey(token)) return await this.#signInWithKey(token, proof, browser);
      const identity = await this.links.use(token, proof, browser);
      if (identity === undefined) throw authRequired("This token is wrong, was used already or has expired.");
      return identity;
    });
  }

  /**
   * For what an identity provider has said and signed; `claims` throws where it did not. Throws `AUTH_REQUIRED`,
   * `PERMISSION_DENIED` for who needs an invitation, or `RATE_LIMITED`.
   */
  async signInWithClaims(claims: () => Promise<Claims>, proof: Proof, browser: BrowserSession): Promise<Identity> {
    return await this.#attempt(
      proof,
      async () => await signInWithClaims(this.#changes, await claims(), proof, browser),
      "oidc",
    );
  }

  /** What an invitation is for. Throws `AUTH_REQUIRED` or `RATE_LIMITED`. */
  async lookAtInvitation(token: string, proof: Proof): Promise<OpenInvitation> {
    return await this.#attempt(proof, async () => await this.invitations.open(token));
  }

  /** As who the caller is already where they show that, and as a new person otherwise. Throws as `Invitations.accept`. */
  async acceptInvitation(
    input: { readonly token: string; readonly displayName?: string | undefined },
    proof: Proof,
    browser: BrowserSession,
  ): Promise<Identity> {
    const identity = await this.#identifyIfShown(proof);
    return await this.#attempt(proof, () => this.invitations.accept({ ...input, identity }, proof, browser));
  }

  /** Until they are called something else, the operator has the name that they have on this machine. */
  async nameOperator(): Promise<void> {
    const name = nameOnThisMachine();
    if (name === undefined) return;
    await this.#options.store.db
      .updateTable("users")
      .set({ display_name: name })
      .where("id", "=", operatorId)
      .where("display_name", "=", "Owner")
      .execute();
  }

  /** Writes what waits to be written. */
  async close(): Promise<void> {
    this.#watches.close();
    await Promise.all([this.#refusals.close(), this.#lastSeen.close()]);
  }

  async #openIdentity(proof: Proof): Promise<Identity> {
    if (proof.crossSite === true) throw foreignOrigin();
    const { workspace } = proof;
    return await this.#known(`none ${workspace ?? ""}`, proof, "token", () =>
      findOperator(this.#options.store.db, workspace, "none"),
    );
  }

  async #identifyToken(token: string, proof: Proof): Promise<Identity> {
    const { db } = this.#options.store;
    const { workspace } = proof;
    const hash = hashToken(token);
    if (isSameHash(hash, this.#bootstrapHash)) {
      return await this.#known(`token ${workspace ?? ""}`, proof, "token", () => findOperator(db, workspace, "token"));
    }
    if (!isApiKey(token)) throw this.#wrong({ found: false, why: "unknown" }, proof, "token");
    return await this.#known(`key ${hash} ${workspace ?? ""}`, proof, "key", () => findKey(db, { hash }, workspace));
  }

  async #known(key: string, proof: Proof, what: Shown, find: () => Promise<Finding>): Promise<Identity> {
    const recent = this.#recent.get(key);
    if (recent !== undefined) {
      this.#lastSeen.touch(recent.identity);
      return recent.identity;
    }
    const { changes } = this.#recent;
    const finding = await find();
    if (!finding.found) throw this.#wrong(finding, proof, what);
    this.#recent.add(key, finding, changes);
    this.#provedAt.set(finding.identity, changes);
    this.#lastSeen.touch(finding.identity);
    return finding.identity;
  }

  /** A right proof passes however many wrong ones its address has sent; wrong ones are counted, and soon told to wait. */
  #wrong(finding: Finding & { readonly found: false }, { address }: Proof, what: Shown): BenchtopError {
    const { why, keyId, workspaceId = null } = finding;
    const refusal = refusalOf(finding, what);
    if (why === "no-workspace") return refusal;
    this.#refusals.record({
      event: "token.refused",
      address,
      reason: `${why}-${what}`,
      workspaceId,
      ...(keyId !== undefined && { subjectId: keyId }),
    });
    this.#options.rateLimits.take(address, "wrong-proof");
    return refusal;
  }

  /** A browser that was signed in once and is not any more counts as one that shows nobody. */
  async #identifyIfShown(proof: Proof): Promise<Identity | undefined> {
    const showsNothing = proof.authorization === undefined && proof.cookie === undefined;
    if (showsNothing && this.#options.open !== true) return undefined;
    try {
      return await this.identify(proof);
    } catch (thrown) {
      if (proof.authorization === undefined && BenchtopError.is(thrown) && thrown.code === "AUTH_REQUIRED") {
        return undefined;
      }
      throw thrown;
    }
  }

  /** Ten failures of an address, and it waits: also with the right token, so that nobody learns which it was. */
  async #attempt(proof: Proof, attempt: () => Promise<Identity>, by?: "oidc"): Promise<Identity>;
  async #attempt(proof: Proof, attempt: () => Promise<OpenInvitation>): Promise<OpenInvitation>;
  async #attempt(proof: Proof, attempt: () => Promise<unknown>, by: "token" | "oidc" = "token"): Promise<unknown> {
    const blockedFor = this.#failures.blockedFor(proof.address);
    if (blockedFor > 0) {
      throw new Refusal(429, "RATE_LIMITED", "Too many failed sign-ins. Wait a minute and try again.", {
        detail: { retry_after_ms: blockedFor },
      });
    }
    try {
      return await attempt();
    } catch (thrown) {
      if (BenchtopError.is(thrown) && thrown.code === "AUTH_REQUIRED") {
        this.#failures.failed(proof.address);
        this.#refused(proof, by);
      }
      // Somebody whom the provider knows, and nobody here.
      if (by === "oidc" && BenchtopError.is(thrown) && thrown.code === "PERMISSION_DENIED") this.#refused(proof, by);
      throw thrown;
    }
  }

  #refused({ address }: Proof, reason: string): void {
    this.#refusals.record({ event: "sign-in.failed", address, reason });
  }

  async #signInOperator(proof: Proof, browser: BrowserSession): Promise<Identity> {
    const operator = { userId: operatorId, workspaceId: firstWorkspaceId, method: "token", keyId: null } as const;
    return await this.#changes.in(firstWorkspaceId, (db) =>
      openSignIn(db, { ...operator, confined: false }, proof, browser),
    );
  }

  async #signInWithKey(token: string, proof: Proof, browser: BrowserSession): Promise<Identity> {
    return await this.#changes.anywhere(async (db) => {
      const finding = await findKey(db, { hash: hashToken(token) }, undefined);
      if (!finding.found) throw refusalOf(finding, "key");
      const { userId, workspaceId, keyId } = finding.identity;
      return await openSignIn(db, { userId, workspaceId, keyId, method: "api-key", confined: true }, proof, browser);
    });
  }
}

type Shown = "token" | "key" | "browser";

function nameOnThisMachine(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a user id that has no name.
    return undefined;
  }
}
