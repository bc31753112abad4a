import { embeddingDimensions, longestEmbedded, think, tokensOf, vectorFor, type Thought } from "./brain.ts";
import { betweenWords, ModelServer, textIn, type Body, type Received, type Reply } from "./model-server.ts";

/** A server of models that speaks `/v1` as OpenAI defined it; what is beside that is each server's own. */
export abstract class OpenAiModelServer extends ModelServer {
  abstract readonly models: readonly string[];
  abstract readonly embedder: string;

  /** The answer beside `/v1`, if there is one. */
  protected abstract own(request: Received): Reply | undefined | Promise<Reply | undefined>;
  protected abstract listing(): object;
  /** What a request for a model becomes that is not there. */
  protected abstract missing(model: string): Reply;
  /** The name by which an answer calls the model that was asked. */
  protected nameOf(model: string): string {
    return model;
  }

  protected async reply(request: Received): Promise<Reply> {
    const { method, path, body } = request;
    if (method === "GET" && path === "/v1/models") return { json: this.listing() };
    if (method === "POST" && path === "/v1/chat/completions") return this.#chat(body);
    if (method === "POST" && path === "/v1/embeddings") return this.#embed(body);
    return (
      (await this.own(request)) ?? {
        status: 404,
        json: { error: { message: "Not Found", type: "not_found_error", code: 404 } },
      }
    );
  }

  #chat(body: Body): Reply {
    const model = textIn(body["model"]);
    const fault = this.takeFault();
    if (fault === "loading") {
      const error = { code: 503, message: "Loading model", type: "unavailable_error" };
      return { status: 503, headers: { "retry-after": "2" }, json: { error } };
    }
    if (fault === "page") return { status: 200, headers: { "content-type": "text/html" }, text: "<h1>Welcome</h1>" };
    if (!this.models.includes(model)) return this.missing(model);
    const thought = think({
      model,
      text: lastText(body),
      hasTools: Array.isArray(body["tools"]),
      schema: schemaIn(body),
      grammar: body["grammar"],
      maxTokens: typeof body["max_tokens"] === "number" ? body["max_tokens"] : undefined,
    });
    const name = fault === "impostor" ? "another-model" : this.nameOf(model);
    return { headers: { "content-type": "text/event-stream" }, stream: events(name, thought, fault) };
  }

  #embed(body: Body): Reply {
    const model = textIn(body["model"]);
    if (!this.models.includes(model)) return this.missing(model);
    const texts = [body["input"]].flat().map(String);
    if (texts.some((text) => text.length > longestEmbedded)) {
      const message = `This model's maximum context length is ${longestEmbedded} tokens. However, you requested more.`;
      return { status: 400, json: { error: { message, type: "BadRequestError", code: 400 } } };
    }
    const data = texts.map((text, index) => ({ object: "embedding", index, embedding: vectorFor(text) }));
    const usage = {
      prompt_tokens: texts.length * embeddingDimensions,
      total_tokens: texts.length * embeddingDimensions,
    };
    // Nothing says that they come in order.
    return { json: { object: "list", data: data.toReversed(), model: this.nameOf(model), usage } };
  }
}

async function* events(model: string, thought: Thought, fault: string | undefined): AsyncGenerator<string> {
  const head = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model };
  const chunk = (delta: object, finish: string | null = null): string =>
    `data: ${JSON.stringify({ ...head, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  if (fault === "garbage") {
    yield `data: {"choices": [}\n\n`;
    return;
  }
  yield chunk({ role: "assistant", content: "" });
  if (thought.reasoning !== undefined) yield chunk({ reasoning_content: thought.reasoning });
  do {
    for (const word of thought.words) {
      await betweenWords();
      yield chunk({ content: word });
      if (fault === "dies") throw new Error("The process of the server ended.");
    }
  } while (thought.isEndless === true);
  for (const [index, call] of (thought.calls ?? []).entries()) {
    const text = JSON.stringify(call.arguments);
    yield chunk({
      tool_calls: [{ index, id: `call_${index}`, type: "function", function: { name: call.name, arguments: "" } }],
    });
    for (const part of [text.slice(0, 4), text.slice(4)]) {
      yield chunk({ tool_calls: [{ index, function: { arguments: part } }] });
    }
  }
  yield chunk({}, thought.isCut === true ? "length" : thought.calls ? "tool_calls" : "stop");
  const { input, output } = tokensOf(thought);
  const usage = { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
  yield `data: ${JSON.stringify({ ...head, choices: [], usage })}\n\n`;
  yield "data: [DONE]\n\n";
}

export function lastText(body: Body): string {
  const messages = Array.isArray(body["messages"]) ? body["messages"] : [];
  const last = messages.at(-1);
  const content = typeof last === "object" && last !== null && !Array.isArray(last) ? last["content"] : "";
  return typeof content === "string" ? content : JSON.stringify(content);
}

function schemaIn(body: Body): unknown {
  const format = body["response_format"];
  return typeof format === "object" && format !== null && !Array.isArray(format) ? format["json_schema"] : undefined;
}
