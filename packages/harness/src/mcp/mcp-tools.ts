import { BenchtopError } from "@benchtop/protocol";
import type { Tool } from "../tools/tool.ts";
import { McpConnection, type McpTransport } from "./connection.ts";
import { listTools } from "./list-tools.ts";
import { toolsOf, type McpProgress, type RejectedTool } from "./server-tool.ts";

export interface McpOptions {
  /** 1 to 24 letters, digits or dashes: what the names of the server's tools begin with, and how messages call it. */
  readonly name: string;
  readonly transport: McpTransport;
  /** Only these tools, by the server's own names; all of them when absent. */
  readonly allow?: readonly string[];
  /** Milliseconds of silence after which a request is given up, 60,000 when absent. Progress counts as a sign of life. */
  readonly timeoutMs?: number;
  /** Longest time for one call in milliseconds, however much progress it reports; ten times `timeoutMs` when absent. */
  readonly maxCallMs?: number;
  /**
   * Believe what the server says its tools do. Without it every tool counts as one that changes the world outside and must
   * not be repeated; with it `readOnlyHint` means no effects, and `idempotentHint` that an interrupted call may be repeated.
   */
  readonly trustHints?: boolean;
  /** What the server writes to its error output and what goes wrong beside calls, one line each, bounded. */
  readonly log?: (line: string) => void;
  readonly onProgress?: (progress: McpProgress) => void;
}

/** The tools of one MCP server, for as long as nobody closes it. */
export interface McpToolSource {
  readonly name: string;
  /** As the server listed them last. A run keeps the tools that it started with. */
  readonly tools: readonly Tool[];
  /** What the server listed and cannot be used, and why. */
  readonly rejected: readonly RejectedTool[];
  /** Calls the listener after the server has changed its tools; returns what takes the listener away. */
  onChange(listener: (tools: readonly Tool[]) => void): () => void;
  /** Ends the session and the process of the server. Calls that are open fail. */
  close(): Promise<void>;
}

/**
 * Connects to an MCP server and makes its tools those of runs. Everything that the server says is data: its names are made
 * safe, its schemas strict, its descriptions and results bounded, and its instructions are not used.
 *
 * Rejects with `VALIDATION_FAILED` when the options make no sense, `TOOL_FAILED` when the server does not start, answer or
 * speak MCP, and with what `fetch` refuses (`EGRESS_BLOCKED_BY_POLICY`). When the connection is lost later, the next call
 * connects again. A call that was lost with it is repeated once where its tool is idempotent, and fails otherwise.
 */
export async function mcpTools(options: McpOptions): Promise<McpToolSource> {
  if (!/^[A-Za-z0-9-]{1,24}$/.test(options.name)) {
    throw new BenchtopError("VALIDATION_FAILED", "The name of an MCP server is 1 to 24 letters, digits or dashes.");
  }
  const source = new ServerTools(options);
  try {
    await source.refresh();
  } catch (error) {
    await source.close();
    throw error;
  }
  return source;
}

const defaultTimeoutMs = 60_000;
/** A server that changes its tools all the time is asked for them this often, and no more. */
const refreshPauseMs = 1000;

class ServerTools implements McpToolSource {
  readonly name: string;
  tools: readonly Tool[] = [];
  rejected: readonly RejectedTool[] = [];
  readonly #options: McpOptions;
  readonly #connection: McpConnection;
  readonly #listeners = new Set<(tools: readonly Tool[]) => void>();
  #refreshTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: McpOptions) {
    this.name = options.name;
    this.#options = options;
    const { name, transport, timeoutMs = defaultTimeoutMs, maxCallMs = 10 * timeoutMs } = options;
    this.#connection = new McpConnection({
      name,
      transport,
      timeoutMs,
      maxCallMs: Math.max(timeoutMs, maxCallMs),
      log: options.log ?? (() => undefined),
      toolsChanged: () => this.#refreshSoon(),
    });
  }

  async refresh(): Promise<void> {
    const listed = await listTools(this.#connection);
    const { tools, rejected } = toolsOf(listed, this.#connection, this.#options);
    const changed = JSON.stringify(tools) !== JSON.stringify(this.tools);
    this.rejected = rejected;
    if (!changed || this.#closed) return;
    this.tools = tools;
    for (const listener of this.#listeners) listener(tools);
  }

  onChange(listener: (tools: readonly Tool[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#refreshTimer);
    this.#listeners.clear();
    await this.#connection.close();
  }

  #refreshSoon(): void {
    if (this.#closed || this.#refreshTimer) return;
    this.#refreshTimer = setTimeout(() => void this.#refreshNow(), refreshPauseMs);
    this.#refreshTimer.unref();
  }

  async #refreshNow(): Promise<void> {
    try {
      await this.refresh();
    } catch (error) {
      // The tools that are known stay; a call finds out for itself whether the server is there.
      this.#options.log?.(`Its tools could not be listed again: ${BenchtopError.from(error).message}`);
    } finally {
      this.#refreshTimer = undefined;
    }
  }
}
