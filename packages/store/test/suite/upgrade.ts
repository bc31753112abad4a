import { join } from "node:path";
import { Kysely, PostgresDialect, sql } from "kysely";
import { Pool } from "pg";
import { expect } from "vitest";
import { migrations } from "../../src/migrations/migrate.ts";
import { openStore, type StoreOptions } from "../../src/store.ts";
import { sqliteDialect } from "../../src/sqlite/dialect.ts";
import { SqliteWriter } from "../../src/sqlite/writer.ts";
import type { SuiteSubject } from "./subject.ts";

/** What was written before there were identities opens with them. */
export function upgradeSuite(subject: SuiteSubject): void {
  subject.test("S13 data of before identities belongs to the first workspace and to the operator", async () => {
    const options = await subject.place();
    await writeOld(options, "0007", writeBeforeIdentities);
    const store = await openStore(options);
    try {
      const { db } = store;
      const all = (table: "users" | "memberships" | "providers" | "uploads" | "egress_events" | "workbench_runs") =>
        db.selectFrom(table).selectAll().execute();
      expect(await all("users")).toMatchObject([{ id: "owner", kind: "person", oidc_subject: null }]);
      expect(await all("memberships")).toMatchObject([{ workspace_id: "default", user_id: "owner", role: "owner" }]);
      expect(await all("providers")).toMatchObject([
        { workspace_id: "default", name: "loop", kind: "openai-chat", local: 1, secret_ref: "secret-1" },
      ]);
      expect(await all("uploads")).toMatchObject([
        { workspace_id: "default", sha256: "ab", user_id: "owner", bytes: 7 },
      ]);
      expect(await all("egress_events")).toMatchObject([{ workspace_id: "default", host: "api.example" }]);
      expect(await all("workbench_runs")).toMatchObject([
        { workspace_id: "default", user_id: "owner", title: "Asked" },
      ]);
      // Cookies of before name no workspace: their browsers sign in again.
      expect(await db.selectFrom("sign_ins").selectAll().execute()).toEqual([]);
      expect(await db.selectFrom("idempotency_keys").selectAll().execute()).toEqual([]);
      await db
        .insertInto("providers")
        .values({ ...newProvider, workspace_id: "another", name: "loop" })
        .execute();
    } finally {
      await store.close();
    }
    // It is brought up to date once.
    await (await openStore(options)).close();
  });

  subject.test(
    "S13 what was said before conversations were chains is one, and checkpoints know their place in it",
    async () => {
      const options = await subject.place();
      await writeOld(options, "0008", writeConversation);
      const store = await openStore(options);
      try {
        const { db } = store;
        const turns = await db
          .selectFrom("conversation_turns")
          .select(["run_id", "previous_run_id", "kind"])
          .orderBy("created_at")
          .execute();
        expect(turns).toEqual([
          { run_id: "run_a", previous_run_id: null, kind: "agent" },
          { run_id: "run_b", previous_run_id: "run_a", kind: "publish" },
          { run_id: "run_c", previous_run_id: "run_b", kind: "agent" },
        ]);
        expect(await db.selectFrom("conversation_heads").selectAll().execute()).toEqual([
          { workspace_id: "default", session_id: "ses_1", run_id: "run_c" },
        ]);
        const checkpoints = await db.selectFrom("checkpoints").select(["id", "head_run_id"]).orderBy("id").execute();
        expect(checkpoints).toEqual([
          { id: "cp_manual", head_run_id: "run_c" },
          { id: "cp_publish", head_run_id: "run_a" },
        ]);
      } finally {
        await store.close();
      }
    },
  );
}

