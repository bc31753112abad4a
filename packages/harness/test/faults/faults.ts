import type { ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { frames, type Dialect, type ScriptedAnswer } from "../../src/provider/conformance/dialect.ts";
import { cutUp } from "./answers.ts";
import type { Random } from "./random.ts";

/** One request, as a fault sees it. */
export interface Exchange {
  readonly random: Random;
  readonly dialect: Dialect;
  /** What an honest server would say. */
  readonly answer: ScriptedAnswer;
  readonly response: ServerResponse;
  /** Where a client that follows redirects would end up. */
  readonly trap: string;
}

export type Fault = (exchange: Exchange) => void | Promise<void>;

/** Everything that a provider has been seen to do, and what one could do out of malice. */
export const faults = {
  "breaks the connection before any answer": ({ response }) => void response.socket?.resetAndDestroy(),
  "closes the connection before any answer": ({ response }) => void response.socket?.destroy(),
  "never answers": () => {},
  "sends headers and then nothing": ({ response }) => void begin(response),
  "stops in the middle and stays": async (exchange) => {
    await write(begin(exchange.response), frames(someEvents(exchange)));
  },
  "limits requests and names no time": (exchange) => refuse(exchange, 429, "rate_limit_exceeded"),
  "limits requests for a second": (exchange) => refuse(exchange, 429, "rate_limit_exceeded", { "retry-after": "1" }),
  "limits requests for some milliseconds": (exchange) =>
    refuse(exchange, 429, "rate_limit_exceeded", { "retry-after-ms": String(exchange.random.below(8)) }),
  "limits requests until a date": (exchange) => {
    const date = new Date(Date.now() + exchange.random.below(4000) - 2000).toUTCString();
    refuse(exchange, 429, "rate_limit_exceeded", { "retry-after": date });
  },
  "limits requests until nobody knows when": (exchange) =>
    refuse(exchange, 429, "rate_limit_exceeded", { "retry-after": exchange.random.pick(["soon", "-5", "1e999", ""]) }),
  "has no credit left": (exchange) => refuse(exchange, exchange.random.pick([402, 429]), "insufficient_quota"),
  "fails inside": (exchange) => refuse(exchange, exchange.random.pick([500, 502, 503, 504, 529]), "server_error"),
  "does not accept the key": (exchange) => refuse(exchange, exchange.random.pick([401, 403]), "invalid_api_key"),
  "does not know the model": (exchange) => refuse(exchange, 404, "model_not_found"),
  "finds the prompt too long": (exchange) =>
    refuse(exchange, exchange.random.pick([400, 413]), "context_length_exceeded"),
  "refuses the request": (exchange) => refuse(exchange, exchange.random.pick([400, 409, 422]), "invalid_request_error"),
  "fails with a page": ({ response, random }) => {
    begin(response, random.pick([500, 502, 503]), "text/html").end("<html><h1>Bad gateway</h1></html>");
  },
  "fails with a page without end": async ({ response }) => {
    begin(response, 500, "text/html");
    for (let count = 0; count < 64 && !response.destroyed; count += 1) await write(response, "x".repeat(64 * 1024));
    response.end();
  },
  "fails with headers and no body": ({ response }) => void begin(response, 503, "application/json"),
  "answers with a page": ({ response }) => void begin(response, 200, "text/html").end("<html>Welcome</html>"),
  "answers with nothing": ({ response }) => {
    response.writeHead(204);
    response.end();
  },
  "calls its stream plain text": (exchange) => say(exchange, events(exchange), "text/plain"),
  "calls its stream a document": (exchange) => say(exchange, events(exchange), "application/json"),
  redirects: ({ response, random, trap }) => {
    response.writeHead(random.pick([301, 302, 307, 308]), { location: trap });
    response.end();
  },
  "sends more headers than anyone reads": ({ response }) => {
    const many = Array.from({ length: 40 }, (_, index) => [`x-header-${index}`, "y".repeat(1000)] as const);
    response.writeHead(200, { "content-type": "text/event-stream", ...Object.fromEntries(many) });
    response.end();
  },
  "speaks no HTTP": ({ response, random }) => {
    response.socket?.end(
      random.pick(["HTTP/1.1 999\r\n", "\u0000\u0001\u0002", "SSH-2.0-OpenSSH_9\r\n", "HTTP/1.1 200 OK\r\n: x"]),
    );
  },
  "promises more than it sends": async ({ response, ...exchange }) => {
    const body = frames(someEvents(exchange));
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "content-length": String(Buffer.byteLength(body) + 10),
    });
    await write(response, body);
    response.socket?.destroy();
  },
  "breaks its chunks": ({ response, ...exchange }) => {
    response.socket?.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
    response.socket?.end(`5\r\n${frames(someEvents(exchange))}zz\r\nnot a chunk`);
  },
  "zips its stream unasked": async ({ response, ...exchange }) => {
    response.writeHead(200, { "content-type": "text/event-stream", "content-encoding": "gzip" });
    await write(response, gzipSync(frames(events(exchange))));
    response.end();
  },
  "zips its stream and does not say so": (exchange) => sayBytes(exchange, gzipSync(frames(events(exchange)))),
  "zips a line without end": async ({ response }) => {
    response.writeHead(200, { "content-type": "text/event-stream", "content-encoding": "gzip" });
    await write(response, gzipSync(`data: ${"x".repeat(64 * 1024 * 1024)}`));
    response.end();
  },
  "says that its stream is zipped": async ({ response, ...exchange }) => {
    response.writeHead(200, { "content-type": "text/event-stream", "content-encoding": "gzip" });
    await write(response, frames(events(exchange)));
    response.end();
  },
  "ends early": (exchange) => say(exchange, someEvents(exchange)),
  "breaks off": async (exchange) => {
    await write(begin(exchange.response), frames(someEvents(exchange)));
    exchange.response.socket?.resetAndDestroy();
  },
  "ends inside a frame": (exchange) => {
    const text = frames(events(exchange));
    return sayBytes(exchange, Buffer.from(text.slice(0, exchange.random.below(text.length))));
  },
  "sends frames twice": (exchange) =>
    say(
      exchange,
      events(exchange).flatMap((event) => (exchange.random.chance(0.5) ? [event, event] : [event])),
    ),
  "sends frames out of order": (exchange) => {
    const all = events(exchange);
    const [left, right] = [exchange.random.below(all.length), exchange.random.below(all.length)];
    return say(exchange, all.with(left, all[right] ?? "").with(right, all[left] ?? ""));
  },
  "leaves frames out": (exchange) =>
    say(
      exchange,
      events(exchange).filter(() => exchange.random.chance(0.8)),
    ),
  "sends frames that are not JSON": (exchange) =>
    say(exchange, inserted(exchange, exchange.random.pick(["{oops", "null", "7", "[]", '"text"', "[1,2", "\u0000"]))),
  "sends frames of another shape": (exchange) => say(exchange, inserted(exchange, exchange.random.pick(oddFrames))),
  "sends text that is not UTF-8": (exchange) => {
    const bytes = Buffer.from(frames(events(exchange)));
    for (let count = 0; count < 8; count += 1)
      bytes[exchange.random.below(bytes.length)] = 0x80 + exchange.random.below(128);
    return sayBytes(exchange, bytes);
  },
  "sends a byte at a time": async (exchange) => {
    begin(exchange.response);
    for (const byte of Buffer.from(frames(events(exchange)).slice(0, 600))) {
      await write(exchange.response, Uint8Array.of(byte));
      await wait(1);
      if (exchange.response.destroyed) return;
    }
    exchange.response.end();
  },
  "sends in small pieces": async (exchange) => {
    begin(exchange.response);
    for (const piece of cutUp(exchange.random, frames(events(exchange)).slice(0, 2000)))
      await write(exchange.response, piece);
    await write(exchange.response, frames(events(exchange)).slice(2000));
    exchange.response.end();
  },
  "pings and says nothing": async ({ response }) => {
    begin(response);
    for (let count = 0; count < 2000 && !response.destroyed; count += 1) {
      await write(response, ": ping\n\n");
      await wait(2);
    }
    response.end();
  },
  "reports an error in its stream": (exchange) => {
    const code = exchange.random.pick([
      "server_error",
      "rate_limit_exceeded",
      "context_length_exceeded",
      "overloaded_error",
    ]);
    return say(exchange, [...someEvents(exchange), exchange.dialect.errorEvent("It went wrong.", code)]);
  },
  "leaves the last frame out": (exchange) => say(exchange, events(exchange).slice(0, -1)),
  "counts no tokens": (exchange) => {
    const { usage: _, ...answer } = exchange.answer;
    return say(exchange, exchange.dialect.events(answer));
  },
  "counts tokens absurdly": (exchange) => {
    const absurd = exchange.random.pick(["-5", "1e300", "null", '"12"', "0.5", "9007199254740993", "{}", "1e15"]);
    return say(
      exchange,
      events(exchange).map((event) => event.replaceAll(/("[a-z_]*_tokens":)\d+/g, `$1${absurd}`)),
    );
  },
  "ends for a reason of its own": (exchange) =>
    say(
      exchange,
      events(exchange).map((event) =>
        event.replaceAll(/("(?:finish_reason|stop_reason|reason)":)"[a-z_]+"/g, '$1"because"'),
      ),
    ),
  "writes arguments that are not JSON": (exchange) =>
    calling(exchange, "charge", exchange.random.pick(['{"amount":', "amount=1", "{]", "\u0000"])),
  "writes arguments nested without end": (exchange) => calling(exchange, "charge", "[".repeat(30_000)),
  "writes arguments of a wrong type": (exchange) =>
    calling(
      exchange,
      "charge",
      exchange.random.pick(['{"amount":"1"}', '{"amount":1,"extra":2}', "[]", '"text"', "null", "{}"]),
    ),
  "calls a tool that does not exist": (exchange) =>
    calling(
      exchange,
      exchange.random.pick(["delete_everything", "", "__proto__", "constructor", "look\u0000", "x".repeat(5000)]),
      "{}",
    ),
  "calls tools by one id": (exchange) => {
    const call = { id: "same", name: "charge", pieces: ['{"amount":1}'] };
    return say(exchange, exchange.dialect.events({ ...exchange.answer, toolCalls: [call, call, call] }));
  },
  "calls a tool by the id of an earlier call": (exchange) => calling(exchange, "charge", '{"amount":1}', "once"),
  "sends a frame of megabytes": (exchange) =>
    say(exchange, exchange.dialect.events({ ...exchange.answer, text: ["0123456789 wörter ".repeat(60_000)] })),
  "sends a line without end": async ({ response }) => {
    begin(response);
    await write(response, "data: ");
    for (let count = 0; count < 40 && !response.destroyed; count += 1) await write(response, "x".repeat(1024 * 1024));
    response.end();
  },
  "thinks without end": (exchange) => withoutEnd(exchange, { reasoning: ["and then I thought that ".repeat(40)] }),
  "talks without end": (exchange) => withoutEnd(exchange, { text: ["and so on and on ".repeat(40)] }),
  "calls tools without end": (exchange) =>
    withoutEnd(exchange, { toolCalls: [{ id: "endless", name: "look", pieces: ['{"amount":1}'] }] }),
  "says nothing": (exchange) => say(exchange, exchange.dialect.events({})),
  "says only empty pieces": (exchange) =>
    say(exchange, exchange.dialect.events({ text: ["", "", ""], reasoning: [""] })),
  "closes after its answer": async (exchange) => {
    await write(begin(exchange.response), frames(events(exchange)));
    exchange.response.socket?.destroy();
  },
  "stays after its answer": async (exchange) => {
    await write(begin(exchange.response), frames(events(exchange)));
  },
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof faults;
export const faultNames = Object.keys(faults) as FaultName[];

