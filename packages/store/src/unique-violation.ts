/** SQLite's result codes for a unique index and a primary key (https://sqlite.org/rescode.html#constraint_unique). */
const sqliteCodes = new Set<unknown>([2067, 1555]);
/** PostgreSQL's `unique_violation` (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const postgresCode = "23505";

/** Whether a statement failed because a row with the same key is there already, on either database. */
export function isUniqueViolation(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  const { errcode, code } = error as { errcode?: unknown; code?: unknown };
  return sqliteCodes.has(errcode) || code === postgresCode;
}
