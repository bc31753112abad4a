import type { Readable, Writable } from "node:stream";
import { BenchtopError, type ErrorInfo } from "@benchtop/protocol/errors";
import { readLines } from "../rpc/lines.ts";
import { McpConnection, type Address, type Exchange, type Message } from "./connection.ts";

export interface BridgeOptions {
  /** Where the daemon is, with the token for it; asked again when it is there no more. */
  readonly find: (again: boolean) => Promise<Address>;
  readonly workspace: string | undefined;
  readonly input: Readable;
  readonly output: Writable;
  /** What no message can say: a line of input that is none. */
  readonly complain: (text: string) => void;
  /** Ends the bridge as the end of the input does. */
  readonly signal: AbortSignal;
}

const maxLineBytes = 10_000_000;
/** How long calls that are open when the input ends may take. */
const lastAnswersMs = 1000;

/**
 * Carries MCP between a client's pipes, one message a line, and `/mcp` of a daemon, until the input ends. Nothing but messages
 * is written to the output. Both protocols pass: the one with a greeting and a session, and the one where each request stands
 * for itself. Every request is answered, if only with what kept it from reaching the daemon.
 */
export async function bridge(options: BridgeOptions): Promise<void> {
  const { input, signal } = options;
  const connection = new McpConnection({
    address: await options.find(false),
    ...options,
    onMessage: (message) => write(options, message),
  });
  signal.addEventListener("abort", () => input.destroy());
  const open = new Map<string, Open>();
  try {
    for await (const message of readMessages(options)) {
      const done = take(options, connection, open, message);
      // What follows the greeting needs the session that it brings.
      if (message.method === "initialize") await done;
    }
  } catch (error) {
    // The input was destroyed by the signal: the end, too.
    if (!signal.aborted) throw error;
  } finally {
    await atMost(lastAnswersMs, Promise.all([...open.values()].map(({ done }) => done)));
    for (const { canceling } of open.values()) canceling.abort();
    await connection.close();
  }
}

/** A request that is not answered yet. */
interface Open {
  readonly canceling: AbortController;
  readonly exchange: Exchange;
  readonly done: Promise<void>;
}

async function take(
  options: BridgeOptions,
  connection: McpConnection,
  open: Map<string, Open>,
  message: Message,
): Promise<void> {
  const canceled =
    message.method === "notifications/cancelled" ? open.get(keyOf(message.params?.["requestId"])) : undefined;
  if (canceled !== undefined) {
    // It must not overtake what it cancels. In the newer protocol, to hang up is to cancel.
    if (canceled.exchange.standsAlone) return canceled.canceling.abort();
    await canceled.exchange.sent;
  }
  const canceling = new AbortController();
  const exchange = connection.send(message, canceling.signal);
  const key = message.id === undefined || message.method === undefined ? undefined : keyOf(message.id);
  const done = exchange.answered.catch(async (error: unknown) => {
    if (canceling.signal.aborted) return;
    await fail(options, message, BenchtopError.from(error));
  });
  if (key === undefined) return await done;
  open.set(key, { canceling, exchange, done });
  await done;
  open.delete(key);
}

/** A request is told why; of a notification nobody waits to hear. */
async function fail(options: BridgeOptions, message: Message, error: BenchtopError): Promise<void> {
  const isRequest = message.id !== undefined && message.method !== undefined;
  if (!isRequest)
    return options.complain(
      `${typeof message.method === "string" ? message.method : "An answer"} did not reach the daemon: ${error.message}`,
    );
  const data: { message: string } & ErrorInfo = { message: error.message, ...error.info };
  await write(options, { jsonrpc: "2.0", id: message.id, error: { code: -32_000, message: error.message, data } });
}

async function* readMessages({ input, complain }: BridgeOptions): AsyncGenerator<Message> {
  for await (const line of readLines(input, maxLineBytes)) {
    if (line.kind === "too-long") {
      complain(`Left out a line of more than ${maxLineBytes} bytes.`);
      continue;
    }
    const message = parse(line.bytes);
    if (message === "empty") continue;
    // No answer on the output: what has no id is no message of MCP.
    if (message === undefined) complain("Left out a line that is no JSON-RPC message.");
    else yield message;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function parse(bytes: Buffer): Message | "empty" | undefined {
  try {
    const text = utf8.decode(bytes);
    if (text.trim() === "") return "empty";
    const value = JSON.parse(text) as unknown;
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

async function write({ output }: BridgeOptions, message: unknown): Promise<void> {
  if (output.write(`${JSON.stringify(message)}\n`)) return;
  await new Promise((resolve) => output.once("drain", resolve));
}

function keyOf(id: unknown): string {
  return JSON.stringify(id) ?? "";
}

async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
