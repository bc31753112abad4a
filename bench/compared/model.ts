import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

/** What the scripted model does with one request. */
export interface Move {
  /** An error status instead of an answer. */
  readonly status?: number;
  readonly text?: string;
  readonly calls?: readonly { readonly name: string; readonly n: number }[];
  /** Never ends the answer: the connection stays open until the client closes it. */
  readonly hold?: boolean;
  readonly delayMs?: number;
}

export interface Asked {
  /** How far the conversation is: one more than the turn whose calls were answered last. */
  readonly turn: number;
  /** How often this turn of this conversation was asked for before. */
  readonly repeated: number;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly body: string;
}

export type Script = (asked: Asked) => Move;

export interface ModelLog extends Asked {
  /** When the client closed an unfinished answer (`performance.now()`). */
  closedAt?: number;
}

/** A scripted model on loopback that speaks streaming and plain chat completions; one script a path. */
export class ScriptedModel {
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #scripts = new Map<string, { readonly script: Script; readonly log: ModelLog[] }>();

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  /** The base URL under which a script answers, and everything that was asked there. */
  add(name: string, script: Script): { readonly baseUrl: string; readonly log: readonly ModelLog[] } {
    const log: ModelLog[] = [];
    this.#scripts.set(name, { script, log });
    const { port } = this.#server.address() as AddressInfo;
    return { baseUrl: `http://127.0.0.1:${port}/${name}/v1`, log };
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString("utf8");
    const [, name = ""] = (request.url ?? "").split("/");
    const entry = this.#scripts.get(name);
    if (!entry) return void response.writeHead(404).end();
    const parsed = JSON.parse(body) as Request;
    const messages = parsed.messages.map(({ role, content }) => ({ role, content: textOf(content) }));
    const turn = turnOf(body, messages);
    const repeated = entry.log.filter((other) => other.turn === turn).length;
    const record: ModelLog = { turn, repeated, messages, body };
    entry.log.push(record);
    response.on("close", () => {
      if (!response.writableFinished) record.closedAt = performance.now();
    });
    const move = withOfferedNames(entry.script(record), parsed.tools);
    if (move.delayMs !== undefined) await pause(move.delayMs);
    if (move.status !== undefined) {
      const error = { message: move.text ?? "refused", type: "scripted", code: "scripted" };
      response.writeHead(move.status, {
        "content-type": "application/json",
        "retry-after-ms": "5",
        "retry-after": "0",
      });
      response.end(JSON.stringify({ error }));
    } else if (parsed.stream === true) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const frame of framesOf(move, turn)) response.write(frame);
      if (move.hold !== true) response.end(`data: [DONE]\n\n`);
    } else {
      response.writeHead(200, { "content-type": "application/json" });
      if (move.hold !== true) response.end(JSON.stringify(replyOf(move, turn)));
    }
  }
}

/** Read from the ids of the calls, for long conversations are trimmed. */
function turnOf(body: string, messages: Asked["messages"]): number {
  const turns = [...body.matchAll(/"call_(\d+)_\d+"/g)].map(([, turn]) => Number(turn));
  return turns.length > 0 ? Math.max(...turns) + 1 : messages.filter(({ role }) => role === "assistant").length;
}

interface Request {
  readonly stream?: boolean;
  readonly messages: readonly { readonly role: string; readonly content: unknown }[];
  readonly tools?: readonly { readonly function?: { readonly name?: string } }[];
}

interface NamedMove extends Omit<Move, "calls"> {
  readonly calls: readonly { readonly name: string; readonly arguments: object }[];
}

/** A sub-agent may be offered under a longer name (`agent-helper`), and takes its task as text. */
function withOfferedNames(move: Move, offered: Request["tools"]): NamedMove {
  const names = (offered ?? []).map((tool) => tool.function?.name ?? "");
  const calls = (move.calls ?? []).map(({ name, n }) => {
    const offeredName = names.find((other) => other.endsWith(`-${name}`));
    return offeredName === undefined
      ? { name, arguments: name === "helper" ? { task: `Help ${n}.` } : { n } }
      : { name: offeredName, arguments: { prompt: `Help ${n}.` } };
  });
  return { ...move, calls };
}

function textOf(content: unknown): string {
  return typeof content === "string" ? content : JSON.stringify(content ?? "");
}

/** Every response has an id of its own: some merge messages of equal id. */
let responses = 0;
const headOf = () => ({ id: `chatcmpl-${++responses}`, created: 1_760_000_000, model: "scripted" });
const usage = { prompt_tokens: 10, completion_tokens: 10, total_tokens: 20 };

function toolCallsOf(move: NamedMove, turn: number): object[] {
  return move.calls.map(({ name, arguments: input }, index) => ({
    index,
    id: `call_${turn}_${index}`,
    type: "function",
    function: { name, arguments: JSON.stringify(input) },
  }));
}

function* framesOf(move: NamedMove, turn: number): Generator<string> {
  const head = headOf();
  const frame = (delta: object, finish: string | null = null) =>
    `data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  yield frame({ role: "assistant", content: "" });
  for (const word of move.text?.match(/\S+\s*/g) ?? []) yield frame({ content: word });
  if (move.hold === true) return;
  const calls = toolCallsOf(move, turn);
  for (const call of calls) yield frame({ tool_calls: [call] });
  yield frame({}, calls.length > 0 ? "tool_calls" : "stop");
  yield `data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices: [], usage })}\n\n`;
}

function replyOf(move: NamedMove, turn: number): object {
  const calls = toolCallsOf(move, turn);
  const message = { role: "assistant", content: move.text ?? null, ...(calls.length > 0 && { tool_calls: calls }) };
  const finish = calls.length > 0 ? "tool_calls" : "stop";
  return { ...headOf(), object: "chat.completion", choices: [{ index: 0, message, finish_reason: finish }], usage };
}
