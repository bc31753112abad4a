import {
  openaiChatDialect,
  providerConformance,
  type Dialect,
  type ScriptedAnswer,
} from "@benchtop/harness/conformance";
import type { ProviderPart, ProviderRequest } from "@benchtop/harness";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { failureOf } from "../../../test/runtime-failure.ts";
import { OllamaServer } from "../../../test/runtime-servers/ollama.ts";
import type { ModelRuntime } from "../runtime.ts";
import { ollamaRuntime } from "./ollama.ts";

const never = new AbortController().signal;

type Message = {
  readonly role: string;
  readonly content: string;
  readonly tool_call_id?: string;
  readonly tool_calls?: readonly {
    readonly id: string;
    readonly function: { readonly name: string; readonly arguments: object };
  }[];
};

const line = (fields: object): string =>
  JSON.stringify({ model: "loopback", created_at: "2026-11-01T00:00:00Z", ...fields });
const says = (message: object): string =>
  line({ message: { role: "assistant", content: "", ...message }, done: false });

/** Ollama's protocol in the words of the suite of providers; the suite's own framing is taken off again below. */
const dialect: Dialect = {
  name: "ollama-chat",
  isNumbered: false,
  trailing: 0,
  apiKeyOf: (headers) => openaiChatDialect.apiKeyOf(headers),
  events: ({ reasoning = [], text = [], toolCalls = [], usage, finish }: ScriptedAnswer) => {
    return [
      // It begins with lines that say nothing.
      says({}),
      says({}),
      ...reasoning.map((thinking) => says({ thinking })),
      ...text.map((content) => says({ content })),
      ...toolCalls.map(({ id, name, pieces }) =>
        says({ tool_calls: [{ id, function: { index: 0, name, arguments: JSON.parse(pieces.join("")) as object } }] }),
      ),
      line({
        message: { role: "assistant", content: "" },
        done: true,
        done_reason: finish === "length" ? "length" : "stop",
        ...(usage && { prompt_eval_count: usage.inputTokens, eval_count: usage.outputTokens }),
      }),
    ];
  },
  errorEvent: (message) => JSON.stringify({ error: message }),
  conversationOf: (body) =>
    (body["messages"] as readonly Message[]).flatMap(({ role, content, tool_call_id: id, tool_calls: calls = [] }) => [
      ...(content === "" ? [] : [`${role}${id === undefined ? "" : `(${id})`}: ${content}`]),
      ...calls.map((call) => `call(${call.id}): ${call.function.name} ${JSON.stringify(call.function.arguments)}`),
    ]),
  attachmentsOf: () => [],
  outputSchemaOf: (body) => body["format"],
};

/** Cases that Ollama's protocol has no words for, or that are about server-sent events. */
const notOllamas: Readonly<Record<string, string>> = {
  "sends images, documents and text files whole, in order": "it takes no PDF, and says so: below",
  "keeps refusals and reasoning apart from the text": "it knows no refusals",
  "reports usage as the provider counts it, and none where it counts none": "it counts neither cache nor reasoning",
  "says that an answer ended by content-filter": "it has no filter",
  "throws the error that a stream reports in its middle, after what came before it": "its errors have no codes: below",
  'puts together what arrives a byte at a time, lines ended by "\\r"': "lines of JSON end in a line feed",
  "skips comments, other fields and a byte order mark": "they are of server-sent events",
  "fails on a web page or a document where a stream should be":
    "its lines are documents of JSON; of a page: in `servers.test.ts`",
  "gives up on a line without end": "the test's own framing is in its way: below",
};

describe("HX the Ollama adapter", () => {
  const suite = providerConformance(dialect, ({ baseUrl, apiKey }) => {
    const runtime = ollamaRuntime({ id: "loopback", baseUrl, apiKey, look: fetch, ask: withoutFrames });
    return runtime.adapter("loopback");
  });
  test.for(suite.filter(({ name }) => !(name in notOllamas)))("$name", async ({ run }) => {
    await expect(run()).resolves.toBeUndefined();
  });
  test("fails no case of the suite but those that are not its protocol's", () => {
    expect(suite.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(notOllamas)));
  });
});

/** Takes `data: ` from the beginnings of lines. */
const withoutFrames: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  if (!response.ok || !response.body) return response;
  let rest = "";
  const lines = new TransformStream<string, string>({
    transform(text, controller) {
      const end = (rest + text).lastIndexOf("\n") + 1;
      const whole = (rest + text).slice(0, end);
      rest = (rest + text).slice(end);
      if (whole !== "") controller.enqueue(whole.replaceAll(/^data: /gm, ""));
    },
    flush: (controller) => controller.enqueue(rest.replace(/^data: /, "")),
  });
  const body = response.body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(lines)
    .pipeThrough(new TextEncoderStream());
  return new Response(body, { status: response.status, headers: response.headers });
};

const attached = (mediaType: string): ProviderRequest => ({
  modelId: "tiny",
  messages: [{ role: "user", content: "What is it?", attachments: [{ mediaType, data: "AAAA", name: "a" }] }],
});

/** A line that never ends. */
const endless: typeof fetch = async () =>
  new Response(
    new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024).fill(0x78)),
    }),
  );

