import type { Identity, Member, Role } from "@benchtop/operations";
import type { AccessChanges, Caller } from "./access-changes.ts";
import { endAllOf, endInvitationsBy } from "./endings.ts";
import type { Database } from "./lookup.ts";
import { pageOf, positionOf, type Page, type PageInput } from "./page.ts";
import { denied, invalid, notFound } from "./refused.ts";
import { higher, mayDecideAbout, mayGrant } from "./standing.ts";

/** Who belongs to a workspace, and as what. Nobody touches who stands above them, and one owner stays. */
export class Members {
  readonly #db: Database;
  readonly #changes: AccessChanges;

  constructor(parts: { readonly db: Database; readonly changes: AccessChanges }) {
    this.#db = parts.db;
    this.#changes = parts.changes;
  }

  async list({ workspaceId }: Identity, { cursor, limit }: PageInput): Promise<Page<Member>> {
    const after = positionOf(cursor, 2);
    let query = selectMembers(this.#db, workspaceId);
    if (after !== undefined) {
      const [name, id] = after;
      query = query.where((where) =>
        where.or([
          where("u.display_name", ">", name),
          where.and([where("u.display_name", "=", name), where("u.id", ">", id)]),
        ]),
      );
    }
    const rows = await query
      .orderBy("u.display_name")
      .orderBy("u.id")
      .limit(limit + 1)
      .execute();
    return pageOf(rows, limit, (row) => [row.display_name, row.id], toMember);
  }

  /** Throws `NOT_FOUND`, or `PERMISSION_DENIED` for somebody, or a role, above the caller, and for the last owner. */
  async setRole(identity: Caller, userId: string, role: Role): Promise<Member> {
    return await this.#changes.by(identity, "members:write", async (db, actor, record) => {
      const member = await memberOf(db, actor.workspaceId, userId);
      if (!mayDecideAbout(actor, member.role)) throw aboveYou();
      if (member.role === role) return member;
      const isPromotion = higher(role, member.role) === role;
      if (isPromotion && !mayGrant(actor, role)) throw beyondYou(role);
      if (member.role === "owner") await keepAnOwner(db, actor.workspaceId, userId);
      await db
        .updateTable("memberships")
        .set({ role })
        .where("workspace_id", "=", actor.workspaceId)
        .where("user_id", "=", userId)
        .execute();
      if (!isPromotion) await endInvitationsBy(db, actor.workspaceId, userId);
      await record({
        event: "member.role-changed",
        subjectId: userId,
        subjectName: member.displayName,
        detail: { from: member.role, to: role },
      });
      return { ...member, role };
    });
  }

  /** With their keys, sign-ins and open invitations for this workspace. Throws as `setRole` does. */
  async remove(identity: Caller, userId: string): Promise<void> {
    await this.#changes.by(identity, "members:write", async (db, actor, record) => {
      const { workspaceId } = actor;
      const member = await memberOf(db, workspaceId, userId);
      if (!mayDecideAbout(actor, member.role)) throw aboveYou();
      if (member.role === "owner") await keepAnOwner(db, workspaceId, userId);
      await db
        .deleteFrom("memberships")
        .where("workspace_id", "=", workspaceId)
        .where("user_id", "=", userId)
        .execute();
      await endAllOf(db, workspaceId, userId);
      await record({
        event: "member.removed",
        subjectId: userId,
        subjectName: member.displayName,
        detail: { role: member.role },
      });
    });
  }
}

/** Makes a user a member, or a member more than they were. Returns false when they are as much already. */
export async function addMember(
  db: Database,
  { workspaceId, userId, role }: { readonly workspaceId: string; readonly userId: string; readonly role: Role },
): Promise<boolean> {
  const known = await selectMembers(db, workspaceId).where("u.id", "=", userId).executeTakeFirst();
  if (known !== undefined && higher(known.role, role) === known.role) return false;
  await db
    .insertInto("memberships")
    .values({ workspace_id: workspaceId, user_id: userId, role, created_at: new Date().toISOString() })
    .onConflict((conflict) => conflict.columns(["workspace_id", "user_id"]).doUpdateSet({ role }))
    .execute();
  return true;
}

/** Throws `NOT_FOUND`. */
export async function memberOf(db: Database, workspaceId: string, userId: string): Promise<Member> {
  const row = await selectMembers(db, workspaceId).where("u.id", "=", userId).executeTakeFirst();
  if (row === undefined) throw notFound("member");
  return toMember(row);
}

export function beyondYou(role: Role): Error {
  return denied(`You cannot give the role ${role}: it may do more than you may at this moment.`, { role });
}

function aboveYou(): Error {
  return denied("This member stands above you.");
}

async function keepAnOwner(db: Database, workspaceId: string, userId: string): Promise<void> {
  const other = await db
    .selectFrom("memberships as m")
    .innerJoin("users as u", "u.id", "m.user_id")
    .select("m.user_id")
    .where("m.workspace_id", "=", workspaceId)
    .where("m.role", "=", "owner")
    .where("m.user_id", "!=", userId)
    // A program cannot look after a workspace.
    .where("u.kind", "=", "person")
    .executeTakeFirst();
  if (other === undefined) throw invalid("One owner has to stay. Make somebody else an owner first.");
}

function selectMembers(db: Database, workspaceId: string) {
  return db
    .selectFrom("memberships as m")
    .innerJoin("users as u", "u.id", "m.user_id")
    .select(["u.id", "u.display_name", "u.email", "u.kind", "u.oidc_subject", "u.last_seen_at"])
    .select(["m.role", "m.created_at"])
    .where("m.workspace_id", "=", workspaceId);
}

function toMember(row: Awaited<ReturnType<ReturnType<typeof selectMembers>["execute"]>>[number]): Member {
  return {
    userId: row.id,
    displayName: row.display_name,
    email: row.email,
    kind: row.kind,
    role: row.role,
    oidc: row.oidc_subject !== null,
    createdAt: row.created_at,
    lastSeenAt: row.last_seen_at,
  };
}
