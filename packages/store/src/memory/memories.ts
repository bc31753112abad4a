import type {
  Memory,
  MemoryEntry,
  MemoryItem,
  MemoryLane,
  MemoryLimits,
  MemoryQuestion,
  MemoryRetrieval,
  MemorySelection,
  MemoryWriteResult,
} from "@benchtop/protocol";
import {
  checkedEntry,
  checkedScope,
  defaultMemoryLimits,
  withinQuestion,
  type CheckedEntry,
} from "@benchtop/protocol/memory-rules";
import { queryTerms, searchTerms } from "@benchtop/protocol/search-terms";
import { sql, type Kysely, type Transaction } from "kysely";
import type { Tables } from "../schema.ts";
import { postgresTerms } from "./postgres-terms.ts";
import { sqliteTerms } from "./sqlite-terms.ts";

/** The index of words of one database. Terms come from `searchTerms`: letters and digits alone. */
export interface TermIndex {
  put(db: Kysely<Tables>, number: number, scope: string, terms: readonly string[]): Promise<void>;
  /** Numbers of the episodic texts of a scope that hold any of the terms, best first. */
  search(
    db: Kysely<Tables>,
    scope: string,
    terms: readonly string[],
    limit: number,
  ): Promise<readonly { readonly number: number; readonly score: number }[]>;
}

export interface MemoriesOptions {
  readonly db: Kysely<Tables>;
  readonly dialect: "sqlite" | "postgres";
  readonly limits?: Partial<Record<MemoryLane, MemoryLimits>>;
}

/** One memory as a person sees it. */
export interface KeptMemory {
  readonly id: string;
  readonly lane: MemoryLane;
  /** Of a note. */
  readonly key: string | null;
  readonly text: string;
  /** ISO 8601 UTC, of the last write. */
  readonly writtenAt: string;
}

/** What agents remember, on disk. */
export class Memories implements Memory {
  readonly #db: Kysely<Tables>;
  readonly #terms: TermIndex;
  readonly #limits: Record<MemoryLane, MemoryLimits>;

  constructor({ db, dialect, limits }: MemoriesOptions) {
    this.#db = db;
    this.#terms = dialect === "sqlite" ? sqliteTerms : postgresTerms;
    this.#limits = { ...defaultMemoryLimits, ...limits };
  }

  async write(entry: MemoryEntry): Promise<MemoryWriteResult> {
    const limits = this.#limits[entry.lane];
    const checked = checkedEntry(entry, limits);
    const terms = checked.lane === "episodic" ? searchTerms(checked.text) : [];
    return await this.#db.transaction().execute(async (transaction) => {
      const before = await textOf(transaction, checked.id);
      const known = before !== undefined;
      const number = await save(transaction, checked, terms.length);
      if (checked.lane === "episodic" && !known) await this.#terms.put(transaction, number, checked.scope, terms);
      const replaced = checked.lane === "working" && known && { replaced: before };
      return { id: checked.id, known, ...replaced, forgotten: await makeRoom(transaction, checked, limits) };
    });
  }

  async retrieve(question: MemoryQuestion): Promise<MemoryRetrieval> {
    const scope = checkedScope(question.scope);
    if (question.lane === "working") return { items: withinQuestion(await this.#notes(scope), question) };
    const items = withinQuestion(await this.#search(scope, question), question);
    if (items.length > 0) await this.#use(scope, items);
    return { items };
  }

  async forget({ scope, id, lane }: MemorySelection): Promise<number> {
    let forgetting = this.#db.deleteFrom("memories").where("scope", "=", checkedScope(scope));
    if (id !== undefined) forgetting = forgetting.where("id", "=", id);
    if (lane !== undefined) forgetting = forgetting.where("lane", "=", lane);
    const { numDeletedRows } = await forgetting.executeTakeFirstOrThrow();
    return Number(numDeletedRows);
  }

  /** What a scope holds of both lanes, the newest first, from behind a place on. */
  async list(
    scope: string,
    { limit, after }: { readonly limit: number; readonly after?: { readonly writtenAt: string; readonly id: string } },
  ): Promise<KeptMemory[]> {
    let query = this.#db
      .selectFrom("memories")
      .select(["id", "lane", "note_key", "content", "written_at"])
      .where("scope", "=", checkedScope(scope));
    if (after) {
      const { writtenAt, id } = after;
      query = query.where((where) =>
        where.or([
          where("written_at", "<", writtenAt),
          where.and([where("written_at", "=", writtenAt), where("id", "<", id)]),
        ]),
      );
    }
    const rows = await query.orderBy("written_at", "desc").orderBy("id", "desc").limit(limit).execute();
    return rows.map(({ id, lane, note_key, content, written_at }) => ({
      id,
      lane,
      key: note_key,
      text: content,
      writtenAt: written_at,
    }));
  }

  /** How many a scope holds, of both lanes. */
  async count(scope: string): Promise<number> {
    const { items } = await this.#db
      .selectFrom("memories")
      .select(({ fn }) => fn.countAll<number>().as("items"))
      .where("scope", "=", checkedScope(scope))
      .executeTakeFirstOrThrow();
    return items;
  }

  async #notes(scope: string): Promise<MemoryItem[]> {
    const rows = await this.#db
      .selectFrom("memories")
      .select(["id", "content", "note_key", "written_at"])
      .where("lane", "=", "working")
      .where("scope", "=", scope)
      .execute();
    return rows
      .map(({ id, content, note_key, written_at }) => ({
        id,
        text: content,
        ...(note_key !== null && { key: note_key }),
        score: 1,
        writtenAt: written_at,
      }))
      .sort((a, b) => ((a.key ?? "") < (b.key ?? "") ? -1 : 1));
  }

  async #search(scope: string, { query = "", limit = 8 }: MemoryQuestion): Promise<MemoryItem[]> {
    const terms = queryTerms(query);
    if (terms.length === 0) return [];
    // More than asked for: those that are too long for the question's tokens are passed over.
    const found = await this.#terms.search(this.#db, scope, terms, Math.min(limit * 4, mostFound));
    if (found.length === 0) return [];
    const numbers = found.map(({ number }) => number);
    const rows = await this.#db
      .selectFrom("memories")
      .select(["number", "id", "content", "written_at"])
      .where("number", "in", numbers)
      .execute();
    const texts = new Map(rows.map((row) => [row.number, row]));
    return found.flatMap(({ number, score }) => {
      const row = texts.get(number);
      return row ? [{ id: row.id, text: row.content, score, writtenAt: row.written_at }] : [];
    });
  }

  async #use(scope: string, items: readonly MemoryItem[]): Promise<void> {
    await this.#db
      .updateTable("memories")
      .set({ used: nextUse("episodic", scope) })
      .where(
        "id",
        "in",
        items.map(({ id }) => id),
      )
      .execute();
  }
}

