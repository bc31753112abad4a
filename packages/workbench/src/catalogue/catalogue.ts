import { BenchtopError, newId } from "@benchtop/protocol";
import { syncFolder } from "@benchtop/store";
import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { folderOf, now, type Environment } from "../environment.ts";
import { makeManifest } from "../files/manifest.ts";
import { saving } from "../files/saving.ts";
import { scopeOf } from "../memory/memory.ts";
import { decodeCursor, encodeCursor, type Page, type PageInput } from "../page.ts";
import { twinKey } from "../path/workbench-path.ts";
import type { Selectable } from "../rows.ts";
import { makeDurableFolder, recoverFolders } from "../published/recovery.ts";

/** As the API shows a workbench. */
export interface Workbench {
  readonly workbenchId: string;
  readonly name: string;
  readonly fileCount: number;
  readonly totalBytes: number;
  readonly manifestHash: string;
  readonly hasDraft: boolean;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly publishedDir: string;
  readonly sessionId: string;
  readonly memory: boolean;
}

export type WorkbenchRow = Selectable<"workbenches">;

/** Which workbenches there are, by id and by name. */
export class Catalogue {
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  async create(input: { name: string; userId: string; workspaceId: string }): Promise<Workbench> {
    const { workspaceId } = input;
    const name = checkedName(input.name);
    const make = async (): Promise<Workbench> => {
      await this.#refuseTaken(workspaceId, name);
      const { store, manifests } = this.#environment;
      const empty = makeManifest([]);
      await manifests.save(empty);
      const id = newId("workbench");
      const sessionId = newId("session");
      const at = now();
      await store.db.transaction().execute(async (transaction) => {
        await transaction
          .insertInto("conversations")
          .values({
            id: sessionId,
            workspace_id: workspaceId,
            workbench_id: id,
            user_id: input.userId,
            title: name,
            created_at: at,
          })
          .execute();
        await transaction
          .insertInto("workbenches")
          .values({
            id,
            workspace_id: workspaceId,
            name,
            name_key: twinKey(name),
            session_id: sessionId,
            manifest_hash: empty.hash,
            file_count: 0,
            total_bytes: 0,
            created_at: at,
            updated_at: at,
            deleting: 0,
            memory: 0,
          })
          .execute();
      });
      await store.flush();
      await recoverFolders(this.#environment, id);
      return await this.open(id);
    };
    return await this.#environment.locks.run("names", () => saving(make));
  }

  async list(input: PageInput & { workspaceId: string }): Promise<Page<Workbench>> {
    const after = decodeCursor(input.cursor, 2);
    const { db } = this.#environment.store;
    let query = db
      .selectFrom("workbenches")
      .leftJoin("drafts", "drafts.workbench_id", "workbenches.id")
      .selectAll("workbenches")
      .select("drafts.id as draft_id")
      .where("workbenches.deleting", "=", 0)
      .where("workbenches.workspace_id", "=", input.workspaceId)
      .orderBy("workbenches.updated_at", "desc")
      .orderBy("workbenches.id", "desc")
      .limit(input.limit + 1);
    const [at, id] = after ?? [];
    if (at !== undefined && id !== undefined) {
      query = query.where((where) =>
        where.or([
          where("workbenches.updated_at", "<", at),
          where.and([where("workbenches.updated_at", "=", at), where("workbenches.id", "<", id)]),
        ]),
      );
    }
    const rows = await query.execute();
    const shown = rows.slice(0, input.limit);
    const last = shown.at(-1);
    return {
      items: shown.map((row) => this.#present(row, row.draft_id !== null)),
      nextCursor: rows.length > input.limit && last ? encodeCursor([last.updated_at, last.id]) : null,
    };
  }

  /** By id. Throws `NOT_FOUND`. */
  async open(id: string): Promise<Workbench> {
    const row = await this.find(id);
    const draft = await this.#environment.store.db
      .selectFrom("drafts")
      .select("id")
      .where("workbench_id", "=", row.id)
      .executeTakeFirst();
    return this.#present(row, draft !== undefined);
  }

  /** The id of a workbench of a workspace, by id, else by name; one that is being deleted is not there. Throws `NOT_FOUND`. */
  async idOf(ref: string, workspaceId: string): Promise<string> {
    const rows = await this.#environment.store.db
      .selectFrom("workbenches")
      .select("id")
      .where("deleting", "=", 0)
      .where("workspace_id", "=", workspaceId)
      .where((where) => where.or([where("id", "=", ref), where("name_key", "=", twinKey(ref.trim()))]))
      .execute();
    const row = rows.find(({ id }) => id === ref) ?? rows[0];
    if (row) return row.id;
    throw unknownWorkbench(ref);
  }

  /** The row of a workbench; one that is being deleted is not there. Throws `NOT_FOUND`. */
  async find(id: string): Promise<WorkbenchRow> {
    const row = await this.#environment.store.db
      .selectFrom("workbenches")
      .selectAll()
      .where("deleting", "=", 0)
      .where("id", "=", id)
      .executeTakeFirst();
    if (row) return row;
    throw unknownWorkbench(id);
  }

  async rename(input: { workbenchId: string; name: string }): Promise<Workbench> {
    const name = checkedName(input.name);
    return await this.#environment.locks.run("names", async () => {
      const row = await this.find(input.workbenchId);
      await this.#refuseTaken(row.workspace_id, name, row.id);
      await this.#environment.store.db
        .updateTable("workbenches")
        .set({ name, name_key: twinKey(name), updated_at: now() })
        .where("id", "=", row.id)
        .execute();
      await this.#environment.store.flush();
      return await this.open(row.id);
    });
  }

