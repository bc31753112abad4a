import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openStore } from "../store.ts";
import { removeHome, temporaryHome } from "../../test/suite/index.ts";
import { blobColumns } from "./unused-blobs.ts";

// A column that names blobs and is not in the list would have its blobs removed.
test("H7 every column that can name a blob is looked at before one is removed", async () => {
  const home = await temporaryHome();
  await (await openStore({ home })).close();
  const database = new DatabaseSync(join(home, "ops.db"), { readOnly: true });
  const columns = database
    .prepare(
      `SELECT t.name AS "table", c.name AS "column" FROM sqlite_schema t, pragma_table_info(t.name) c
       WHERE t.type = 'table' ORDER BY 1, 2`,
    )
    .all()
    .filter(({ column }) => /sha256|manifest|blob|content_hash/.test(String(column)));
  database.close();
  await removeHome(home);
  const listed = Object.entries(blobColumns).flatMap(([table, names]) => names.map((column) => ({ table, column })));
  expect(columns.map(({ table, column }) => ({ table, column }))).toEqual(listed);
});
