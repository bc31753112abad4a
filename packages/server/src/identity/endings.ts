import type { Database } from "./lookup.ts";

/** Ends what somebody has of a workspace beside their membership: keys, browser sessions, invitations of theirs. */
export async function endAllOf(db: Database, workspaceId: string, userId: string): Promise<void> {
  const keys = await db
    .selectFrom("api_keys")
    .select("id")
    .where("workspace_id", "=", workspaceId)
    .where("user_id", "=", userId)
    .where("revoked_at", "is", null)
    .execute();
  await endKeys(
    db,
    keys.map(({ id }) => id),
  );
  await db.deleteFrom("sign_ins").where("workspace_id", "=", workspaceId).where("user_id", "=", userId).execute();
  await endInvitationsBy(db, workspaceId, userId);
}

/** Revokes keys and all that was made with them: keys, browser sessions, invitations. Returns their ids, the given first. */
export async function endKeys(db: Database, ids: readonly string[]): Promise<readonly string[]> {
  const ended = [...ids];
  let latest = ids;
  while (latest.length > 0) {
    const made = await db
      .selectFrom("api_keys")
      .select("id")
      .where("parent_key_id", "in", latest)
      .where("revoked_at", "is", null)
      .execute();
    latest = made.map(({ id }) => id).filter((id) => !ended.includes(id));
    ended.push(...latest);
  }
  if (ended.length === 0) return ended;
  const now = new Date().toISOString();
  await db.updateTable("api_keys").set({ revoked_at: now }).where("id", "in", ended).execute();
  await db.deleteFrom("sign_ins").where("key_id", "in", ended).execute();
  await db
    .updateTable("invitations")
    .set({ revoked_at: now })
    .where("key_id", "in", ended)
    .where("accepted_at", "is", null)
    .where("revoked_at", "is", null)
    .execute();
  return ended;
}

/** What somebody invited to is worth no more than what they may still give. */
export async function endInvitationsBy(db: Database, workspaceId: string, userId: string): Promise<void> {
  await db
    .updateTable("invitations")
    .set({ revoked_at: new Date().toISOString() })
    .where("workspace_id", "=", workspaceId)
    .where("invited_by", "=", userId)
    .where("accepted_at", "is", null)
    .where("revoked_at", "is", null)
    .execute();
}
