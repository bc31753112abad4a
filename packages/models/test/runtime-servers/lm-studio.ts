import { textIn, type Received, type Reply } from "./model-server.ts";
import { OpenAiModelServer } from "./openai-protocol.ts";

/** LM Studio. Before 0.4 it has no `/api/v1`. */
export class LmStudioServer extends OpenAiModelServer {
  readonly models = ["tiny-instruct", "other-instruct", "text-embedding-tiny"];
  readonly embedder = "text-embedding-tiny";
  readonly loaded = new Map<string, number>();
  readonly #isOld: boolean;

  constructor({ isOld = false }: { readonly isOld?: boolean } = {}) {
    super();
    this.#isOld = isOld;
  }

  protected override nameOf(model: string): string {
    return model === this.embedder ? model : `${model}:2`;
  }

  protected listing(): object {
    return { object: "list", data: this.models.map((id) => ({ id, object: "model", owned_by: "organization_owner" })) };
  }

  protected missing(model: string): Reply {
    return {
      status: 404,
      json: {
        error: { message: `Model "${model}" not found`, type: "invalid_request_error", code: "model_not_found" },
      },
    };
  }

  protected own({ method, path, body }: Received): Reply | undefined {
    if (path === "/api/v0/models") return { json: { object: "list", data: this.models.map((id) => this.#state(id)) } };
    if (this.#isOld || !path.startsWith("/api/v1/models")) return undefined;
    if (method === "GET") return { json: { models: this.models.map((key) => this.#entry(key)) } };
    const model = textIn(body["model"] ?? body["instance_id"]);
    if (!this.models.includes(model)) return this.missing(model);
    if (path.endsWith("/unload")) {
      this.loaded.delete(model);
      return { json: { instance_id: model } };
    }
    this.loaded.set(model, Number(body["context_length"] ?? 4096));
    return { json: { type: "llm", instance_id: model, load_time_seconds: 0.1, status: "loaded" } };
  }

  #state(id: string): object {
    const contextTokens = this.loaded.get(id);
    return {
      id,
      object: "model",
      type: id === this.embedder ? "embeddings" : "llm",
      publisher: "tests",
      arch: "llama",
      compatibility_type: "gguf",
      quantization: "Q4_K_M",
      state: contextTokens === undefined ? "not-loaded" : "loaded",
      max_context_length: 8192,
      ...(contextTokens !== undefined && { loaded_context_length: contextTokens }),
    };
  }

  #entry(key: string): object {
    const contextTokens = this.loaded.get(key);
    const loaded = contextTokens === undefined ? [] : [{ id: key, config: { context_length: contextTokens } }];
    return {
      type: "llm",
      publisher: "tests",
      key,
      display_name: key,
      loaded_instances: loaded,
      max_context_length: 8192,
    };
  }
}
