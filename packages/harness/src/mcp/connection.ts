import { Client, ProtocolError, SdkError, SdkErrorCode, SdkHttpError } from "@modelcontextprotocol/client";
import { BenchtopError, type Json } from "@benchtop/protocol";
import type { McpFetch } from "./bounded-fetch.ts";
import { openTransport, type OpenTransport } from "./transport.ts";

/** A server that we start; it ends with us. */
export interface StdioServer {
  readonly kind: "stdio";
  readonly command: string;
  readonly args?: readonly string[];
  /** All that the server sees of our environment besides `HOME`, `LOGNAME`, `PATH`, `SHELL`, `TERM` and `USER` (and Windows' likes). */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** A server that is reached by HTTP (streamable HTTP). */
export interface HttpServer {
  readonly kind: "http";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The platform's when absent; the egress gate's where there is one. */
  readonly fetch?: McpFetch;
}

export type McpTransport = StdioServer | HttpServer;

export interface ConnectionOptions {
  readonly name: string;
  readonly transport: McpTransport;
  readonly timeoutMs: number;
  readonly maxCallMs: number;
  readonly log: (line: string) => void;
  readonly toolsChanged: () => void;
}

export interface ServerCall {
  readonly name: string;
  readonly arguments: { readonly [key: string]: Json };
  readonly idempotent: boolean;
  readonly signal: AbortSignal;
  readonly progress?: (progress: {
    progress: number;
    total?: number | undefined;
    message?: string | undefined;
  }) => void;
}

export interface ToolPage {
  readonly tools: readonly unknown[];
  readonly nextCursor: string | undefined;
}

interface Session {
  readonly client: Client;
  readonly opened: OpenTransport;
  lost: boolean;
}

/** The way to one server: connected when it is needed, and again when it was lost. */
export class McpConnection {
  readonly name: string;
  readonly maxCallMs: number;
  readonly #options: ConnectionOptions;
  #session: Promise<Session> | undefined;
  /** Sessions that were lost and are being closed. */
  readonly #ending = new Set<Promise<void>>();
  #closed = false;

  constructor(options: ConnectionOptions) {
    this.name = options.name;
    this.maxCallMs = options.maxCallMs;
    this.#options = options;
  }

