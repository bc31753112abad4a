import type { Workspace } from "@benchtop/operations";
import { newId } from "@benchtop/protocol";
import type { AccessChanges, Caller } from "./access-changes.ts";
import type { Database } from "./lookup.ts";
import { addMember } from "./members.ts";
import { pageOf, positionOf, type Page, type PageInput } from "./page.ts";
import { invalid, notFound } from "./refused.ts";
import { firstWorkspaceId, operatorId } from "./standing.ts";

/** Workspaces: organisations with members, workbenches, runs, providers and keys of their own. */
export class Workspaces {
  readonly #db: Database;
  readonly #changes: AccessChanges;

  constructor(parts: { readonly db: Database; readonly changes: AccessChanges }) {
    this.#db = parts.db;
    this.#changes = parts.changes;
  }

  /** One's own, by name; all for the operator, and the one that it is good in for what is confined to one. */
  async list(identity: Caller, { cursor, limit }: PageInput): Promise<Page<Workspace>> {
    const after = positionOf(cursor, 2);
    let query = selectWorkspaces(this.#db, identity.userId);
    if (identity.confined) query = query.where("w.id", "=", identity.workspaceId);
    else if (!identity.operator) query = query.where("m.role", "is not", null);
    if (after !== undefined) {
      const [name, id] = after;
      query = query.where((where) =>
        where.or([where("w.name", ">", name), where.and([where("w.name", "=", name), where("w.id", ">", id)])]),
      );
    }
    const rows = await query
      .orderBy("w.name")
      .orderBy("w.id")
      .limit(limit + 1)
      .execute();
    return pageOf(rows, limit, (row) => [row.name, row.id], toWorkspace);
  }

  /** Its maker is its first owner. */
  async create(identity: Caller, name: string): Promise<Workspace> {
    return await this.#changes.by(identity, "installation:write", async (db, actor, record) => {
      const workspaceId = newId("workspace");
      await db
        .insertInto("workspaces")
        .values({ id: workspaceId, name, created_at: new Date().toISOString() })
        .execute();
      await addMember(db, { workspaceId, userId: actor.userId, role: "owner" });
      await record({ event: "workspace.created", workspaceId, subjectId: workspaceId, subjectName: name });
      return toWorkspace(await workspaceOf(db, workspaceId, actor.userId));
    });
  }

  async rename(identity: Caller, name: string): Promise<Workspace> {
    return await this.#changes.by(identity, "workspace:write", async (db, actor, record) => {
      const { workspaceId } = actor;
      await db.updateTable("workspaces").set({ name }).where("id", "=", workspaceId).execute();
      await record({
        event: "workspace.renamed",
        subjectId: workspaceId,
        subjectName: name,
        detail: { from: actor.workspaceName },
      });
      return toWorkspace(await workspaceOf(db, workspaceId, actor.userId));
    });
  }

  /** Throws `NOT_FOUND`, and `VALIDATION_FAILED` for the first workspace and for one that still holds something. */
  async checkDeletable(workspaceId: string): Promise<void> {
    await checkDeletable(this.#db, workspaceId);
  }

  /**
   * With memberships, keys, sign-ins and invitations. The operator's browsers go to the first workspace. Its providers are
   * removed before, by whoever keeps their keys. Throws as `checkDeletable` does.
   */
  async delete(identity: Caller, workspaceId: string): Promise<void> {
    await this.#changes.by(identity, "installation:write", async (db, _, record) => {
      await this.#changes.lock(db, workspaceId);
      const name = await checkDeletable(db, workspaceId);
      await db
        .updateTable("sign_ins")
        .set({ workspace_id: firstWorkspaceId })
        .where("workspace_id", "=", workspaceId)
        .where("user_id", "=", operatorId)
        .where("key_id", "is", null)
        .execute();
      await db.deleteFrom("sign_ins").where("workspace_id", "=", workspaceId).execute();
      for (const table of ["memberships", "api_keys", "invitations", "uploads", "egress_exceptions"] as const) {
        await db.deleteFrom(table).where("workspace_id", "=", workspaceId).execute();
      }
      await db.deleteFrom("workspaces").where("id", "=", workspaceId).execute();
      await record({ event: "workspace.deleted", workspaceId: null, subjectId: workspaceId, subjectName: name });
    });
  }
}

async function checkDeletable(db: Database, workspaceId: string): Promise<string> {
  const row = await db.selectFrom("workspaces").select("name").where("id", "=", workspaceId).executeTakeFirst();
  if (row === undefined) throw notFound("workspace");
  if (workspaceId === firstWorkspaceId) throw invalid("The first workspace stays; rename it instead.");
  const workbench = await db
    .selectFrom("workbenches")
    .select("id")
    .where("workspace_id", "=", workspaceId)
    .executeTakeFirst();
  if (workbench !== undefined) throw invalid("This workspace still holds workbenches. Delete them first.");
  const run = await db
    .selectFrom("workbench_runs")
    .select("id")
    .where("workspace_id", "=", workspaceId)
    .where("status", "=", "pending")
    .executeTakeFirst();
  if (run !== undefined) throw invalid("Runs of this workspace have not ended. Stop them first.");
  return row.name;
}

async function workspaceOf(db: Database, workspaceId: string, userId: string) {
  return await selectWorkspaces(db, userId).where("w.id", "=", workspaceId).executeTakeFirstOrThrow();
}

function selectWorkspaces(db: Database, userId: string) {
  return db
    .selectFrom("workspaces as w")
    .leftJoin("memberships as m", (join) => join.onRef("m.workspace_id", "=", "w.id").on("m.user_id", "=", userId))
    .select(["w.id", "w.name", "w.created_at", "m.role"])
    .select((query) => [
      query
        .selectFrom("memberships as c")
        .select(({ fn }) => fn.countAll<number | string>().as("count"))
        .whereRef("c.workspace_id", "=", "w.id")
        .as("members"),
      query
        .selectFrom("workbenches as b")
        .select(({ fn }) => fn.countAll<number | string>().as("count"))
        .whereRef("b.workspace_id", "=", "w.id")
        .as("workbenches"),
    ]);
}

function toWorkspace(row: Awaited<ReturnType<typeof workspaceOf>>): Workspace {
  return {
    workspaceId: row.id,
    name: row.name,
    role: row.role,
    members: Number(row.members),
    workbenches: Number(row.workbenches),
    createdAt: row.created_at,
  };
}
