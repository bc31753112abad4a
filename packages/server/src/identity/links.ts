import type { Identity } from "@benchtop/operations";
import type { BrowserSession } from "../api/handler.ts";
import type { AccessChanges, Caller } from "./access-changes.ts";
import { findAgain } from "./lookup.ts";
import { memberOf } from "./members.ts";
import { OneTimeTokens } from "./one-time-tokens.ts";
import type { Proof } from "./proof.ts";
import { denied, invalid } from "./refused.ts";
import { openSignIn } from "./sign-ins.ts";
import { firstWorkspaceId, isAbove, mayGrant, operatorId } from "./standing.ts";

/** What a link is good for, and who made it: it ends with them. */
interface Grant {
  readonly userId: string;
  readonly workspaceId: string;
  readonly keyId: string | null;
  readonly confined: boolean;
  /** Undefined for the daemon itself, which prints one when it starts. */
  readonly maker: Identity | undefined;
}

export interface Link {
  readonly token: string;
  readonly expiresAt: Date;
}

/** One-time links that sign one browser in. None signs in more than its maker could do at that moment. */
export class Links {
  readonly #changes: AccessChanges;
  readonly #tokens = new OneTimeTokens<Grant>();

  constructor(parts: { readonly changes: AccessChanges }) {
    this.#changes = parts.changes;
  }

  /** For whoever can read what the daemon prints. */
  createForOperator(): Link {
    const operator = { userId: operatorId, workspaceId: firstWorkspaceId };
    return this.#tokens.create({ ...operator, keyId: null, confined: false, maker: undefined });
  }

  /** For another browser of one's own; one that a key makes is limited by the key. */
  async createForSelf(identity: Identity): Promise<Link> {
    return await this.#changes.by(identity, "self", async (_, actor, record) => {
      if (actor.kind === "service") throw denied("A service has no browser.");
      const { userId, workspaceId, keyId, confined } = actor;
      await record({
        event: "link.created",
        subjectId: userId,
        subjectName: actor.displayName,
      });
      return this.#tokens.create({ userId, workspaceId, keyId, confined, maker: actor });
    });
  }

  /**
   * For a member below the caller: a session that is good in this workspace alone, since in others the caller may be nobody.
   * The operator's links are not confined. Throws `NOT_FOUND` and `PERMISSION_DENIED`.
   */
  async createForMember(identity: Caller, userId: string): Promise<Link> {
    return await this.#changes.by(identity, "members:write", async (db, actor, record) => {
      const { workspaceId, keyId, operator } = actor;
      const member = await memberOf(db, workspaceId, userId);
      if (member.kind === "service") throw invalid("A service has no browser. Make it an API key instead.");
      const isBelow = isAbove(actor, member.role) && mayGrant(actor, member.role);
      if ((userId === operatorId && !operator) || !isBelow) {
        throw denied("A link can be made for members of a role below yours alone.");
      }
      await record({
        event: "link.created",
        subjectId: userId,
        subjectName: member.displayName,
      });
      return this.#tokens.create({ userId, workspaceId, keyId, confined: !operator, maker: actor });
    });
  }

  /** Undefined for a token that is no link's, was used, or whose maker could not make it any more. */
  async use(token: string, proof: Proof, browser: BrowserSession): Promise<Identity | undefined> {
    const grant = this.#tokens.use(token);
    if (grant === undefined) return undefined;
    const { maker, ...whose } = grant;
    return await this.#changes.in(grant.workspaceId, async (db) => {
      if (maker !== undefined && !(await findAgain(db, maker)).found) return undefined;
      return await openSignIn(db, { ...whose, method: "link" }, proof, browser);
    });
  }
}
