import { BenchtopError } from "@benchtop/protocol";
import { sql, type Kysely } from "kysely";
import { firstLight } from "./0001-first-light.ts";
import { suspendedRuns } from "./0002-suspended-runs.ts";
import { memories } from "./0003-memories.ts";
import { runLists } from "./0004-run-lists.ts";
import { runRetention } from "./0005-run-retention.ts";
import { workbenchMemory } from "./0006-workbench-memory.ts";
import { identities } from "./0007-identities.ts";
import { conversationsAndReview } from "./0008-conversations-and-review.ts";
import { localModels } from "./0009-local-models.ts";

interface Migration {
  readonly name: string;
  readonly up: (db: Kysely<unknown>, dialect: Dialect) => Promise<void>;
}
type Dialect = "sqlite" | "postgres";

/** In order. Append only: data of every released version opens in later ones (S13). */
export const migrations: readonly Migration[] = [
  { name: "0001-first-light", up: firstLight },
  { name: "0002-suspended-runs", up: suspendedRuns },
  { name: "0003-memories", up: memories },
  { name: "0004-run-lists", up: runLists },
  { name: "0005-run-retention", up: runRetention },
  { name: "0006-workbench-memory", up: workbenchMemory },
  { name: "0007-identities", up: identities },
  { name: "0008-conversations-and-review", up: conversationsAndReview },
  { name: "0009-local-models", up: localModels },
];

/** Any number that is ours alone: what processes that open the same PostgreSQL database at once wait for. */
const advisoryLock = 8_391_254_711;

/**
 * Brings the database to this version, all of it in one transaction: processes that start together wait for each
 * other, and a crash leaves the old version whole. Refuses a database that a newer version has written.
 */
export async function migrate(db: Kysely<unknown>, dialect: Dialect): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    if (dialect === "postgres") {
      await sql`SELECT pg_advisory_xact_lock(${advisoryLock})`.execute(transaction);
      await sql`CREATE SCHEMA IF NOT EXISTS ops`.execute(transaction);
    }
    const applied = await appliedMigrations(transaction);
    refuseNewer(applied);
    for (const { name, up } of migrations.slice(applied.length)) {
      await up(transaction, dialect);
      const now = new Date().toISOString();
      await sql`INSERT INTO migrations (name, applied_at) VALUES (${name}, ${now})`.execute(transaction);
    }
  });
}

async function appliedMigrations(db: Kysely<unknown>): Promise<string[]> {
  await sql`CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY NOT NULL, applied_at text NOT NULL)`.execute(
    db,
  );
  const { rows } = await sql<{ name: string }>`SELECT name FROM migrations ORDER BY name`.execute(db);
  return rows.map(({ name }) => name);
}

function refuseNewer(applied: readonly string[]): void {
  const unknown = applied.find((name, place) => migrations[place]?.name !== name);
  if (unknown === undefined) return;
  throw new BenchtopError(
    "VALIDATION_FAILED",
    `This data was written by a newer Benchtop (it has "${unknown}"). Update Benchtop and start it again.`,
    { phase: "settings", actions: [] },
  );
}