  /** One page of the server's tools, as it says them. */
  async listPage(cursor: string | undefined): Promise<ToolPage> {
    const { client } = await this.#connected();
    const request = { method: "tools/list" as const, params: cursor === undefined ? {} : { cursor } };
    try {
      return pageOf(await client.request(request, unread, { timeout: this.#options.timeoutMs }));
    } catch (error) {
      throw this.#failure(error, "did not list its tools");
    }
  }

  /**
   * Calls a tool, and once more when the connection was lost with the call and the tool may be repeated. Rejects with
   * `TOOL_FAILED`, or with the reason of the signal once the server was told to stop. A refusal by the server is a result.
   */
  async call(call: ServerCall): Promise<{ readonly [key: string]: unknown }> {
    for (let attempt = 1; ; attempt += 1) {
      const session = await this.#connected();
      try {
        return await this.#callOnce(session.client, call);
      } catch (error) {
        if (call.signal.aborted) throw call.signal.reason;
        if (error instanceof ProtocolError) return refusal(error);
        const neverReached = isForgottenSession(error);
        if (isLost(error)) this.#forget(session);
        if (attempt === 1 && !this.#closed && isLost(error) && (call.idempotent || neverReached)) continue;
        throw this.#failure(error, "did not finish the call", call.idempotent);
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const session = this.#session;
    this.#session = undefined;
    try {
      await closeSession(await session);
    } catch {
      // It never opened; whoever asked for it was told.
    }
    await Promise.all(this.#ending);
  }

  #callOnce(client: Client, call: ServerCall): Promise<{ readonly [key: string]: unknown }> {
    const { progress, signal } = call;
    return client.callTool(
      { name: call.name, arguments: { ...call.arguments } },
      {
        signal,
        timeout: this.#options.timeoutMs,
        resetTimeoutOnProgress: true,
        maxTotalTimeout: this.#options.maxCallMs,
        onprogress: (report) => progress?.(report),
      },
    );
  }

  async #connected(): Promise<Session> {
    if (this.#closed) {
      throw new BenchtopError("TOOL_FAILED", `The MCP server ${this.name} has been closed.`, { retryable: false });
    }
    const current = this.#session;
    const known = await current?.catch(() => undefined);
    if (known && !known.lost) return known;
    // Whoever finds it lost first connects for all that wait.
    const connecting = this.#session === current && !this.#closed ? this.#connect() : this.#session;
    if (!connecting) return this.#connected();
    this.#session = connecting;
    try {
      return await connecting;
    } catch (error) {
      if (this.#session === connecting) this.#session = undefined;
      throw this.#failure(error, "could not be reached");
    }
  }

  /** Every server of today speaks the revisions before 2026-07-28; one that refuses their greeting is asked which it speaks. */
  async #connect(): Promise<Session> {
    try {
      return await this.#open("legacy");
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return await this.#open("auto");
    }
  }

  async #open(mode: "legacy" | "auto"): Promise<Session> {
    const { transport, timeoutMs, log, toolsChanged } = this.#options;
    const client = new Client(
      { name: "benchtop", version: "0.1.0" },
      {
        versionNegotiation: { mode, probe: { timeoutMs } },
        inputRequired: { autoFulfill: false },
        listChanged: { tools: { autoRefresh: false, onChanged: () => toolsChanged() } },
      },
    );
    const opened = openTransport(transport, log);
    const session: Session = { client, opened, lost: false };
    Object.assign(client, {
      onclose: () => {
        session.lost = true;
      },
      onerror: (error: Error) => log(oneLine(`MCP: ${error.message}`)),
    });
    try {
      await client.connect(opened.transport, { timeout: timeoutMs });
      return session;
    } catch (error) {
      await closeSession(session);
      throw error;
    }
  }

  #forget(session: Session): void {
    session.lost = true;
    const ending = closeSession(session)
      .catch(() => undefined)
      .finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  /** What the server says of a failure may be anything, so it is logged and never part of an error. */
  #failure(error: unknown, what: string, idempotent = true): BenchtopError {
    const refused = ours(error);
    if (refused) return refused;
    const timedOut = error instanceof SdkError && error.code === SdkErrorCode.RequestTimeout;
    const server = `The MCP server ${this.name}`;
    this.#options.log(oneLine(`${what}: ${error instanceof Error ? error.message : String(error)}`));
    const unknown = idempotent ? "" : " Nobody knows whether it took effect.";
    const message = timedOut
      ? `${server} did not answer within ${this.#options.timeoutMs} ms.${unknown}`
      : `${server} ${what}.${unknown}`;
    return new BenchtopError("TOOL_FAILED", message, {
      subphase: "tool",
      retryable: idempotent,
      detail: { server: this.name },
      cause: error,
    });
  }
}

async function closeSession(session: Session | undefined): Promise<void> {
  if (!session) return;
  session.lost = true;
  await session.opened.end();
  await session.client.close();
}

/** The server's answer is checked where it is used, so that one bad entry does not cost the others. */
const unread = {
  "~standard": {
    version: 1 as const,
    vendor: "benchtop",
    validate: (value: unknown) => ({ value }),
  },
};

function pageOf(result: unknown): ToolPage {
  const { tools, nextCursor } = (result ?? {}) as { readonly tools?: unknown; readonly nextCursor?: unknown };
  return {
    tools: Array.isArray(tools) ? (tools as unknown[]) : [],
    nextCursor: typeof nextCursor === "string" ? nextCursor : undefined,
  };
}

/** A JSON-RPC error is the server's answer to the model: unknown tool, bad arguments. */
function refusal(error: ProtocolError): { readonly [key: string]: unknown } {
  return { isError: true, content: [{ type: "text", text: `The MCP server refused the call: ${error.message}` }] };
}

/** 404: the server has forgotten the session, and did nothing (https://modelcontextprotocol.io/specification, session management). */
function isForgottenSession(error: unknown): boolean {
  return error instanceof SdkHttpError && error.status === 404;
}

/** The connection is of no use any more. A timeout is not among these: the server may only be slow with this call. */
function isLost(error: unknown): boolean {
  if (isForgottenSession(error)) return true;
  if (error instanceof SdkError) {
    return (
      error.code === SdkErrorCode.ConnectionClosed ||
      error.code === SdkErrorCode.NotConnected ||
      error.code === SdkErrorCode.SendFailed
    );
  }
  // What `fetch` throws when nobody is there.
  return error instanceof TypeError || (error as { code?: unknown } | null)?.code === "EPIPE";
}

/** The refusal of our own `fetch`, which the client may have wrapped. */
function ours(error: unknown, depth = 0): BenchtopError | undefined {
  if (BenchtopError.is(error)) return error;
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined || depth > 4 ? undefined : ours(cause, depth + 1);
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\s]+/gu, " ").slice(0, 2000);
}
