import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import type { SqlValue } from "./messages.ts";
import type { SqliteWriter } from "./writer.ts";

/** Kysely over the one writing connection. Transactions take the write lock at once, so they never fail half way on `SQLITE_BUSY`. */
export function sqliteDialect(writer: SqliteWriter): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new WriterDriver(writer),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

class WriterDriver implements Driver {
  readonly #writer: SqliteWriter;

  constructor(writer: SqliteWriter) {
    this.#writer = writer;
  }

  init(): Promise<void> {
    return Promise.resolve();
  }

  acquireConnection(): Promise<WriterConnection> {
    return Promise.resolve(new WriterConnection(this.#writer));
  }

  beginTransaction(connection: DatabaseConnection): Promise<void> {
    return (connection as WriterConnection).begin();
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("COMMIT"));
  }

  rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    return (connection as WriterConnection).rollback();
  }

  async savepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw(`SAVEPOINT "${name}"`));
  }

  async rollbackToSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw(`ROLLBACK TO "${name}"`));
  }

  async releaseSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw(`RELEASE "${name}"`));
  }

  releaseConnection(connection: DatabaseConnection): Promise<void> {
    return (connection as WriterConnection).release();
  }

  /** The store closes the writer itself, after everything that uses it. */
  destroy(): Promise<void> {
    return Promise.resolve();
  }
}

/** One use of the writer: a statement by itself, or a transaction that keeps it. */
class WriterConnection implements DatabaseConnection {
  readonly #writer: SqliteWriter;
  #giveBack: (() => void) | undefined;

  constructor(writer: SqliteWriter) {
    this.#writer = writer;
  }

  async begin(): Promise<void> {
    this.#giveBack = await this.#writer.gate.exclusive();
    await this.executeQuery(CompiledQuery.raw("BEGIN IMMEDIATE"));
  }

  async rollback(): Promise<void> {
    await this.#writer.request("rollback", null);
  }

  /** A transaction that could be neither committed nor rolled back must not leak into what comes next. */
  async release(): Promise<void> {
    const giveBack = this.#giveBack;
    this.#giveBack = undefined;
    if (!giveBack) return;
    try {
      await this.rollback();
    } finally {
      giveBack();
    }
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const input = { sql: query.sql, parameters: query.parameters.map(sqlValue) };
    const send = () => this.#writer.request("query", input);
    const { rows, changes } = await (this.#giveBack ? send() : this.#writer.gate.pass(send));
    return { rows: rows as Row[], ...(changes !== undefined && { numAffectedRows: BigInt(changes) }) };
  }

  async *streamQuery<Row>(query: CompiledQuery): AsyncIterableIterator<QueryResult<Row>> {
    yield await this.executeQuery<Row>(query);
  }
}

function sqlValue(value: unknown): SqlValue {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  return value as SqlValue;
}
