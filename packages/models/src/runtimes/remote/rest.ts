import type { ProviderAdapter } from "@benchtop/harness";
import { BenchtopError } from "@benchtop/protocol";
import {
  cannot,
  checkAsked,
  throwIfCanceled,
  type EmbeddedTexts,
  type ModelRuntime,
  type RuntimeCall,
  type RuntimeCapabilities,
  type RuntimeHealth,
  type RuntimeMetrics,
  type RuntimeModel,
} from "../runtime.ts";
import { Tally } from "../tally.ts";
import { countOf, fieldsOf, nameOf, textOf, type Fields } from "./fields.ts";
import { valueAt } from "./json-pointer.ts";
import { KnownModels } from "./known-models.ts";
import { RemoteServer, type RemoteRuntimeOptions } from "./remote-server.ts";
import { filled, uses, type ChatValue, type EmbeddingValue, type RestMapping } from "./rest-mapping.ts";
import { checkServed, type ExpectedModel } from "./served-model.ts";
import { translatedChat, type ChatBody, type ChatEvent, type ChatTranslation } from "./translated-chat.ts";
import { vectorsOf } from "./vectors.ts";

export interface RestRuntimeOptions extends RemoteRuntimeOptions {
  readonly mapping: RestMapping;
}

/** A server of its own kind, asked and read as a mapping says. */
export function restRuntime(options: RestRuntimeOptions): ModelRuntime {
  return new RestRuntime(new RemoteServer(options), options.mapping);
}

const instead = "A mapping says only how models are asked: load them with the server's own means.";

class RestRuntime implements ModelRuntime {
  readonly id: string;
  readonly kind = "rest";
  readonly capabilities: RuntimeCapabilities;
  readonly #server: RemoteServer;
  readonly #mapping: RestMapping;
  readonly #tally = new Tally();
  readonly #known: KnownModels;

  constructor(server: RemoteServer, mapping: RestMapping) {
    this.id = server.id;
    this.#server = server;
    this.#mapping = mapping;
    this.#known = new KnownModels(server.id, (signal) => this.#models(signal));
    this.capabilities = {
      load: false,
      unload: false,
      keepAlive: false,
      adapters: false,
      tools: false,
      jsonSchema: uses(mapping.chat.request, "schema"),
      grammar: false,
      embeddings: mapping.embeddings !== undefined,
      continuousBatching: false,
    };
  }

  list(signal: AbortSignal): Promise<readonly RuntimeModel[]> {
    return this.#known.list(signal);
  }

  status(model: string, signal: AbortSignal): Promise<RuntimeModel> {
    return this.#known.status(model, signal);
  }

  async load(): Promise<RuntimeModel> {
    throw cannot(this, "load a model", instead);
  }

  async unload(): Promise<void> {
    throw cannot(this, "unload a model", instead);
  }

