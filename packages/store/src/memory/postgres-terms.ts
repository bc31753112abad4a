import { sql } from "kysely";
import type { TermIndex } from "./memories.ts";

/**
 * A text search vector with its GIN index, ranked by Okapi BM25 within the scope: PostgreSQL's own ranking knows nothing of
 * how rare a word is. Vectors and queries are written as literals (https://www.postgresql.org/docs/current/datatype-textsearch.html),
 * since the terms are made already; they are letters and digits, so that quotes are all they need.
 */
export const postgresTerms: TermIndex = {
  async put(db, number, _scope, terms) {
    await sql`INSERT INTO memory_terms (number, terms) VALUES (${number}, ${vectorOf(terms)}::tsvector)
      ON CONFLICT (number) DO UPDATE SET terms = excluded.terms`.execute(db);
  },

  async search(db, scope, terms, limit) {
    const anyTerm = terms.map((term) => `'${term}'`).join(" | ");
    const { rows } = await sql<{ number: number; score: number }>`
      WITH shelf AS (
        SELECT count(*) AS texts, greatest(avg(term_count), 1)::float8 AS mean_length
        FROM memories WHERE lane = 'episodic' AND scope = ${scope}
      ), hits AS (
        SELECT memories.number, memories.term_count AS length, word.lexeme, array_length(word.positions, 1)::float8 AS times
        FROM memories JOIN memory_terms USING (number) CROSS JOIN LATERAL unnest(memory_terms.terms) AS word
        WHERE memories.lane = 'episodic' AND memories.scope = ${scope}
          AND memory_terms.terms @@ ${anyTerm}::tsquery AND word.lexeme = ANY(${terms}::text[])
      ), rarities AS (
        SELECT lexeme, ln(1 + (texts - count(*) + 0.5) / (count(*) + 0.5)) AS rarity
        FROM hits CROSS JOIN shelf GROUP BY lexeme, texts
      )
      SELECT number, sum(rarity * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length / mean_length)))::float8 AS score
      FROM hits JOIN rarities USING (lexeme) CROSS JOIN shelf
      GROUP BY number ORDER BY score DESC, number DESC LIMIT ${limit}`.execute(db);
    return rows;
  },
};

/** Positions of a vector end at 16,383, and a lexeme has 255 at most. */
const lastPosition = 16_383;
const mostPositions = 255;

function vectorOf(terms: readonly string[]): string {
  const positions = new Map<string, number[]>();
  for (const [place, term] of terms.entries()) {
    const known = positions.get(term) ?? [];
    if (known.length < mostPositions) known.push(Math.min(place + 1, lastPosition));
    positions.set(term, known);
  }
  return [...positions].map(([term, places]) => `'${term}':${places.join(",")}`).join(" ");
}
