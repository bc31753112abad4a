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
    await writeOld(options);
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

async function writeOld(options: StoreOptions): Promise<void> {
  const { db, dialect, close } = await openOld(options);
  try {
    if (dialect === "postgres") await sql`CREATE SCHEMA ops`.execute(db);
    await sql`CREATE TABLE migrations (name text PRIMARY KEY NOT NULL, applied_at text NOT NULL)`.execute(db);
    for (const { name, up } of migrations.filter(({ name }) => name < "0007")) {
      await up(db, dialect);
      await sql`INSERT INTO migrations (name, applied_at) VALUES (${name}, ${now})`.execute(db);
    }
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
  } finally {
    await close();
  }
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
