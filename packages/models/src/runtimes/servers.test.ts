import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { embeddingDimensions, longestEmbedded } from "../../test/runtime-servers/brain.ts";
import { LlamaCppServer } from "../../test/runtime-servers/llama-server.ts";
import { LmStudioServer } from "../../test/runtime-servers/lm-studio.ts";
import type { ModelServer } from "../../test/runtime-servers/model-server.ts";
import { OllamaServer } from "../../test/runtime-servers/ollama.ts";
import { OwnServer } from "../../test/runtime-servers/own-protocol.ts";
import { VllmServer } from "../../test/runtime-servers/vllm.ts";
import { runtimeConformance, type RuntimeSubject } from "./conformance.ts";
import { llamaServerRuntime } from "./remote/llama-server.ts";
import { lmStudioRuntime } from "./remote/lm-studio.ts";
import { ollamaRuntime } from "./remote/ollama.ts";
import type { RemoteRuntimeOptions } from "./remote/remote-server.ts";
import { parseRestMapping } from "./remote/rest-mapping.ts";
import { restRuntime } from "./remote/rest.ts";
import { vllmRuntime } from "./remote/vllm.ts";
import type { ModelRuntime } from "./runtime.ts";

interface Setup {
  readonly server: ModelServer & { readonly embedder: string };
  readonly runtime: (options: RemoteRuntimeOptions) => ModelRuntime;
  readonly model: string;
  readonly other?: string;
  readonly keepsItsModels?: boolean;
}

const setups: Readonly<Record<string, () => Setup>> = {
  Ollama: () => ({ server: new OllamaServer(), runtime: ollamaRuntime, model: "tiny:latest", other: "other:1b" }),
  vLLM: () => ({ server: new VllmServer(), runtime: vllmRuntime, model: "tiny", other: "tiny-lora" }),
  "llama-server": () => ({
    server: new LlamaCppServer(),
    runtime: llamaServerRuntime,
    model: "/models/tiny.gguf",
    keepsItsModels: true,
  }),
  "llama-server as a router": () => ({
    server: new LlamaCppServer({ isRouter: true, hasMetrics: true }),
    runtime: llamaServerRuntime,
    model: "tiny",
    other: "tiny-two",
  }),
  "LM Studio": () => ({
    server: new LmStudioServer(),
    runtime: lmStudioRuntime,
    model: "tiny-instruct",
    other: "other-instruct",
  }),
  "a custom server that answers in lines": () => customServer("lines"),
  "a custom server that answers in events": () => customServer("events"),
};

function customServer(framing: "lines" | "events"): Setup {
  const mapping = parseRestMapping({
    chat: {
      path: `/${framing}/{{model}}/say`,
      request: {
        conversation: "{{prompt}}",
        settings: { limit: "{{maxOutputTokens}}", heat: "{{temperature}}" },
        form: "{{schema}}",
      },
      response: {
        framing,
        text: "/answer",
        finish: { at: "/why", reasons: { limit: "length" } },
        usage: { inputTokens: "/used/in", outputTokens: "/used/out" },
        model: "/by",
      },
    },
    models: { path: "/catalog", items: "/result/models", name: "/na~1me" },
    embeddings: {
      path: "/vectorize",
      request: { documents: "{{texts}}" },
      response: { items: "/answers", vector: "/point", inputTokens: "/cost/read" },
    },
    health: { path: "/status" },
  });
  const runtime = (options: RemoteRuntimeOptions): ModelRuntime => restRuntime({ ...options, mapping });
  return { server: new OwnServer(), runtime, model: "tiny", other: "other" };
}

describe.for(Object.entries(setups))("P2.3 %s", ([, setup]) => {
  let subject: RuntimeSubject;
  let server: ModelServer;
  beforeAll(async () => {
    const parts = setup();
    ({ server } = parts);
    await server.listen();
    const runtime = parts.runtime({
      id: "mine",
      baseUrl: `${server.url}/v1/`,
      apiKey: "sk-tests",
      look: fetch,
      ask: fetch,
    });
    subject = {
      ...parts,
      runtime,
      embedder: {
        model: parts.server.embedder,
        dimensions: embeddingDimensions,
        tooLong: "x".repeat(longestEmbedded + 1),
      },
      asks: {
        greeting: { question: "Hello?", answer: (model) => `Hello from ${model}, says the wörld 🌍.` },
        endless: { model: parts.model, question: "An endless answer, please." },
        tool: { question: "What is é?", arguments: [{ word: "é\n" }, { word: "b" }] },
        grammar: "Yes?",
      },
      busy: () => server.busy,
      misbehave: (fault) => server.misbehave(fault),
      shutDown: () => server.close(),
    };
  });
  afterAll(() => server.close());
  test.for(runtimeConformance(() => subject))("$name", async ({ run }) => {
    await expect(run()).resolves.toBeUndefined();
  });
});
