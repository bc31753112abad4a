import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One answer of the model: tools to call, or a text. */
export interface Turn {
  readonly text?: string;
  readonly calls?: readonly { readonly name: string; readonly arguments: object }[];
  /** Held back until this settles. */
  readonly after?: Promise<unknown>;
}

interface ChatRequest {
  readonly messages: readonly { readonly role: string; readonly content?: string; readonly tool_calls?: unknown }[];
  readonly tools?: readonly { readonly function: { readonly name: string } }[];
}

/** A server that speaks OpenAI's chat completions and answers by a script. Without a script it says "Done." */
export interface ScriptedModel {
  readonly baseUrl: string;
  readonly requests: ChatRequest[];
  script(...turns: Turn[]): void;
  /** What was scripted and not said yet is said no more. */
  forget(): void;
  close(): Promise<void>;
}

export async function startScriptedModel(): Promise<ScriptedModel> {
  const turns: Turn[] = [];
  const requests: ChatRequest[] = [];
  let calls = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      requests.push(JSON.parse(Buffer.concat(chunks).toString("utf8")) as ChatRequest);
      const turn = turns.shift() ?? { text: "Done." };
      void Promise.resolve(turn.after).then(() => answer(response, turn, () => `call_${++calls}`));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    requests,
    script: (...more) => {
      turns.push(...more);
    },
    forget: () => {
      turns.length = 0;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answer(response: ServerResponse, { text, calls }: Turn, newCallId: () => string): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const frame = (delta: object, finishReason: string | null): void => {
    const choices = [{ index: 0, delta, finish_reason: finishReason }];
    response.write(
      `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", model: "scripted", choices })}\n\n`,
    );
  };
  if (text !== undefined) frame({ role: "assistant", content: text }, null);
  const toolCalls = calls?.map(({ name, arguments: input }, index) => {
    return { index, id: newCallId(), type: "function", function: { name, arguments: JSON.stringify(input) } };
  });
  if (toolCalls) frame({ role: "assistant", tool_calls: toolCalls }, null);
  frame({}, toolCalls ? "tool_calls" : "stop");
  const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
  response.write(
    `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", model: "scripted", choices: [], usage })}\n\n`,
  );
  response.end("data: [DONE]\n\n");
}
