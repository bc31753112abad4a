import type { Received, Reply } from "./model-server.ts";
import { OpenAiModelServer } from "./openai-protocol.ts";

/** vLLM, started with one model under two names, and one adapter of it. */
export class VllmServer extends OpenAiModelServer {
  readonly models = ["tiny", "tiny-alias", "tiny-lora"];
  readonly embedder = "tiny";

  /** The first name is that of every answer. */
  protected override nameOf(model: string): string {
    return model === "tiny-lora" ? model : "tiny";
  }

  protected listing(): object {
    const card = { object: "model", created: 1, owned_by: "vllm", permission: [], max_model_len: 4096 };
    return {
      object: "list",
      data: [
        { ...card, id: "tiny", root: "org/tiny", parent: null },
        { ...card, id: "tiny-alias", root: "org/tiny", parent: null },
        { ...card, id: "tiny-lora", root: "/adapters/tiny-lora", parent: "tiny", max_model_len: null },
      ],
    };
  }

  protected missing(model: string): Reply {
    const message = `The model \`${model}\` does not exist.`;
    return { status: 404, json: { error: { message, type: "NotFoundError", param: "model", code: 404 } } };
  }

  protected own({ path }: Received): Reply | undefined {
    if (path === "/health") return { text: "" };
    if (path === "/version") return { json: { version: "0.11.0" } };
    if (path === "/metrics") return { text: this.#metrics() };
    return undefined;
  }

  #metrics(): string {
    const labels = `{engine="0",model_name="org/{tiny}"}`;
    return [
      "# HELP vllm:num_requests_running Number of requests in model execution batches.",
      "# TYPE vllm:num_requests_running gauge",
      `vllm:num_requests_running${labels} ${this.busy}.0`,
      `vllm:num_requests_waiting${labels} 3.0`,
      `vllm:kv_cache_usage_perc${labels} 0.25`,
      `vllm:time_to_first_token_seconds_bucket{engine="0",le="0.001",model_name="tiny"} 0.0`,
      `vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="tiny"} 4.0`,
      `vllm:time_to_first_token_seconds_sum${labels} 0.5`,
      `vllm:time_to_first_token_seconds_count${labels} 4.0`,
      "",
    ].join("\n");
  }
}
