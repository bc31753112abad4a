import { openaiChat, type ProviderAdapter } from "@benchtop/harness";
import {
  cannot,
  checkAsked,
  throwIfCanceled,
  type EmbeddedTexts,
  type LoadOptions,
  type ModelRuntime,
  type RuntimeCall,
  type RuntimeCapabilities,
  type RuntimeHealth,
  type RuntimeKind,
  type RuntimeMetrics,
  type RuntimeModel,
} from "../runtime.ts";
import { Tally } from "../tally.ts";
import { fieldsOf } from "./fields.ts";
import { KnownModels } from "./known-models.ts";
import { RemoteServer, type RemoteRuntimeOptions } from "./remote-server.ts";
import { checkServed, servedBy, type ExpectedModel } from "./served-model.ts";
import { openAiVectors } from "./vectors.ts";

/** What is different between servers that speak OpenAI's protocol at `/v1`. */
export interface OpenAiServer {
  readonly kind: RuntimeKind;
  readonly capabilities: RuntimeCapabilities;
  models(server: RemoteServer, signal: AbortSignal): Promise<readonly RuntimeModel[]>;
  /** Whether an answer that names itself `served` is one of `asked`. */
  isSame(asked: string, served: string, models: readonly RuntimeModel[]): boolean;
  health(server: RemoteServer, signal: AbortSignal): Promise<RuntimeHealth>;
  /** What the server counts itself. */
  counted(server: RemoteServer, signal: AbortSignal): Promise<Partial<Omit<RuntimeMetrics, "counts">>>;
  /** How it loads and unloads, or what a person does where it cannot. */
  readonly loading: { load: Load; unload: Unload } | { readonly instead: string };
}

type Load = (server: RemoteServer, model: string, options: LoadOptions, signal: AbortSignal) => Promise<void>;
type Unload = (server: RemoteServer, model: string, signal: AbortSignal) => Promise<void>;

/** A server that speaks chat completions and embeddings as OpenAI defined them, as a runtime. */
export function openAiServerRuntime(options: RemoteRuntimeOptions, kind: OpenAiServer): ModelRuntime {
  return new OpenAiServerRuntime(new RemoteServer(options), kind);
}

class OpenAiServerRuntime implements ModelRuntime {
  readonly id: string;
  readonly #server: RemoteServer;
  readonly #kind: OpenAiServer;
  readonly #tally = new Tally();
  readonly #known: KnownModels;

  constructor(server: RemoteServer, kind: OpenAiServer) {
    this.id = server.id;
    this.#server = server;
    this.#kind = kind;
    this.#known = new KnownModels(server.id, (signal) => kind.models(server, signal));
  }

  get kind(): RuntimeKind {
    return this.#kind.kind;
  }

  get capabilities(): RuntimeCapabilities {
    return this.#kind.capabilities;
  }

  list(signal: AbortSignal): Promise<readonly RuntimeModel[]> {
    return this.#known.list(signal);
  }

  status(model: string, signal: AbortSignal): Promise<RuntimeModel> {
    return this.#known.status(model, signal);
  }

  async load(model: string, options: LoadOptions, signal: AbortSignal): Promise<RuntimeModel> {
    const { loading } = this.#kind;
    if (!("load" in loading)) throw cannot(this, "load a model", loading.instead);
    await this.status(model, signal);
    await loading.load(this.#server, model, options, signal);
    return await this.status(model, signal);
  }

  async unload(model: string, signal: AbortSignal): Promise<void> {
    const { loading } = this.#kind;
    if (!("unload" in loading)) throw cannot(this, "unload a model", loading.instead);
    await this.status(model, signal);
    await loading.unload(this.#server, model, signal);
  }

  adapter(model: string, call: RuntimeCall = {}): ProviderAdapter {
    if (call.grammar !== undefined && !this.capabilities.grammar) {
      throw cannot(this, "follow a grammar", "Give it a JSON schema instead.");
    }
    if (call.load) throw cannot(this, "load a model for one call", "Load it first.");
    const { grammar, fetch = this.#server.options.ask } = call;
    const { apiKey, headers = {} } = this.#server.options;
    const asked = grammar === undefined ? fetch : withFields(fetch, { grammar });
    const chat = (expected: ExpectedModel): ProviderAdapter =>
      openaiChat({
        id: this.id,
        baseUrl: `${this.#server.root}/v1`,
        apiKey,
        headers,
        fetch: servedBy(asked, expected),
      });
    const expect = (modelId: string, signal: AbortSignal): Promise<ExpectedModel> => this.#expected(modelId, signal);
    const { id } = this;
    return this.#tally.counting({
      id,
      async *stream(request, signal) {
        checkAsked(id, model, request.modelId);
        const expected = await expect(model, signal);
        yield* chat(expected).stream(request, signal);
      },
    });
  }

  async embed(
    model: string,
    texts: readonly string[],
    signal: AbortSignal,
    call: RuntimeCall = {},
  ): Promise<EmbeddedTexts> {
    const expected = await this.#expected(model, signal);
    const count = this.#tally.begin();
    try {
      const body = { model, input: texts, encoding_format: "float" };
      const answer = await this.#server.post("/v1/embeddings", body, signal, { modelId: model, fetch: call.fetch });
      checkServed(fieldsOf(answer)["model"], expected);
      const made = openAiVectors(this.#server, answer, texts);
      const { inputTokens } = made;
      if (inputTokens !== undefined) count.hear([{ type: "usage", usage: { inputTokens, outputTokens: 0 } }]);
      return made;
    } catch (thrown) {
      if (!signal.aborted) count.fail();
      throw thrown;
    } finally {
      count.end();
    }
  }

  async health(signal: AbortSignal): Promise<RuntimeHealth> {
    try {
      return await this.#kind.health(this.#server, signal);
    } catch (thrown) {
      throwIfCanceled(signal);
      return { alive: false, ready: false, reason: thrown instanceof Error ? thrown.message : "It does not answer." };
    }
  }

  async metrics(signal: AbortSignal): Promise<RuntimeMetrics> {
    const [models, counted] = await Promise.all([this.list(signal), this.#kind.counted(this.#server, signal)]);
    return {
      counts: this.#tally.counts,
      running: this.#tally.running,
      waiting: 0,
      loaded: models.filter(({ loads }) => loads.length > 0).length,
      notes: [],
      ...this.#tally.means,
      ...counted,
    };
  }

  async close(): Promise<void> {}

  /** The server is asked only for what it has: some answer any name with the model that they hold. */
  async #expected(modelId: string, signal: AbortSignal): Promise<ExpectedModel> {
    const models = await this.#known.having(modelId, signal);
    const isSame = (served: string): boolean => this.#kind.isSame(modelId, served, models);
    return { providerId: this.id, modelId, isSame };
  }
}

/** A `fetch` that adds fields to the JSON that is sent. */
function withFields(fetch: typeof globalThis.fetch, fields: object): typeof globalThis.fetch {
  return (input, init) => {
    const body: unknown = typeof init?.body === "string" ? JSON.parse(init.body) : {};
    return fetch(input, { ...init, body: JSON.stringify({ ...fieldsOf(body), ...fields }) });
  };
}
