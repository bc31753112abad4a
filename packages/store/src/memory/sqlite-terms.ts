import { createHash } from "node:crypto";
import { sql } from "kysely";
import type { TermIndex } from "./memories.ts";

/** FTS5 (https://sqlite.org/fts5.html), ranked by its own BM25; how rare a word is, it takes from all scopes together. */
export const sqliteTerms: TermIndex = {
  async put(db, number, scope, terms) {
    await sql`INSERT INTO memory_terms (rowid, shelf, terms) VALUES (${number}, ${shelfOf(scope)}, ${terms.join(" ")})`.execute(
      db,
    );
  },

  // Each term is a quoted string of letters and digits, so nothing in a question is read as FTS5's query language.
  async search(db, scope, terms, limit) {
    const anyTerm = terms.map((term) => `"${term}"`).join(" OR ");
    const match = `shelf : "${shelfOf(scope)}" AND terms : (${anyTerm})`;
    const { rows } = await sql<{ number: number; score: number }>`
      SELECT rowid AS number, -bm25(memory_terms, 0, 1) AS score FROM memory_terms
      WHERE memory_terms MATCH ${match} ORDER BY score DESC, number DESC LIMIT ${limit}`.execute(db);
    return rows;
  },
};

/** A scope as one word. */
function shelfOf(scope: string): string {
  return `s${createHash("sha256").update(scope).digest("hex").slice(0, 32)}`;
}
