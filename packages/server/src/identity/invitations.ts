import type { Identity, Invitation, Role } from "@benchtop/operations";
import { newId } from "@benchtop/protocol";
import type { BrowserSession } from "../api/handler.ts";
import { recordAccess } from "./access-log.ts";
import type { AccessChanges, Caller } from "./access-changes.ts";
import { expiryOf } from "./api-keys.ts";
import { findAgain, type Database } from "./lookup.ts";
import { addMember, beyondYou } from "./members.ts";
import { pageOf, positionOf, type Page, type PageInput } from "./page.ts";
import type { Proof } from "./proof.ts";
import { authRequired, denied, invalid, notFound } from "./refused.ts";
import { openSignIn } from "./sign-ins.ts";
import { mayGrant } from "./standing.ts";
import { hashToken, newToken } from "./token.ts";

export interface NewInvitation {
  readonly role: Role;
  readonly email?: string | undefined;
  readonly expiresInDays: number;
}

/** An invitation that can be taken at this moment. */
export interface OpenInvitation {
  readonly id: string;
  readonly workspaceId: string;
  readonly workspaceName: string;
  readonly email: string | null;
  readonly role: Role;
  readonly expiresAt: string;
}

/** Open at the same time, in one workspace. */
const maxOpen = 500;

/**
 * Invitations into a workspace: a token that is shown once and good once, or an e-mail address that an identity provider
 * vouches for. One is worth what its maker may give: it ends when they are removed or lose their role, and with the key
 * that it was made with.
 */
export class Invitations {
  readonly #db: Database;
  readonly #changes: AccessChanges;

  constructor(parts: { readonly db: Database; readonly changes: AccessChanges }) {
    this.#db = parts.db;
    this.#changes = parts.changes;
  }

  async list({ workspaceId }: Identity, { cursor, limit }: PageInput): Promise<Page<Invitation>> {
    const after = positionOf(cursor, 1);
    let query = selectInvitations(this.#db, workspaceId);
    if (after !== undefined) query = query.where("i.id", "<", after[0]);
    const rows = await query
      .orderBy("i.id", "desc")
      .limit(limit + 1)
      .execute();
    return pageOf(rows, limit, (row) => [row.id], toInvitation);
  }

  /** The token is told this once. Throws `PERMISSION_DENIED` for a role that the caller cannot give. */
  async create(
    identity: Caller,
    { role, email, expiresInDays }: NewInvitation,
  ): Promise<{ readonly invitation: Invitation; readonly token: string }> {
    return await this.#changes.by(identity, "members:write", async (db, actor, record) => {
      if (!mayGrant(actor, role)) throw beyondYou(role);
      await checkCount(db, actor.workspaceId);
      const token = newToken();
      const invitationId = newId("invitation");
      await db
        .insertInto("invitations")
        .values({
          id: invitationId,
          workspace_id: actor.workspaceId,
          token_hash: hashToken(token),
          email: email ?? null,
          role,
          invited_by: actor.userId,
          key_id: actor.keyId,
          created_at: new Date().toISOString(),
          expires_at: (await expiryOf(db, actor, expiresInDays)) ?? "",
          accepted_at: null,
          accepted_by: null,
          revoked_at: null,
        })
        .execute();
      await record({
        event: "invitation.created",
        subjectId: invitationId,
        subjectName: email ?? null,
        detail: { role },
      });
      const row = await selectInvitations(db, actor.workspaceId)
        .where("i.id", "=", invitationId)
        .executeTakeFirstOrThrow();
      return { invitation: toInvitation(row), token };
    });
  }

  /** Throws `NOT_FOUND` for one that is not there, or not open any more. */
  async revoke(identity: Caller, invitationId: string): Promise<void> {
    await this.#changes.by(identity, "members:write", async (db, actor, record) => {
      const { numUpdatedRows } = await db
        .updateTable("invitations")
        .set({ revoked_at: new Date().toISOString() })
        .where("id", "=", invitationId)
        .where("workspace_id", "=", actor.workspaceId)
        .where("accepted_at", "is", null)
        .where("revoked_at", "is", null)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) throw notFound("open invitation");
      await record({
        event: "invitation.revoked",
        subjectId: invitationId,
      });
    });
  }

  /** Throws `AUTH_REQUIRED` for a token that opens nothing. */
  async open(token: string): Promise<OpenInvitation> {
    const invitation = await findOpenInvitation(this.#db, { token });
    if (invitation === undefined) throw notOpen();
    return invitation;
  }

  /**
   * Takes an invitation and signs the browser in: as a new person, or as who they are already, in the workspace of the
   * invitation. Throws `AUTH_REQUIRED` for a token that opens nothing, `PERMISSION_DENIED` for an invitation to an address
   * that is not proved, or by a key: that speaks for one workspace only.
   */
  async accept(
    {
      token,
      displayName,
      identity,
    }: { token: string; displayName?: string | undefined; identity: Identity | undefined },
    proof: Proof,
    browser: BrowserSession,
  ): Promise<Identity> {
    const { workspaceId } = await this.open(token);
    return await this.#changes.in(workspaceId, async (db) => {
      const invitation = await findOpenInvitation(db, { token });
      if (invitation === undefined) throw notOpen();
      if (invitation.email !== null && !(await isProved(db, identity, invitation.email))) {
        throw denied("This invitation names an address. Sign in with the team's identity provider to take it.");
      }
      if (identity === undefined) {
        if (displayName === undefined) throw invalid("Say how you are called.");
        const userId = await addPerson(db, { displayName });
        await takeInvitation(db, invitation, userId, proof.address);
        return await openSignIn(
          db,
          { userId, workspaceId, method: "invitation", keyId: null, confined: false },
          proof,
          browser,
        );
      }
      if (identity.confined) throw denied("A key or a confined session cannot join a workspace. Sign in as yourself.");
      await takeInvitation(db, invitation, identity.userId, proof.address);
      return await workIn(db, identity, invitation.workspaceId);
    });
  }
}