/** What a server does that works. */
export async function honest(exchange: Exchange): Promise<void> {
  begin(exchange.response);
  for (const event of events(exchange)) {
    await write(exchange.response, frames([event]));
    if (exchange.random.chance(0.02)) await wait(1);
  }
  exchange.response.end();
}

const deep = "[".repeat(20_000) + "]".repeat(20_000);

/** Frames that are JSON objects, and nothing that any protocol says. */
const oddFrames = [
  `{"usage":${deep}}`,
  `{"error":${deep}}`,
  `{"choices":[{"delta":{"content":${deep}}}]}`,
  `{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"look","arguments":${deep}}}]}}]}`,
  `{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"r","encrypted_content":"x","summary":${deep}}}`,
  `{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"c","name":"look","arguments":${deep}}}`,
  `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"look","input":{"a":${deep}}}}`,
  `{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":${deep}}}`,
  "{}",
  '{"choices":null}',
  '{"choices":[]}',
  '{"choices":[null]}',
  '{"choices":[{"delta":null}]}',
  '{"choices":[{"delta":{"tool_calls":[null]}}]}',
  '{"choices":[{"delta":{"tool_calls":[{"index":-1,"function":null}]}}]}',
  '{"choices":[{"delta":{"tool_calls":{"index":0}}}]}',
  '{"choices":[{"delta":{"tool_calls":[{"index":1e9,"function":{"arguments":7}}]}}]}',
  '{"choices":[{"delta":{"content":{"text":"x"}}}]}',
  '{"choices":[{"delta":{"content":[null,{"text":"x"}]}}]}',
  '{"choices":"none","usage":[]}',
  '{"type":7}',
  '{"type":"response.output_item.added"}',
  '{"type":"response.output_item.added","output_index":-1,"item":null}',
  '{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":null}}',
  '{"type":"response.output_text.delta","output_index":"0","delta":{}}',
  '{"type":"response.completed"}',
  '{"type":"response.completed","response":{"output":{},"usage":7}}',
  '{"type":"response.failed"}',
  '{"type":"content_block_start"}',
  '{"type":"content_block_start","index":0,"content_block":null}',
  '{"type":"content_block_delta","index":99,"delta":{"type":"text_delta","text":"x"}}',
  '{"type":"content_block_delta","index":0,"delta":null}',
  '{"type":"content_block_stop"}',
  '{"type":"message_start"}',
  '{"type":"message_delta","delta":null,"usage":null}',
  '{"type":"message_stop"}',
  '{"error":null}',
  '{"error":{"message":null,"code":{}}}',
  '{"error":[]}',
  '{"__proto__":{"polluted":true}}',
];

