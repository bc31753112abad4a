import { readdirSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openStore } from "../store.ts";
import { removeHome, temporaryHome } from "../../test/suite/index.ts";
import { migrations } from "./migrate.ts";

test("S13 every migration is a file of its own, in the order of the names", () => {
  const files = readdirSync(import.meta.dirname).filter((name) => /^\d{4}-/.test(name));
  expect(migrations.map(({ name }) => `${name}.ts`)).toEqual(files.sort());
});

// A released migration never changes. When this fails, write a new migration; do not update what is expected here for an old one.
test("S13 the schema that the migrations make is the one that was released", async () => {
  const home = await temporaryHome();
  const store = await openStore({ home });
  await store.close();
  const database = new DatabaseSync(join(home, "ops.db"), { readOnly: true });
  // What FTS5 keeps its index in is SQLite's own affair and changes with its version.
  const ours = "sql IS NOT NULL AND name NOT GLOB 'memory_terms_*'";
  const statements = database.prepare(`SELECT sql FROM sqlite_schema WHERE ${ours} ORDER BY name`).all();
  database.close();
  await removeHome(home);
  const schema = statements.map(({ sql }) => String(sql).replaceAll(/\s+/g, " ")).join("\n");
  await expect(schema).toMatchFileSnapshot("./released-schema.sql");
});
