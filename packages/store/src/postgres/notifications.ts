import type { Pool, PoolClient } from "pg";
import type { RunNotifications } from "../journal/watch.ts";

/** `NOTIFY` channel; the payload is the id of the run that has grown. */
export const appendedChannel = "benchtop_appended";

/** Appends of other processes, told by PostgreSQL's `LISTEN` on a connection kept for it. */
export class PostgresNotifications implements RunNotifications {
  readonly #pool: Pool;
  #client: PoolClient | undefined;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async start(appended: (runId: string) => void, lost: () => void): Promise<void> {
    const client = await this.#pool.connect();
    this.#client = client;
    client.on("notification", ({ payload }) => {
      if (payload !== undefined) appended(payload);
    });
    client.on("error", () => {
      if (this.#client !== client) return;
      this.#client = undefined;
      client.release(true);
      lost();
    });
    await client.query(`LISTEN ${appendedChannel}`);
  }

  stop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    client?.release(true);
    return Promise.resolve();
  }
}
