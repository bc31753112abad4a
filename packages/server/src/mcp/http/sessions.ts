import { randomUUID } from "node:crypto";
import { WebStandardStreamableHTTPServerTransport, type Server } from "@modelcontextprotocol/server";
import { Refusal } from "../../api/refusal.ts";
import { MessageMemory } from "./message-memory.ts";

export interface Session {
  /** Whose it is: nobody else's requests find it. */
  readonly owner: string;
  readonly transport: WebStandardStreamableHTTPServerTransport;
  readonly server: Server;
  /** Requests and streams that are being answered. */
  busy: number;
  usedAt: number;
}

const maxSessions = 256;
const maxSessionsPerOwner = 32;
const maxIdleMs = 30 * 60_000;
const sweepMs = 60_000;
/** How soon a client whose stream broke should come back. */
const retryMs = 1000;

/**
 * Sessions of the protocol until 2025-11-25. There are never more than a bounded number, of one owner and of all; one that
 * nobody has used for half an hour ends. Clients that leave without a word are common, so a new session takes the place of the
 * owner's oldest that is doing nothing.
 */
export class Sessions {
  readonly #sessions = new Map<string, Session>();
  readonly #memory = new MessageMemory();
  #sweeping: NodeJS.Timeout | undefined;

  /** Undefined for an id that is unknown, ended or another's, which are not to be told apart. */
  find(id: string, owner: string): Session | undefined {
    const session = this.#sessions.get(id);
    return session?.owner === owner ? session : undefined;
  }

  /** A session to be greeted in. It counts once the client has said `initialize`. Throws `RATE_LIMITED` when all are busy. */
  async open(owner: string, createServer: () => Server): Promise<Session> {
    this.#makeRoom(owner);
    const memory = this.#memory.ofSession();
    const server = createServer();
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      eventStore: memory,
      retryInterval: retryMs,
      onsessioninitialized: (id) => {
        this.#sessions.set(id, session);
        this.#sweeping ??= setInterval(() => this.#sweep(), sweepMs).unref();
      },
    });
    const session: Session = { owner, transport, server, busy: 0, usedAt: Date.now() };
    await server.connect(transport);
    const closeServer = server.onclose;
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- the SDK's server is no event target
    server.onclose = () => {
      closeServer?.();
      memory.forget();
      if (transport.sessionId !== undefined) this.#sessions.delete(transport.sessionId);
    };
    return session;
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeping);
    await Promise.all([...this.#sessions.values()].map(({ server }) => server.close()));
  }

  #makeRoom(owner: string): void {
    const all = [...this.#sessions.values()];
    const own = all.filter((session) => session.owner === owner);
    if (own.length >= maxSessionsPerOwner) end(own);
    else if (all.length >= maxSessions) end(all);
  }

  #sweep(): void {
    const oldest = Date.now() - maxIdleMs;
    for (const session of this.#sessions.values()) {
      if (session.busy === 0 && session.usedAt < oldest) void session.server.close();
    }
    if (this.#sessions.size > 0) return;
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }
}

function end(sessions: readonly Session[]): void {
  const idle = sessions.filter(({ busy }) => busy === 0).toSorted((a, b) => a.usedAt - b.usedAt);
  const [oldest] = idle;
  if (oldest === undefined) {
    throw new Refusal(429, "RATE_LIMITED", "Too many MCP sessions are in use. End one first.", {
      detail: { limit: maxSessionsPerOwner },
    });
  }
  void oldest.server.close();
}
