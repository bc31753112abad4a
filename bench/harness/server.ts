/**
 * The model of the benchmark, a process of its own, chosen by the path: `/burst/N` answers N tokens at once, `/trickle/N` each
 * in a network chunk of its own, `/tools/N` asks for N tool calls, one after the other, `/paced/N/MS` says N tokens, one
 * every MS milliseconds, each the moment of its sending (microseconds of the monotonic clock). Prints its port.
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate, setTimeout as pause } from "node:timers/promises";

const words = ["The", " quick", " brown", " fox", " jumps", " over", " the", " lazy", " dog", "."];
let responses = 0;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => void answer(request.url ?? "", Buffer.concat(chunks).toString("utf8"), response));
});

server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));

async function answer(url: string, body: string, response: ServerResponse): Promise<void> {
  const [, pace, first, second] = url.split("/");
  const count = Number(first);
  responses += 1;
  const head = { id: `chatcmpl-${responses}`, object: "chat.completion.chunk", created: 1_760_000_000, model: "bench" };
  const frame = (delta: object, finish: string | null = null): string =>
    `data: ${JSON.stringify({ ...head, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] })}\n\n`;
  const usage = { prompt_tokens: 10, completion_tokens: count, total_tokens: count + 10 };
  const end = (finish: string): string =>
    `${frame({}, finish)}data: ${JSON.stringify({ ...head, choices: [], usage })}\n\ndata: [DONE]\n\n`;

  response.socket?.setNoDelay(true);
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(frame({ role: "assistant", content: "" }));
  if (pace === "tools") {
    const done = body.split('"role":"tool"').length - 1;
    if (done >= count) return void response.end(frame({ content: "Done." }) + end("stop"));
    const call = { index: 0, id: `call_${done}`, type: "function", function: { name: "noop", arguments: '{"n":1}' } };
    return void response.end(frame({ tool_calls: [call] }) + end("tool_calls"));
  }
  if (pace === "burst") {
    const frames = Array.from({ length: count }, (_, index) => frame({ content: words[index % words.length] }));
    return void response.end(frames.join("") + end("stop"));
  }
  const start = performance.now();
  for (let index = 0; index < count; index += 1) {
    if (pace === "paced") {
      await pause(Math.max(0, start + (index + 1) * Number(second) - performance.now()));
      response.write(frame({ content: `${process.hrtime.bigint() / 1000n} ` }));
    } else {
      response.write(frame({ content: words[index % words.length] }));
      await setImmediate();
    }
  }
  response.end(end("stop"));
}