/** Texts that one search looks at after ranking. */
const mostFound = 400;

async function textOf(db: Transaction<Tables>, id: string): Promise<string | undefined> {
  return (await db.selectFrom("memories").select("content").where("id", "=", id).executeTakeFirst())?.content;
}

/** The next number of a scope's count of uses: the order in which its texts would be forgotten. */
function nextUse(lane: MemoryLane, scope: string) {
  return sql<number>`(SELECT coalesce(max(used), 0) + 1 FROM memories WHERE lane = ${lane} AND scope = ${scope})`;
}

async function save(db: Transaction<Tables>, entry: CheckedEntry, termCount: number): Promise<number> {
  const { id, lane, scope, key, text } = entry;
  const used = nextUse(lane, scope);
  const written = {
    content: text,
    characters: text.length,
    term_count: termCount,
    written_at: new Date().toISOString(),
  };
  const { number } = await db
    .insertInto("memories")
    .values({ id, lane, scope, note_key: key ?? null, used, ...written })
    .onConflict((conflict) => conflict.column("id").doUpdateSet({ used, ...written }))
    .returning("number")
    .executeTakeFirstOrThrow();
  return number;
}

/** Forgets what was used least recently until the limits hold; the sums are taken from the newest back. */
async function makeRoom(
  db: Transaction<Tables>,
  { lane, scope }: CheckedEntry,
  { maxItems, maxCharacters }: MemoryLimits,
): Promise<string[]> {
  const { items, characters } = await db
    .selectFrom("memories")
    .select(({ fn }) => [
      fn.countAll<number>().as("items"),
      fn.coalesce(fn.sum<number>("characters"), sql<number>`0`).as("characters"),
    ])
    .where("lane", "=", lane)
    .where("scope", "=", scope)
    .executeTakeFirstOrThrow();
  if (items <= maxItems && characters <= maxCharacters) return [];
  const { rows } = await sql<{ id: string }>`
    DELETE FROM memories WHERE number IN (
      SELECT number FROM (
        SELECT number, row_number() OVER newest AS place, sum(characters) OVER newest AS so_far
        FROM memories WHERE lane = ${lane} AND scope = ${scope}
        WINDOW newest AS (ORDER BY used DESC, number DESC ROWS UNBOUNDED PRECEDING)
      ) AS kept WHERE place > ${maxItems} OR so_far > ${maxCharacters}
    ) RETURNING id`.execute(db);
  return rows.map(({ id }) => id);
}