  adapter(model: string, call: RuntimeCall = {}): ProviderAdapter {
    if (call.grammar !== undefined) throw cannot(this, "follow a grammar", instead);
    if (call.load) throw cannot(this, "load a model for one call", instead);
    const { id } = this;
    const { apiKey, headers, ask } = this.#server.options;
    const options = { id, root: this.#server.root, apiKey, headers, fetch: call.fetch ?? ask };
    const expect = (signal: AbortSignal): Promise<ExpectedModel> => this.#expected(model, signal);
    const translation = this.#translation(model);
    return this.#tally.counting({
      id,
      async *stream(request, signal) {
        checkAsked(id, model, request.modelId);
        yield* translatedChat(options, translation, await expect(signal)).stream(request, signal);
      },
    });
  }

  async embed(
    model: string,
    texts: readonly string[],
    signal: AbortSignal,
    call: RuntimeCall = {},
  ): Promise<EmbeddedTexts> {
    const { embeddings } = this.#mapping;
    if (!embeddings) throw cannot(this, "turn texts into vectors", "Its mapping has no embeddings.");
    const expected = await this.#expected(model, signal);
    const count = this.#tally.begin();
    try {
      const values: Record<EmbeddingValue, unknown> = { model, texts };
      const path = embeddings.path.replaceAll("{{model}}", encodeURIComponent(model));
      const body = fieldsOf(filled(embeddings.request, values));
      const answer = await this.#server.post(path, body, signal, { modelId: model, fetch: call.fetch });
      const { items, vector, inputTokens, model: modelAt } = embeddings.response;
      if (modelAt !== undefined) checkServed(valueAt(answer, modelAt), expected);
      const list = valueAt(answer, items);
      if (!Array.isArray(list)) throw this.#server.malformed("list of vectors");
      const vectors = vectorsOf(
        this.#server,
        list.map((item) => valueAt(item, vector)),
        texts,
      );
      const tokens = inputTokens === undefined ? undefined : countOf(valueAt(answer, inputTokens));
      if (tokens !== undefined) count.hear([{ type: "usage", usage: { inputTokens: tokens, outputTokens: 0 } }]);
      return { vectors, ...(tokens !== undefined && { inputTokens: tokens }) };
    } catch (thrown) {
      if (!signal.aborted) count.fail();
      throw thrown;
    } finally {
      count.end();
    }
  }

  async health(signal: AbortSignal): Promise<RuntimeHealth> {
    const { health } = this.#mapping;
    try {
      if (health) await this.#server.text(health.path, signal);
      else await this.list(signal);
      return { alive: true, ready: true };
    } catch (thrown) {
      throwIfCanceled(signal);
      return { alive: false, ready: false, reason: BenchtopError.from(thrown).message };
    }
  }

  async metrics(signal: AbortSignal): Promise<RuntimeMetrics> {
    throwIfCanceled(signal);
    return {
      counts: this.#tally.counts,
      running: this.#tally.running,
      waiting: 0,
      ...this.#tally.means,
      loaded: 0,
      notes: ["Only what went through here is counted."],
    };
  }

  async close(): Promise<void> {}

  async #models(signal: AbortSignal): Promise<RuntimeModel[]> {
    const { models } = this.#mapping;
    const names = "names" in models ? models.names : await this.#listed(models, signal);
    return names.map((model) => ({ model, state: "ready", loads: [{ state: "ready" }] }));
  }

  async #listed(
    { path, items, name }: { readonly path: string; readonly items: string; readonly name: string },
    signal: AbortSignal,
  ): Promise<string[]> {
    const list = valueAt(await this.#server.get(path, signal), items);
    if (!Array.isArray(list)) throw this.#server.malformed("list of models where its mapping says");
    return [...new Set(list.flatMap((item) => nameOf(valueAt(item, name)) ?? []))];
  }

  async #expected(modelId: string, signal: AbortSignal): Promise<ExpectedModel> {
    await this.#known.having(modelId, signal);
    return { providerId: this.id, modelId, isSame: (served) => served === modelId };
  }

  #translation(model: string): ChatTranslation {
    const { path, request, response } = this.#mapping.chat;
    return {
      path: path.replaceAll("{{model}}", encodeURIComponent(model)),
      framing: response.framing,
      bodyOf: (body) => {
        if (body.tools) throw cannot(this, "call tools", instead);
        if (body.schema !== undefined && !this.capabilities.jsonSchema) {
          throw cannot(this, "answer in JSON of a schema", "Its mapping has no place for {{schema}}.");
        }
        return fieldsOf(filled(request, valuesOf(body)));
      },
      read: (document) => eventOf(document, response),
    };
  }
}

function valuesOf(body: ChatBody): Record<ChatValue, unknown> {
  const { model, messages, maxOutputTokens, temperature, topP, seed, schema } = body;
  const system = messages.filter(({ role }) => role === "system").map(textIn);
  const question = messages.at(-1);
  return {
    model,
    messages,
    // Read only where the mapping uses them: a picture has no text.
    get prompt() {
      return messages.map((message) => `${textOf(message["role"]) ?? "user"}: ${textIn(message)}`).join("\n\n");
    },
    get question() {
      return question && textIn(question);
    },
    system: system.length > 0 ? system.join("\n\n") : undefined,
    maxOutputTokens,
    temperature,
    topP,
    seed,
    schema,
  };
}

function textIn({ content }: Fields): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  const texts = content.map((part) => textOf(fieldsOf(part)["text"]));
  if (texts.every((text) => text !== undefined)) return texts.join("\n\n");
  throw new BenchtopError("VALIDATION_FAILED", "An attachment cannot be sent to this server, which reads text.", {
    actions: ["switch_model"],
  });
}

type ResponseMapping = RestMapping["chat"]["response"];

function eventOf(document: Fields, mapping: ResponseMapping): ChatEvent {
  const { framing, text, reasoning, usage, model, error } = mapping;
  const at = (pointer: string | undefined): unknown => (pointer === undefined ? undefined : valueAt(document, pointer));
  const failed = at(error);
  if (failed !== undefined && failed !== null) return { error: failed };
  const said = at(text);
  if (framing === "document" && typeof said !== "string")
    return { error: "Its answer has no text where its mapping says." };
  return {
    model: textOf(at(model)),
    text: textOf(said),
    reasoning: textOf(at(reasoning)),
    usage: usage && usageAt(at(usage.inputTokens), at(usage.outputTokens)),
    finish: finishOf(document, mapping),
  };
}

/** Streams count at their end; what is not there yet is no count. */
function usageAt(inputTokens: unknown, outputTokens: unknown): ChatEvent["usage"] {
  return inputTokens === undefined ? undefined : { inputTokens, outputTokens };
}

function finishOf(document: Fields, { framing, finish, done }: ResponseMapping): string | undefined {
  const word = finish && valueAt(document, finish.at);
  const isDone =
    framing === "document" ||
    (word !== undefined && word !== null) ||
    (done !== undefined && valueAt(document, done.at) === done.equals);
  if (!isDone) return undefined;
  const reasons = finish?.reasons ?? {};
  return typeof word === "string" && Object.hasOwn(reasons, word) ? reasons[word] : "stop";
}