describe("P2.3 Ollama", () => {
  let server: OllamaServer;
  let ollama: ModelRuntime;
  beforeEach(async () => {
    server = await new OllamaServer().listen();
    ollama = ollamaRuntime({ id: "mine", baseUrl: server.url, look: fetch, ask: fetch });
  });
  afterEach(() => server.close());
  const request: ProviderRequest = { modelId: "tiny", messages: [{ role: "user", content: "Hello?" }] };
  const sent = (path: string) => server.received.filter((one) => one.path === path).map(({ body }) => body);

  test("tells what its models are and how they run", async () => {
    await ollama.load("tiny", { keepAliveSeconds: null, contextTokens: 512 }, never);
    expect(await ollama.status("tiny", never)).toEqual({
      model: "tiny:latest",
      state: "ready",
      bytes: 800_000,
      revision: expect.stringMatching(/^[0-9a-f]{64}$/),
      architecture: "llama",
      quantization: "F32",
      loads: [{ state: "ready", memoryBytes: 800_000, contextTokens: 512, expiresAt: null, device: "cpu" }],
    });
    expect((await ollama.status("other:1b", never)).state).toBe("unloaded");
    expect(await ollama.health(never)).toEqual({ alive: true, ready: true, version: "0.12.3" });
    expect((await ollama.metrics(never)).memory).toEqual({ usedBytes: 800_000 });
  });

  test("is told with each request how its model was loaded, so that it does not load it anew", async () => {
    await ollama.load("tiny", { keepAliveSeconds: 60, contextTokens: 512, threads: 2, gpuLayers: 3 }, never);
    await partsOf(
      ollama.adapter("tiny").stream({ ...request, temperature: 0.5, topP: 0.9, seed: 7, maxOutputTokens: 9 }, never),
    );
    const load = { num_ctx: 512, num_thread: 2, num_gpu: 3 };
    expect(sent("/api/generate")).toEqual([{ model: "tiny:latest", keep_alive: 60, options: load, stream: false }]);
    expect(sent("/api/chat")).toMatchObject([
      { keep_alive: 60, options: { ...load, temperature: 0.5, top_p: 0.9, seed: 7, num_predict: 9 } },
    ]);
    await partsOf(ollama.adapter("tiny", { load: { keepAliveSeconds: 0 } }).stream(request, never));
    expect(sent("/api/chat")[1]).toMatchObject({ keep_alive: 0 });
    await ollama.unload("tiny", never);
    await partsOf(ollama.adapter("tiny").stream(request, never));
    expect(sent("/api/chat")[2]).not.toHaveProperty("keep_alive");
  });

  test("loads a model that only embeds by embedding nothing", async () => {
    expect((await ollama.load("embedder", {}, never)).state).toBe("ready");
    expect(sent("/api/embed")).toMatchObject([{ input: [] }]);
  });

  test.for(["parallel", "pinned", "adapters"])("says that it cannot set %s", async (name) => {
    const option = { parallel: { parallel: 2 }, pinned: { pinned: true }, adapters: { adapters: [{ model: "a" }] } }[
      name
    ];
    expect((await failureOf(ollama.load("tiny", option ?? {}, never))).code).toBe("VALIDATION_FAILED");
    expect(sent("/api/generate")).toEqual([]);
  });

  test("sees pictures beside the text, and is sent no file that it cannot read", async () => {
    await partsOf(ollama.adapter("tiny").stream(attached("image/png"), never));
    expect(sent("/api/chat")).toMatchObject([
      { messages: [{ role: "user", content: "What is it?", images: ["AAAA"] }] },
    ]);
    const error = await failureOf(partsOf(ollama.adapter("tiny").stream(attached("application/pdf"), never)));
    expect([error.code, error.info.provider_id]).toEqual(["VALIDATION_FAILED", "mine"]);
    expect(sent("/api/chat")).toHaveLength(1);
  });

  test("gets the result of a tool under the tool's name", async () => {
    const messages: ProviderRequest["messages"] = [
      ...request.messages,
      {
        role: "assistant",
        content: "",
        toolCalls: [{ callId: "c1", name: "look_up", arguments: null, invalidArguments: "{oops" }],
      },
      { role: "tool", callId: "c1", name: "look_up", content: "a vowel" },
    ];
    await partsOf(ollama.adapter("tiny").stream({ ...request, messages }, never));
    expect(sent("/api/chat")[0]?.["messages"]).toMatchObject([
      {},
      { tool_calls: [{ function: { name: "look_up", arguments: { text: "{oops" } } }] },
      { role: "tool", tool_name: "look_up", content: "a vowel" },
    ]);
  });

  test("reports an error in the middle of its answer", async () => {
    const parts: ProviderPart[] = [];
    const lines = [
      `{"model":"tiny","message":{"content":"Hel"},"done":false}\n`,
      `{"error":"an error was encountered while running the model"}\n`,
    ];
    const fetchLines: typeof fetch = async () =>
      new Response(ReadableStream.from(lines).pipeThrough(new TextEncoderStream()));
    const error = await failureOf(partsOf(ollama.adapter("tiny", { fetch: fetchLines }).stream(request, never), parts));
    expect([error.code, parts]).toEqual(["PROVIDER_UNAVAILABLE", [{ type: "text", text: "Hel" }]]);
  });

  test("is given up on a line without end", async () => {
    const error = await failureOf(partsOf(ollama.adapter("tiny", { fetch: endless }).stream(request, never)));
    expect([error.code, error.info.retryable]).toEqual(["PROVIDER_UNAVAILABLE", false]);
  });
});

async function partsOf(
  stream: AsyncIterable<readonly ProviderPart[]>,
  parts: ProviderPart[] = [],
): Promise<ProviderPart[]> {
  for await (const batch of stream) parts.push(...batch);
  return parts;
}
