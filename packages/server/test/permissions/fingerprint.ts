import { createHash } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** What a refused call may leave behind: the audit of the refusal, and when something was last seen. */
const free: Readonly<Record<string, readonly string[] | "all">> = {
  access_events: "all",
  api_keys: ["last_used_at"],
  sign_ins: ["last_seen_at"],
  users: ["last_seen_at"],
};

/**
 * One line for each table and file of a home; two of the same home are equal when nothing was done in between. What an
 * allowed caller of the workspace `besides` logged of their own is left out.
 */
export function fingerprint(home: string, besides: string): string[] {
  using database = new DatabaseSync(join(home, "ops.db"), { readOnly: true });
  const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all();
  const lines: string[] = [];
  for (const { name } of tables as { name: string }[]) {
    const ignored = free[name] ?? [];
    if (ignored === "all") continue;
    const rows = database
      .prepare(`SELECT * FROM "${name}"`)
      .all()
      .filter((row) => row["workspace_id"] !== besides || name !== "egress_events");
    for (const row of rows) for (const column of ignored) delete row[column];
    const texts = rows.map((row) =>
      JSON.stringify(row, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
    );
    lines.push(
      `table ${name}: ${texts.length} ${createHash("sha256").update(texts.toSorted().join("\n")).digest("hex")}`,
    );
  }
  return [...lines, ...filesBelow(home, "")];
}

function filesBelow(folder: string, below: string): string[] {
  return readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const path = join(below, entry.name);
    if (/^(logs|ops\.db.*|reports)$/.test(path)) return [];
    if (entry.isDirectory()) return filesBelow(folder, path);
    return [`file ${path}: ${statSync(join(folder, path)).size}`];
  });
}
