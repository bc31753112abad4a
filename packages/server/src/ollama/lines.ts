import type { ServerResponse } from "node:http";
import { sendJson } from "../http/answer.ts";
import { drained } from "../rest/event-stream.ts";

/** An answer of Ollama's protocol: one JSON object, or a stream of them, one a line (NDJSON). */
export class Lines {
  readonly #response: ServerResponse;
  #begun = false;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  /** The one object of an answer that is no stream. */
  whole(value: object): void {
    sendJson(this.#response, 200, JSON.stringify(value));
  }

  /** The next object. Waits for a client that reads slowly, until it goes away. */
  async next(value: object, signal: AbortSignal): Promise<void> {
    if (!this.#begun) {
      this.#begun = true;
      this.#response.writeHead(200, {
        "Content-Type": "application/x-ndjson",
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
      });
    }
    if (!this.#response.write(`${JSON.stringify(value)}\n`)) await drained(this.#response, signal);
  }

  end(): void {
    this.#response.end();
  }

  /** Ends a stream that has begun with an error; false where none has, and the status can still tell. */
  fail(message: string): boolean {
    if (!this.#begun) return false;
    this.#response.end(`${JSON.stringify({ error: message })}\n`);
    return true;
  }
}
