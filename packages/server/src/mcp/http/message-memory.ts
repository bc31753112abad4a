import { randomBytes } from "node:crypto";
import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server";

interface Kept {
  readonly stream: string;
  readonly message: JSONRPCMessage;
  readonly characters: number;
}

/** Of all sessions together. What is older than this much is forgotten, and its stream cannot be taken up again there. */
const maxCharacters = 32_000_000;
const maxMessages = 20_000;

/** The newest messages of all sessions, so that a client whose connection broke reads on where it was (`Last-Event-ID`). */
export class MessageMemory {
  readonly #kept = new Map<string, Kept>();
  #characters = 0;
  #next = 0;

  /** The part of one session. Its ids cannot be guessed by others, and theirs mean nothing to it. */
  ofSession(): EventStore & { forget(): void } {
    const session = randomBytes(12).toString("base64url");
    return {
      storeEvent: async (stream, message) => this.#store(session, stream, message),
      getStreamIdForEventId: async (id) => this.#find(session, id)?.stream,
      replayEventsAfter: async (id, { send }) => {
        const last = this.#find(session, id);
        // Nothing to go on from; the transport answers that the stream is not there.
        if (last === undefined) return "";
        let isAfter = false;
        for (const [key, { stream, message }] of this.#kept) {
          if (isAfter && stream === last.stream && key.startsWith(`${session}.`)) await send(key, message);
          isAfter ||= key === id;
        }
        return last.stream;
      },
      forget: () => {
        for (const key of this.#kept.keys()) if (key.startsWith(`${session}.`)) this.#drop(key);
      },
    };
  }

  #store(session: string, stream: string, message: JSONRPCMessage): string {
    const id = `${session}.${this.#next++}`;
    const characters = JSON.stringify(message).length;
    this.#kept.set(id, { stream, message, characters });
    this.#characters += characters;
    for (const key of this.#kept.keys()) {
      if (this.#characters <= maxCharacters && this.#kept.size <= maxMessages) break;
      this.#drop(key);
    }
    return id;
  }

  #find(session: string, id: string): Kept | undefined {
    return id.startsWith(`${session}.`) ? this.#kept.get(id) : undefined;
  }

  #drop(id: string): void {
    this.#characters -= this.#kept.get(id)?.characters ?? 0;
    this.#kept.delete(id);
  }
}