  /** Marked first, then removed; what a crash leaves, `finishDeletion` completes. The caller holds the lock and has checked the gate. */
  async delete(row: WorkbenchRow): Promise<void> {
    const { store } = this.#environment;
    await store.db.updateTable("workbenches").set({ deleting: 1 }).where("id", "=", row.id).execute();
    await store.flush();
    await this.finishDeletion(row.id);
  }

  async finishDeletion(id: string): Promise<void> {
    const { store } = this.#environment;
    const folder = folderOf(this.#environment, id);
    await rm(folder, { recursive: true, force: true });
    // On disk before the row goes: once no row names the folder, nothing would ever remove it.
    await makeDurableFolder(dirname(folder));
    await syncFolder(dirname(folder));
    await store.db.transaction().execute(async (transaction) => {
      const drafts = transaction.selectFrom("drafts").select("id").where("workbench_id", "=", id);
      for (const table of ["draft_changes", "draft_decisions"] as const) {
        await transaction.deleteFrom(table).where("draft_id", "in", drafts).execute();
      }
      const own = ["drafts", "checkpoints", "publish_intents", "consents", "context_items", "file_origins"] as const;
      for (const table of own) {
        await transaction.deleteFrom(table).where("workbench_id", "=", id).execute();
      }
      await transaction.deleteFrom("memories").where("scope", "=", scopeOf(id)).execute();
      const sessions = transaction.selectFrom("workbenches").select("session_id").where("id", "=", id);
      await transaction.deleteFrom("conversation_turns").where("session_id", "in", sessions).execute();
      await transaction.deleteFrom("conversation_heads").where("session_id", "in", sessions).execute();
      await transaction.deleteFrom("conversations").where("workbench_id", "=", id).execute();
      await transaction.deleteFrom("workbenches").where("id", "=", id).execute();
    });
    await store.flush();
  }

  async #refuseTaken(workspaceId: string, name: string, except?: string): Promise<void> {
    const taken = await this.#environment.store.db
      .selectFrom("workbenches")
      .select(["id", "name"])
      .where("workspace_id", "=", workspaceId)
      .where("name_key", "=", twinKey(name))
      .executeTakeFirst();
    if (!taken || taken.id === except) return;
    throw new BenchtopError("VALIDATION_FAILED", `There is a workbench "${taken.name}" already. Choose another name.`, {
      phase: "workbench",
    });
  }

  #present(row: WorkbenchRow, hasDraft: boolean): Workbench {
    return {
      workbenchId: row.id,
      name: row.name,
      fileCount: row.file_count,
      totalBytes: row.total_bytes,
      manifestHash: row.manifest_hash,
      hasDraft,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
      publishedDir: `${folderOf(this.#environment, row.id)}/published`,
      sessionId: row.session_id,
      memory: row.memory === 1,
    };
  }
}

function unknownWorkbench(ref: string): BenchtopError {
  return new BenchtopError("NOT_FOUND", `There is no workbench "${ref.slice(0, 100)}". List them to see their names.`, {
    phase: "workbench",
  });
}

/** A name is shown everywhere and typed in shells: one line of visible characters, and never mistaken for an id. */
function checkedName(text: string): string {
  const name = text.trim().normalize("NFC");
  const why =
    name === "" || name.length > 100
      ? "it needs 1 to 100 characters"
      : !name.isWellFormed() || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(name)
        ? "it holds a character that cannot be seen"
        : /^wb_/i.test(name)
          ? "names that start with wb_ are ids"
          : undefined;
  if (why === undefined) return name;
  throw new BenchtopError("VALIDATION_FAILED", `A workbench cannot have this name: ${why}.`, { phase: "workbench" });
}