function events({ dialect, answer }: Pick<Exchange, "dialect" | "answer">): string[] {
  return dialect.events(answer);
}

/** The first events of an answer, never all. */
function someEvents(exchange: Pick<Exchange, "dialect" | "answer" | "random">): string[] {
  const all = events(exchange);
  return all.slice(0, exchange.random.below(all.length));
}

function inserted(exchange: Exchange, event: string): string[] {
  const all = events(exchange);
  return all.toSpliced(exchange.random.below(all.length), 0, event);
}

function calling(
  exchange: Exchange,
  name: string,
  text: string,
  id = `call_${exchange.random.below(1e9)}`,
): Promise<void> {
  const toolCalls = [{ id, name, pieces: cutUp(exchange.random, text.slice(0, 200)).concat(text.slice(200)) }];
  return say(exchange, exchange.dialect.events({ ...exchange.answer, toolCalls }));
}

/** The middle of an answer again and again, as long as somebody listens; some tens of megabytes at most. */
async function withoutEnd(exchange: Exchange, answer: ScriptedAnswer): Promise<void> {
  const { response, dialect } = exchange;
  begin(response);
  const once = dialect.events(answer);
  const middle = once.slice(1, Math.max(2, -2 + once.length));
  await write(response, frames(once.slice(0, 1)));
  for (let count = 0, bytes = 0; bytes < mostEndlessBytes && !response.destroyed; count += 1) {
    const text = frames(middle.map((event) => renumberedEvent(event, count)));
    bytes += text.length;
    await write(response, text);
  }
  response.end();
}

