import { textIn, type Received, type Reply } from "./model-server.ts";
import { OpenAiModelServer } from "./openai-protocol.ts";

export interface LlamaServerOptions {
  /** Without a model of its own: it loads and unloads those that it finds. */
  readonly isRouter?: boolean;
  /** `--metrics` was given. */
  readonly hasMetrics?: boolean;
}

/** llama-server of llama.cpp. */
export class LlamaCppServer extends OpenAiModelServer {
  readonly models: readonly string[];
  readonly embedder: string;
  readonly loaded = new Set<string>();
  readonly adapters = [
    { id: 0, path: "/adapters/pirate.gguf", scale: 1 },
    { id: 1, path: "/adapters/poet.gguf", scale: 1 },
  ];
  isLoading = false;
  readonly #options: LlamaServerOptions;

  constructor(options: LlamaServerOptions = {}) {
    super();
    this.#options = options;
    this.models = options.isRouter ? ["tiny", "tiny-two"] : ["/models/tiny.gguf"];
    this.embedder = this.models[0] ?? "";
  }

  /** One model answers under its file's name; old versions under whatever was asked. */
  protected override nameOf(model: string): string {
    return model.replace(/^.*\//, "");
  }

  protected listing(): object {
    const data = this.models.map((id) => {
      const value = this.loaded.has(id) ? "loaded" : "unloaded";
      const meta = { n_vocab: 300, n_ctx: 2048, n_ctx_train: 4096, n_embd: 64, n_params: 200_000, size: 800_000 };
      const status = this.#options.isRouter ? { status: { value, args: [] } } : { meta };
      return { id, object: "model", created: 1, owned_by: "llamacpp", ...status };
    });
    return { object: "list", data };
  }

  /** A server of one model answers any name with it. */
  protected missing(model: string): Reply {
    const message = `model '${model}' not found`;
    return { status: 400, json: { error: { code: 400, message, type: "invalid_request_error" } } };
  }

  protected own({ method, path, body }: Received): Reply | undefined {
    if (path === "/health") {
      const error = { code: 503, message: "Loading model", type: "unavailable_error" };
      return this.isLoading ? { status: 503, json: { error } } : { json: { status: "ok" } };
    }
    if (path === "/props") return { json: { build_info: "b7000-abc", total_slots: 4, model_path: this.models[0] } };
    if (path === "/slots")
      return {
        json: [
          { id: 0, is_processing: this.busy > 0 },
          { id: 1, is_processing: false },
        ],
      };
    if (path === "/metrics") return this.#metrics();
    if (path === "/lora-adapters" && method === "GET") return { json: this.adapters };
    if (path === "/lora-adapters") return this.#setScales(body);
    if (this.#options.isRouter && path.startsWith("/models/")) return this.#route(path, textIn(body["model"]));
    return undefined;
  }

  #metrics(): Reply {
    if (!this.#options.hasMetrics) {
      const message = "This server does not support metrics endpoint. Start it with `--metrics`";
      return { status: 501, json: { error: { code: 501, message, type: "not_supported_error" } } };
    }
    return {
      text: `# HELP llamacpp:requests_processing Number of requests processing.\n# TYPE llamacpp:requests_processing gauge\nllamacpp:requests_processing ${this.busy}\nllamacpp:requests_deferred 2\nllamacpp:predicted_tokens_seconds nan\n`,
    };
  }

  #setScales(body: unknown): Reply {
    for (const { id, scale } of body as { id: number; scale: number }[]) {
      const adapter = this.adapters.find((one) => one.id === id);
      if (adapter) adapter.scale = scale;
    }
    return { json: { success: true } };
  }

  #route(path: string, model: string): Reply {
    if (!this.models.includes(model)) return this.missing(model);
    if (path === "/models/load") this.loaded.add(model);
    else this.loaded.delete(model);
    return { json: { success: true } };
  }
}
