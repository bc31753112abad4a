import { Pool } from "undici";
import type { ServerProcess } from "./servers.ts";

/** One way to ask who one is: the smallest operation that has an identity. */
export interface Contender {
  readonly name: string;
  open(server: ServerProcess): Promise<Caller>;
}

export interface Caller {
  /** Asks once and reads the whole answer. Throws when it is not the right one. */
  ask(): Promise<void>;
  close(): Promise<void>;
}

/** Requests that a caller has under way at once. */
export const concurrency = 16;

/** HTTP/1.1 with kept connections, a request each at a time; the same client for every way that is a request and an answer. */
export function overHttp(
  name: string,
  request: { readonly path: string; readonly body?: string; readonly headers?: Readonly<Record<string, string>> },
): Contender {
  return {
    name,
    async open({ url, token }) {
      const pool = new Pool(url, { connections: concurrency, pipelining: 1 });
      const headers = {
        ...(token !== "" && { authorization: `Bearer ${token}` }),
        ...(request.body !== undefined && { "content-type": "application/json" }),
        ...request.headers,
      };
      const method = request.body === undefined ? "GET" : "POST";
      return {
        async ask() {
          const { statusCode, body } = await pool.request({
            method,
            path: request.path,
            headers,
            body: request.body ?? null,
          });
          const text = await body.text();
          if (statusCode !== 200 || !text.includes("owner"))
            throw new Error(`${name}: ${statusCode} ${text.slice(0, 200)}`);
        },
        close: () => pool.close(),
      };
    },
  };
}
