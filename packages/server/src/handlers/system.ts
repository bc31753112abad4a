import { join } from "node:path";
import type { systemOperations } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import type { Store } from "@benchtop/store";
import type { HandlersOf } from "../api/handler.ts";
import { version } from "../version.ts";
import type { Services } from "./services.ts";

export function systemHandlers(services: Services): HandlersOf<typeof systemOperations> {
  const { home, startedAt, url, store } = services;
  return {
    "system.health": async () => ({
      status: "ok",
      version,
      uptimeSeconds: (Date.now() - startedAt.getTime()) / 1000,
    }),
    "system.ready": async () => {
      await checkWritable(store);
      return { status: "ready" };
    },
    "system.status": async () => ({
      version,
      nodeVersion: process.version,
      pid: process.pid,
      home,
      url: url(),
      startedAt: startedAt.toISOString(),
      warnings: [...services.warnings],
      memoryBytes: process.memoryUsage.rss(),
      database: await databaseOf(services),
      runs: { active: services.runs.active().length, total: await countRows(store, "runs") },
      workbenches: await countRows(store, "workbenches"),
      providers: await countRows(store, "providers"),
      otherConnections: otherConnections(services),
      traces: [...services.traces()],
      secrets: {
        backend: `${services.secrets.backend}, its key in ${services.secrets.keyLocation}`,
        location: services.secrets.location,
      },
    }),
  };
}

/** The token travels in the fragment: browsers do not send it, so no log, proxy or `Referer` ever has it. */
export function signInUrl(url: string, token: string): string {
  return `${url}/#token=${token}`;
}

/** One write that leaves nothing behind, committed as any other. Throws `FILE_WRITE_FAILED` or `DISK_FULL`. */
export async function checkWritable(store: Store): Promise<void> {
  const at = new Date().toISOString();
  try {
    await store.db.transaction().execute(async (transaction) => {
      const row = { user_id: "", key: "readiness", operation: "", request_hash: "", status: null, response: null };
      await transaction
        .insertInto("idempotency_keys")
        .values({ ...row, created_at: at })
        .execute();
      await transaction
        .deleteFrom("idempotency_keys")
        .where("key", "=", "readiness")
        .where("user_id", "=", "")
        .execute();
    });
  } catch (cause) {
    throw BenchtopError.from(
      cause instanceof Error && !BenchtopError.is(cause)
        ? new Error("The database cannot be written.", { cause })
        : cause,
      "FILE_WRITE_FAILED",
      { phase: "settings" },
    );
  }
}

async function countRows(store: Store, table: "runs" | "workbenches" | "providers"): Promise<number> {
  const { count } = await store.db
    .selectFrom(table)
    .select(({ fn }) => fn.countAll<number | string>().as("count"))
    .executeTakeFirstOrThrow();
  return Number(count);
}

async function databaseOf({ home, databaseUrl, store }: Services) {
  const { name: migration } = await store.db
    .withTables<{ migrations: { name: string } }>()
    .selectFrom("migrations")
    .select("name")
    .orderBy("name", "desc")
    .executeTakeFirstOrThrow();
  return {
    dialect: store.dialect,
    location: databaseUrl === undefined ? join(home, "ops.db") : withoutCredentials(databaseUrl),
    migration,
  };
}

/** Sockets that are the operator's configuration and not requests of ours. */
function otherConnections({ databaseUrl, proxy, traces }: Services) {
  return [
    ...(databaseUrl === undefined ? [] : [{ purpose: "database", target: withoutCredentials(databaseUrl) }]),
    ...(proxy === undefined ? [] : [{ purpose: "proxy to model providers", target: withoutCredentials(proxy) }]),
    ...traces()
      .filter(({ target }) => /^https?:/.test(target))
      .map(({ target }) => ({ purpose: "trace collector", target })),
  ];
}

function withoutCredentials(address: string): string {
  const url = URL.parse(address);
  return url === null ? "set, but not a URL" : `${url.protocol}//${url.host}${url.pathname}`;
}