/** Makes who takes it a member, once. Throws `AUTH_REQUIRED` when somebody else was first. */
export async function takeInvitation(
  db: Database,
  invitation: OpenInvitation,
  userId: string,
  address: string,
): Promise<void> {
  const { id, workspaceId, role } = invitation;
  if (!(await addMember(db, { workspaceId, userId, role }))) {
    throw invalid("You are a member of this workspace already.");
  }
  const now = new Date().toISOString();
  const { numUpdatedRows } = await db
    .updateTable("invitations")
    .set({ accepted_at: now, accepted_by: userId })
    .where("id", "=", id)
    .where("accepted_at", "is", null)
    .where("revoked_at", "is", null)
    .where("expires_at", ">", now)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) throw notOpen();
  const user = await db.selectFrom("users").select("display_name").where("id", "=", userId).executeTakeFirstOrThrow();
  await recordAccess(db, {
    event: "member.added",
    workspaceId,
    actorId: userId,
    address,
    subjectId: userId,
    subjectName: user.display_name,
    detail: { role, invitation: id },
  });
}

/** By its token, or by the address that it names. */
export async function findOpenInvitation(
  db: Database,
  by: { readonly token: string } | { readonly email: string },
): Promise<OpenInvitation | undefined> {
  const row = await db
    .selectFrom("invitations as i")
    .innerJoin("workspaces as w", "w.id", "i.workspace_id")
    .select(["i.id", "i.workspace_id", "w.name as workspace_name", "i.email", "i.role", "i.expires_at"])
    .where("token" in by ? "i.token_hash" : "i.email", "=", "token" in by ? hashToken(by.token) : by.email)
    .where("i.accepted_at", "is", null)
    .where("i.revoked_at", "is", null)
    .where("i.expires_at", ">", new Date().toISOString())
    .orderBy("i.id")
    .executeTakeFirst();
  if (row === undefined) return undefined;
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    workspaceName: row.workspace_name,
    email: row.email,
    role: row.role,
    expiresAt: row.expires_at,
  };
}

export async function addPerson(
  db: Database,
  person: {
    readonly displayName: string;
    readonly email?: string | null;
    readonly oidc?: { readonly issuer: string; readonly subject: string };
  },
): Promise<string> {
  const id = newId("user");
  await db
    .insertInto("users")
    .values({
      id,
      kind: "person",
      display_name: person.displayName,
      email: person.email ?? null,
      oidc_issuer: person.oidc?.issuer ?? null,
      oidc_subject: person.oidc?.subject ?? null,
      created_at: new Date().toISOString(),
      last_seen_at: null,
    })
    .execute();
  return id;
}

export function notOpen(): Error {
  return authRequired("This invitation is not open: it was taken, taken back, has expired or never was.");
}

/** Addresses of users are those that an identity provider vouched for. */
async function isProved(db: Database, identity: Identity | undefined, email: string): Promise<boolean> {
  if (identity === undefined || identity.confined) return false;
  const user = await db
    .selectFrom("users")
    .select(["email", "oidc_subject"])
    .where("id", "=", identity.userId)
    .executeTakeFirst();
  return user?.email === email && user.oidc_subject !== null;
}

/** Who was there before stays signed in, and goes to the workspace that they have joined. */
async function workIn(db: Database, identity: Caller, workspaceId: string): Promise<Identity> {
  const { signInId } = identity;
  if (signInId !== null) {
    await db.updateTable("sign_ins").set({ workspace_id: workspaceId }).where("id", "=", signInId).execute();
  }
  const finding = await findAgain(db, { ...identity, workspaceId });
  if (!finding.found) throw authRequired("This browser is not signed in any more.");
  return finding.identity;
}

async function checkCount(db: Database, workspaceId: string): Promise<void> {
  const { count } = await db
    .selectFrom("invitations")
    .select(({ fn }) => fn.countAll<number | string>().as("count"))
    .where("workspace_id", "=", workspaceId)
    .where("accepted_at", "is", null)
    .where("revoked_at", "is", null)
    .where("expires_at", ">", new Date().toISOString())
    .executeTakeFirstOrThrow();
  if (Number(count) >= maxOpen) throw invalid(`There are ${maxOpen} open invitations already. Take some back first.`);
}

function selectInvitations(db: Database, workspaceId: string) {
  return db.selectFrom("invitations as i").selectAll("i").where("i.workspace_id", "=", workspaceId);
}

function toInvitation(row: Awaited<ReturnType<ReturnType<typeof selectInvitations>["execute"]>>[number]): Invitation {
  const isExpired = row.expires_at <= new Date().toISOString();
  return {
    invitationId: row.id,
    email: row.email,
    role: row.role,
    invitedBy: row.invited_by,
    status:
      row.accepted_at !== null ? "accepted" : row.revoked_at !== null ? "revoked" : isExpired ? "expired" : "open",
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  };
}