/** A conversation of before: an agent, a publish with its checkpoint, an agent, and a checkpoint by hand. */
async function writeConversation(db: Kysely<unknown>): Promise<void> {
  await sql`INSERT INTO workbenches (id, workspace_id, name, name_key, session_id, manifest_hash, file_count, total_bytes,
      created_at, updated_at, deleting, memory)
    VALUES ('wb_1', 'default', 'w', 'w', 'ses_1', 'ab', 0, 0, ${now}, ${now}, 0, 0)`.execute(db);
  const runs = [
    ["a", "agent", "01"],
    ["b", "publish", "02"],
    ["c", "agent", "03"],
  ] as const;
  for (const [name, kind, day] of runs) {
    await sql`INSERT INTO workbench_runs (id, run_id, trace_id, kind, user_id, workspace_id, workbench_id, session_id, contract,
        status, title, metadata, started_at, input_tokens, output_tokens, steps, tool_calls)
      VALUES (${`row_${name}`}, ${`run_${name}`}, 'trace', ${kind}, 'owner', 'default', 'wb_1', 'ses_1', '{}', 'success', '', '{}',
        ${`2026-11-${day}T00:00:00.000Z`}, 0, 0, 0, 0)`.execute(db);
  }
  await sql`INSERT INTO checkpoints (id, workbench_id, reason, manifest_hash, created_at, run_id, file_count, total_bytes)
    VALUES ('cp_publish', 'wb_1', 'publish', 'ab', '2026-11-02T00:00:01.000Z', 'run_b', 0, 0),
      ('cp_manual', 'wb_1', 'manual', 'ab', '2026-11-04T00:00:00.000Z', NULL, 0, 0)`.execute(db);
}

const now = "2026-11-01T00:00:00.000Z";
const newProvider = {
  kind: "openai-chat",
  base_url: "http://x",
  local: 0,
  secret_ref: null,
  prices: null,
  created_at: now,
} as const;

/** Data as the version wrote it that had every migration before this one. */
async function writeOld(
  options: StoreOptions,
  before: string,
  write: (db: Kysely<unknown>) => Promise<void>,
): Promise<void> {
  const { db, dialect, close } = await openOld(options);
  try {
    if (dialect === "postgres") await sql`CREATE SCHEMA ops`.execute(db);
    await sql`CREATE TABLE migrations (name text PRIMARY KEY NOT NULL, applied_at text NOT NULL)`.execute(db);
    for (const { name, up } of migrations.filter(({ name }) => name < before)) {
      await up(db, dialect);
      await sql`INSERT INTO migrations (name, applied_at) VALUES (${name}, ${now})`.execute(db);
    }
    await write(db);
  } finally {
    await close();
  }
}

async function writeBeforeIdentities(db: Kysely<unknown>): Promise<void> {
  await sql`INSERT INTO sign_ins (token_hash, user_id, created_at, expires_at) VALUES ('cd', 'owner', ${now}, '2999')`.execute(
    db,
  );
  await sql`INSERT INTO providers (name, kind, base_url, created_at, local, secret_ref)
    VALUES ('loop', 'openai-chat', 'http://127.0.0.1:1', ${now}, 1, 'secret-1')`.execute(db);
  await sql`INSERT INTO uploads (sha256, user_id, created_at, bytes) VALUES ('ab', 'owner', ${now}, 7)`.execute(db);
  await sql`INSERT INTO egress_events (id, at, purpose, outcome, method, host, bytes_sent, bytes_received)
    VALUES ('egr_1', ${now}, 'run', 'sent', 'POST', 'api.example', 1, 2)`.execute(db);
  await sql`INSERT INTO workbench_runs (id, run_id, trace_id, kind, user_id, contract, status, title, metadata, started_at,
      input_tokens, output_tokens, steps, tool_calls)
    VALUES ('row_1', 'run_1', 'trace', 'prompt', 'owner', '{}', 'success', 'Asked', '{}', ${now}, 0, 0, 0, 0)`.execute(
    db,
  );
  await sql`INSERT INTO idempotency_keys (user_id, key, operation, request_hash, status, response, created_at)
    VALUES ('owner', 'k', 'runs.start', 'h', 200, '{}', ${now})`.execute(db);
}

async function openOld({ home, databaseUrl }: StoreOptions) {
  if (databaseUrl !== undefined) {
    const pool = new Pool({ connectionString: databaseUrl, options: "-c search_path=ops" });
    const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
    return { db, dialect: "postgres" as const, close: () => db.destroy() };
  }
  const writer = await SqliteWriter.open(join(home, "ops.db"));
  const db = new Kysely<unknown>({ dialect: sqliteDialect(writer) });
  return { db, dialect: "sqlite" as const, close: () => writer.close() };
}
