/**
 * The provider of the benchmark, a process of its own: answers every chat completion with as many tokens as the path
 * says, all at once (`/burst/2000`) or each in its own network chunk (`/trickle/2000`). Prints its port.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate } from "node:timers/promises";

const head = { id: "chatcmpl-bench", object: "chat.completion.chunk", created: 1_760_000_000, model: "bench" };
const words = ["The", " quick", " brown", " fox", " jumps", " over", " the", " lazy", " dog", "."];

function framesOf(tokens: number): string[] {
  const frame = (delta: object, finish: string | null = null) =>
    `data: ${JSON.stringify({ ...head, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] })}\n\n`;
  const usage = { prompt_tokens: 10, completion_tokens: tokens, total_tokens: tokens + 10 };
  return [
    frame({ role: "assistant", content: "" }),
    ...Array.from({ length: tokens }, (_, index) => frame({ content: words[index % words.length] })),
    frame({}, "stop"),
    `data: ${JSON.stringify({ ...head, choices: [], usage })}\n\n`,
    "data: [DONE]\n\n",
  ];
}

const server = createServer((request, response) => {
  request.resume();
  request.on("end", () => void answer());

  async function answer(): Promise<void> {
    const [, pace, tokens] = (request.url ?? "").split("/");
    const frames = framesOf(Number(tokens));
    response.socket?.setNoDelay(true);
    response.writeHead(200, { "content-type": "text/event-stream" });
    if (pace === "burst") {
      response.end(frames.join(""));
      return;
    }
    for (const frame of frames) {
      response.write(frame);
      await setImmediate();
    }
    response.end();
  }
});

server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
