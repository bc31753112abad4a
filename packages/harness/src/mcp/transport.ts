import { setTimeout as wait } from "node:timers/promises";
import { StreamableHTTPClientTransport, type Transport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { BenchtopError } from "@benchtop/protocol";
import { boundedFetch } from "./bounded-fetch.ts";
import type { HttpServer, McpTransport, StdioServer } from "./connection.ts";

export interface OpenTransport {
  readonly transport: Transport;
  /** What is to be done before the connection is closed, and does not happen by itself. */
  end(): Promise<void>;
}

/** Longest message that a server may send; the connection ends when one is longer. */
const maxMessageBytes = 8 * 1024 * 1024;
const maxLine = 2000;
const endMs = 2000;
/** What is kept of a server's error output while it is connected. */
const maxErrorOutput = 64 * 1024;

export function openTransport(server: McpTransport, log: (line: string) => void): OpenTransport {
  return server.kind === "stdio" ? startServer(server, log) : reachServer(server);
}

function startServer({ command, args, env, cwd }: StdioServer, log: (line: string) => void): OpenTransport {
  const transport = new StdioClientTransport({
    command,
    ...(args && { args: [...args] }),
    ...(env && { env: { ...env } }),
    ...(cwd !== undefined && { cwd }),
    stderr: "pipe",
    maxBufferSize: maxMessageBytes,
  });
  transport.stderr?.on("data", boundedLines(log));
  const start = transport.start.bind(transport);
  transport.start = async () => {
    await start();
    if (transport.pid !== null) endWithUs(transport.pid, transport);
  };
  return { transport, end: async () => undefined };
}

function reachServer({ url, headers, fetch = globalThis.fetch }: HttpServer): OpenTransport {
  const transport = new StreamableHTTPClientTransport(httpUrl(url), {
    fetch: boundedFetch(fetch, maxMessageBytes),
    ...(headers && { requestInit: { headers: { ...headers } } }),
  });
  return {
    transport,
    async end() {
      // The server may not know sessions, or be gone; then there is nothing to end.
      if (transport.sessionId === undefined) return;
      await Promise.race([transport.terminateSession().catch(() => undefined), wait(endMs, undefined, { ref: false })]);
    },
  };
}

function httpUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return url;
  throw new BenchtopError("VALIDATION_FAILED", "The address of an MCP server is an http or https URL.");
}

const children = new Set<number>();
let watching = false;

/**
 * A server ends when its input does, which is so even when this process is killed. One that does not listen is killed when
 * this process exits by itself.
 */
function endWithUs(pid: number, transport: Transport): void {
  children.add(pid);
  const closed = transport.onclose;
  Object.assign(transport, {
    onclose: () => {
      children.delete(pid);
      closed?.();
    },
  });
  if (watching) return;
  watching = true;
  process.on("exit", () => {
    for (const child of children) killIfThere(child);
  });
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}

/** Hands on whole lines, each of them and all of them together cut to what a log can bear. */
function boundedLines(log: (line: string) => void): (chunk: Buffer) => void {
  const decoder = new TextDecoder();
  let left = maxErrorOutput;
  let rest = "";
  return (chunk) => {
    if (left <= 0) return;
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = (lines.pop() ?? "").slice(0, maxLine);
    for (const line of lines) {
      const shown = line.replaceAll(/\p{Cc}/gu, " ").slice(0, Math.min(maxLine, left));
      left -= shown.length + 1;
      log(shown);
      if (left <= 0) return log("[more of its error output is not shown]");
    }
  };
}