const mostEndlessBytes = 48 * 1024 * 1024;

/** Numbered events have to go on counting, and calls to be new ones. */
function renumberedEvent(event: string, count: number): string {
  return event
    .replace(/"sequence_number":\d+/, `"sequence_number":${count * 100 + 10}`)
    .replace(/"(output_index|index)":\d+(?=[,}].*(?:function|tool))/, `"$1":${count}`)
    .replaceAll('"endless"', `"endless_${count}"`);
}

function refuse(
  { response, random }: Exchange,
  status: number,
  code: string,
  headers: Record<string, string> = {},
): void {
  const body = random.pick([
    JSON.stringify({ error: { message: "No.", type: code, code } }),
    JSON.stringify({ type: "error", error: { type: code, message: "No." } }),
    JSON.stringify({ error: { message: "No.", code } }),
  ]);
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(body);
}

async function say(exchange: Exchange, all: readonly string[], type?: string): Promise<void> {
  const { response, random } = exchange;
  begin(response, 200, type);
  if (random.chance(0.5)) await write(response, frames(all));
  else for (const event of all) await write(response, frames([event]));
  response.end();
}

async function sayBytes({ response }: Exchange, bytes: Uint8Array): Promise<void> {
  await write(begin(response), bytes);
  response.end();
}

function begin(response: ServerResponse, status = 200, type = "text/event-stream"): ServerResponse {
  response.writeHead(status, { "content-type": type });
  response.flushHeaders();
  return response;
}

/** Waits while the other side does not read; a connection that is gone takes anything. */
async function write(response: ServerResponse, data: string | Uint8Array): Promise<void> {
  if (response.destroyed || response.writableEnded) return;
  if (response.write(data)) return;
  await new Promise<void>((resolve) => {
    const goOn = (): void => {
      response.off("drain", goOn);
      response.off("close", goOn);
      resolve();
    };
    response.on("drain", goOn);
    response.on("close", goOn);
  });
}
