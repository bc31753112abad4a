import { createHash } from "node:crypto";
import { longestEmbedded, think, tokensOf, vectorFor, type Thought } from "./brain.ts";
import { betweenWords, ModelServer, textIn, type Body, type Received, type Reply } from "./model-server.ts";
import { lastText } from "./openai-protocol.ts";

/** Ollama. */
export class OllamaServer extends ModelServer {
  readonly models = ["tiny:latest", "other:1b", "embedder:latest"];
  readonly embedder = "embedder:latest";
  /** When each loaded model leaves. */
  readonly loaded = new Map<string, { expiresAt: Date; contextTokens: number }>();

  protected reply({ path, body }: Received): Reply {
    const model = this.#find(textIn(body["model"]));
    if (path === "/api/version") return { json: { version: "0.12.3" } };
    if (path === "/api/tags") return { json: { models: this.models.map((name) => tag(name)) } };
    if (path === "/api/ps") return { json: { models: [...this.loaded].map((entry) => running(...entry)) } };
    if (model === undefined)
      return { status: 404, json: { error: `model "${textIn(body["model"])}" not found, try pulling it first` } };
    if (path === "/api/show") {
      return {
        json: { details: details, capabilities: model === this.embedder ? ["embedding"] : ["completion", "tools"] },
      };
    }
    if (path === "/api/generate") return this.#generate(model, body);
    if (path === "/api/embed") return this.#embed(model, body);
    if (path === "/api/chat") return this.#chat(model, body);
    return { status: 404, text: "404 page not found" };
  }

  #find(name: string): string | undefined {
    return this.models.find((one) => one === name || one === `${name}:latest`);
  }

  /** Only ever asked for nothing here: that loads and unloads. */
  #generate(model: string, body: Body): Reply {
    const isUnload = body["keep_alive"] === 0;
    if (!isUnload && model === this.embedder) {
      return { status: 400, json: { error: `"${model}" does not support generate` } };
    }
    if (isUnload) this.loaded.delete(model);
    else this.#load(model, body);
    const done_reason = isUnload ? "unload" : "load";
    return { json: { model: body["model"], created_at: now(), response: "", done: true, done_reason } };
  }

  #load(model: string, body: Body): void {
    const keepAlive = Number(body["keep_alive"] ?? 300);
    const seconds = keepAlive < 0 ? 292 * 365 * 24 * 60 * 60 : keepAlive;
    const options = body["options"] as { num_ctx?: number } | undefined;
    this.loaded.set(model, {
      expiresAt: new Date(Date.now() + seconds * 1000),
      contextTokens: options?.num_ctx ?? 4096,
    });
  }

  #embed(model: string, body: Body): Reply {
    this.#load(model, body);
    const texts = [body["input"]].flat().map(String);
    if (texts.some((text) => text.length > longestEmbedded)) {
      if (body["truncate"] !== false) return { json: { model: body["model"], embeddings: [[1, 1, 1, 1]] } };
      return { status: 400, json: { error: "the input length exceeds the context length" } };
    }
    const embeddings = texts.map(vectorFor);
    return {
      json: {
        model: body["model"],
        embeddings,
        total_duration: 1,
        load_duration: 1,
        prompt_eval_count: texts.length * 4,
      },
    };
  }

  #chat(model: string, body: Body): Reply {
    const fault = this.takeFault();
    if (fault === "loading") {
      return {
        status: 503,
        headers: { "retry-after": "2" },
        json: { error: "server busy, please try again. maximum pending requests exceeded" },
      };
    }
    if (fault === "page") return { headers: { "content-type": "text/html" }, text: "<h1>Welcome</h1>" };
    this.#load(model, body);
    const options = (body["options"] ?? {}) as { num_predict?: number };
    const thought = think({
      model: textIn(body["model"]),
      text: lastText(body),
      hasTools: Array.isArray(body["tools"]),
      schema: body["format"],
      grammar: undefined,
      maxTokens: options.num_predict,
    });
    const name = fault === "impostor" ? "another-model" : textIn(body["model"]);
    return { headers: { "content-type": "application/x-ndjson" }, stream: lines(name, thought, fault) };
  }
}

async function* lines(model: string, thought: Thought, fault: string | undefined): AsyncGenerator<string> {
  const line = (fields: object): string => `${JSON.stringify({ model, created_at: now(), ...fields })}\n`;
  const says = (message: object): string =>
    line({ message: { role: "assistant", content: "", ...message }, done: false });
  if (fault === "garbage") {
    yield '{"message": [}\n';
    return;
  }
  if (thought.reasoning !== undefined) yield says({ thinking: thought.reasoning });
  do {
    for (const word of thought.words) {
      await betweenWords();
      yield says({ content: word });
      if (fault === "dies") throw new Error("The process of the server ended.");
    }
  } while (thought.isEndless === true);
  // Each call whole, in a line of its own, its index always 0.
  for (const call of thought.calls ?? []) yield says({ tool_calls: [{ function: { index: 0, ...call } }] });
  const { input, output } = tokensOf(thought);
  yield line({
    message: { role: "assistant", content: "" },
    done: true,
    done_reason: thought.isCut === true ? "length" : "stop",
    total_duration: 4_883_583_458,
    load_duration: 1_334_875,
    prompt_eval_count: input,
    prompt_eval_duration: 342_546_000,
    eval_count: output,
    eval_duration: 4_535_599_000,
  });
}

const details = {
  parent_model: "",
  format: "gguf",
  family: "llama",
  families: ["llama"],
  parameter_size: "200K",
  quantization_level: "F32",
};

function tag(name: string): object {
  const digest = createHash("sha256").update(name).digest("hex");
  return { name, model: name, modified_at: now(), size: 800_000, digest, details };
}

function running(name: string, { expiresAt, contextTokens }: { expiresAt: Date; contextTokens: number }): object {
  return { ...tag(name), size_vram: 0, expires_at: expiresAt.toISOString(), context_length: contextTokens };
}

function now(): string {
  return new Date().toISOString();
}
