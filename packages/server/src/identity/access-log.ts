import type { AccessEvent, AccessEventName, Identity } from "@benchtop/operations";
import { newId } from "@benchtop/protocol";
import type { Database } from "./lookup.ts";
import { pageOf, positionOf, type Page, type PageInput } from "./page.ts";

export interface AccessEntry {
  readonly event: AccessEventName;
  /** Null for what no workspace knows of: the operator alone sees it. */
  readonly workspaceId: string | null;
  readonly actorId: string | null;
  readonly subjectId?: string | null;
  /** As it was called then. */
  readonly subjectName?: string | null;
  readonly address?: string | null;
  /** Ids, names of roles and counts; no secret, and no text of a request. */
  readonly detail?: Readonly<Record<string, string>>;
}

/** Writes one line of the audit; with the change that it tells of, where it is given that change's transaction. */
export async function recordAccess(db: Database, entry: AccessEntry): Promise<void> {
  await db
    .insertInto("access_events")
    .values({
      id: newId("access"),
      at: new Date().toISOString(),
      event: entry.event,
      workspace_id: entry.workspaceId,
      actor_id: entry.actorId,
      subject_id: entry.subjectId ?? null,
      subject_name: entry.subjectName ?? null,
      address: entry.address ?? null,
      detail: JSON.stringify(entry.detail ?? {}),
    })
    .execute();
}

/** The audit of the caller's workspace, newest first; what belongs to no workspace is shown to the operator alone. */
export async function listAccess(
  db: Database,
  identity: Identity,
  input: PageInput & { readonly event?: AccessEventName | undefined; readonly userId?: string | undefined },
): Promise<Page<AccessEvent>> {
  const { event, userId } = input;
  let query = db
    .selectFrom("access_events as e")
    .leftJoin("users as u", "u.id", "e.actor_id")
    .selectAll("e")
    .select("u.display_name as actor_name")
    .where((where) => {
      const ours = where("e.workspace_id", "=", identity.workspaceId);
      return identity.operator ? where.or([ours, where("e.workspace_id", "is", null)]) : ours;
    });
  const after = positionOf(input.cursor, 1);
  if (after !== undefined) query = query.where("e.id", "<", after[0]);
  if (event !== undefined) query = query.where("e.event", "=", event);
  if (userId !== undefined) {
    query = query.where((where) => where.or([where("e.actor_id", "=", userId), where("e.subject_id", "=", userId)]));
  }
  const rows = await query
    .orderBy("e.id", "desc")
    .limit(input.limit + 1)
    .execute();
  return pageOf(
    rows,
    input.limit,
    (row) => [row.id],
    (row) => ({
      id: row.id,
      at: row.at,
      event: row.event as AccessEventName,
      actorId: row.actor_id,
      actorName: row.actor_name,
      subjectId: row.subject_id,
      subjectName: row.subject_name,
      address: row.address,
      detail: JSON.parse(row.detail) as Record<string, string>,
    }),
  );
}
