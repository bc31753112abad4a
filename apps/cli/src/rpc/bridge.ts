import type { Readable, Writable } from "node:stream";
import { BenchtopError, type ErrorInfo } from "@benchtop/protocol/errors";
import {
  errorObject,
  faultCodes,
  faultText,
  invalidRequest,
  isFault,
  notificationText,
  parseMessage,
  type Fault,
  type Id,
  type Message,
} from "@benchtop/server/json-rpc";
import type { WebSocket } from "ws";
import { readLines } from "./lines.ts";

export interface BridgeOptions {
  readonly url: string;
  readonly token: string;
  readonly workspace: string | undefined;
  readonly input: Readable;
  readonly output: Writable;
}

/** What the daemon takes as one message. */
const maxLineBytes = 10_000_000;
/** From here on no more is read from a program that asks faster than the daemon takes. */
const behindBytes = 1024 * 1024;

/**
 * Carries JSON-RPC between a program's pipes, one message a line, and the WebSocket of a daemon, until the input ends and
 * every call is answered; streams end with it. Nothing but messages is ever written to the output. Throws what keeps the
 * connection from being made; and, once every call and stream that was open has been told, what ended it before its time.
 */
export async function bridge(options: BridgeOptions): Promise<void> {
  const socket = await connect(options);
  const open = new Open();
  const lost = pumpOut(socket, options.output, open);
  const done = pumpIn(socket, options, open).then(() => open.settled());
  try {
    const failure = await Promise.race([lost, done.then(() => undefined)]);
    if (failure === undefined) return;
    for (const line of open.lastWords(failure)) options.output.write(`${line}\n`);
    throw failure;
  } finally {
    options.input.destroy();
    socket.close(1000);
  }
}

/** What was asked and is not answered, and which streams go on. */
class Open {
  readonly #calls = new Set<Id>();
  readonly #streams = new Set<string>();
  #messages = 0;
  #onSettled: (() => void) | undefined;

  asked(message: Message): void {
    const items = message.kind === "single" ? [message.item] : message.items;
    const isAnswered = items.some((item) => isFault(item) || item.id !== undefined);
    if (isAnswered) this.#messages++;
    for (const item of items) if (!isFault(item) && item.id != null) this.#calls.add(item.id);
  }

  /** A message of the daemon's. Events are many and say nothing about what is open, so they are not parsed. */
  told(text: string): void {
    if (text.startsWith('{"jsonrpc":"2.0","method":')) {
      if (!text.startsWith('{"jsonrpc":"2.0","method":"$/end"')) return;
      const { params } = JSON.parse(text) as { params: { subscription_id: string } };
      this.#streams.delete(params.subscription_id);
      return;
    }
    const answers = [JSON.parse(text)].flat() as { id: Id; result?: { subscription_id?: string } }[];
    for (const { id, result } of answers) {
      this.#calls.delete(id);
      if (typeof result?.subscription_id === "string") this.#streams.add(result.subscription_id);
    }
    if (--this.#messages === 0) this.#onSettled?.();
  }

  /** Resolves when every call has its answer. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#onSettled = resolve;
      if (this.#messages === 0) resolve();
    });
  }

  /** What is said to each call and stream when the connection is lost: that nobody knows what became of it. */
  lastWords(error: BenchtopError): string[] {
    const code = faultCodes.operationFailed;
    return [
      ...[...this.#calls].map((id) => faultText({ id, code, error })),
      ...[...this.#streams].map((id) =>
        notificationText("$/end", { subscription_id: id, reason: "failed", error: errorObject(code, error) }),
      ),
    ];
  }
}

async function pumpIn(socket: WebSocket, { input, output }: BridgeOptions, open: Open): Promise<void> {
  for await (const line of readLines(input, maxLineBytes)) {
    const text = line.kind === "line" ? decode(line.bytes) : undefined;
    if (text?.trim() === "") continue;
    const message: Message =
      line.kind === "too-long"
        ? { kind: "single", item: tooLong }
        : text === undefined
          ? { kind: "single", item: notUtf8 }
          : parseMessage(text);
    if (message.kind === "single" && isFault(message.item)) {
      await write(output, faultText(message.item));
      continue;
    }
    open.asked(message);
    const sent = new Promise<void>((resolve) => socket.send(text ?? "", () => resolve()));
    if (socket.bufferedAmount > behindBytes) await sent;
  }
}

/** Resolves with what ended the connection. */
function pumpOut(socket: WebSocket, output: Writable, open: Open): Promise<BenchtopError> {
  socket.on("message", (data: Buffer) => {
    const text = data.toString();
    open.told(text);
    if (output.write(`${text}\n`) || socket.isPaused) return;
    socket.pause();
    output.once("drain", () => socket.resume());
  });
  return new Promise((resolve) => {
    socket.on("error", () => undefined);
    socket.once("close", (code, reason) => resolve(connectionLost(code, reason.toString())));
  });
}

function write(output: Writable, line: string): Promise<void> | undefined {
  if (output.write(`${line}\n`)) return undefined;
  return new Promise((resolve) => output.once("drain", resolve));
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decode(bytes: Buffer): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

const notUtf8: Fault = { ...invalidRequest(null, "The line is not UTF-8."), code: faultCodes.parseError };
const tooLong = invalidRequest(null, `A message is ${maxLineBytes} bytes at most.`, { max_bytes: maxLineBytes });

async function connect({ url, token, workspace }: BridgeOptions): Promise<WebSocket> {
  const { WebSocket } = await import("ws");
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/rpc`, {
    headers: {
      authorization: `Bearer ${token}`,
      ...(workspace !== undefined && { "benchtop-workspace": workspace }),
    },
    perMessageDeflate: false,
    maxPayload: 0,
  });
  return await new Promise((resolve, reject) => {
    socket.once("open", () => resolve(socket));
    socket.once("error", (cause) => reject(unreachable(`The Benchtop daemon at ${url} does not answer.`, cause)));
    socket.once("unexpected-response", (_, response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk.slice(0, 10_000)));
      response.on("end", () => {
        socket.on("error", () => undefined);
        socket.terminate();
        reject(refusalOf(text) ?? unreachable(`What answers at ${url} is not a Benchtop daemon.`));
      });
    });
  });
}

function refusalOf(text: string): BenchtopError | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: { message: string } & ErrorInfo };
    return error?.error_code === undefined ? undefined : BenchtopError.of(error);
  } catch {
    return undefined;
  }
}

function connectionLost(code: number, reason: string): BenchtopError {
  if (code === 4401) {
    return new BenchtopError("AUTH_REQUIRED", "The daemon ended the connection: this token is no longer good for it.", {
      phase: "settings",
    });
  }
  const why = code === 1001 ? "The daemon stopped" : "The connection to the daemon was lost";
  const said = reason === "" || code === 1001 ? "" : ` (${reason})`;
  return unreachable(`${why}${said}. What was asked and not answered may have been done.`);
}

function unreachable(message: string, cause?: unknown): BenchtopError {
  return new BenchtopError("NETWORK_UNAVAILABLE", message, {
    phase: "settings",
    subphase: "daemon_unreachable",
    actions: ["retry"],
    cause,
  });
}
