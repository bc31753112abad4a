import { sql, type Kysely } from "kysely";

/** What agents remember, and the index of its words: FTS5 on SQLite, a text search vector on PostgreSQL. */
export async function memories(db: Kysely<unknown>, dialect: "sqlite" | "postgres"): Promise<void> {
  const number = dialect === "sqlite" ? sql`integer` : sql`bigint GENERATED ALWAYS AS IDENTITY`;
  await sql`CREATE TABLE memories (
    number ${number} PRIMARY KEY NOT NULL, id text NOT NULL, lane text NOT NULL, scope text NOT NULL, note_key text,
    content text NOT NULL, characters integer NOT NULL, term_count integer NOT NULL, used bigint NOT NULL,
    written_at text NOT NULL)`.execute(db);
  await sql`CREATE UNIQUE INDEX memories_id ON memories (id)`.execute(db);
  await sql`CREATE INDEX memories_of_scope ON memories (lane, scope, used)`.execute(db);

  if (dialect === "postgres") {
    await sql`CREATE TABLE memory_terms (
      number bigint PRIMARY KEY NOT NULL REFERENCES memories ON DELETE CASCADE, terms tsvector NOT NULL)`.execute(db);
    await sql`CREATE INDEX memory_terms_search ON memory_terms USING gin (terms)`.execute(db);
    return;
  }
  // Contentless: the words are in `memories` already. `shelf` is the scope as one word, so that a search stays within it.
  await sql`CREATE VIRTUAL TABLE memory_terms USING fts5 (
    shelf, terms, content = '', contentless_delete = 1, tokenize = "unicode61 remove_diacritics 0")`.execute(db);
  await sql`CREATE TRIGGER memories_forgotten AFTER DELETE ON memories
    BEGIN DELETE FROM memory_terms WHERE rowid = old.number; END`.execute(db);
}
