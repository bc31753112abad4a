import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import type { BenchtopError, Message } from "@benchtop/protocol";
import { createOpenAICompatible as createOpenAICompatibleV2 } from "ai-sdk-openai-compatible-v2";
import { createOpenAICompatible as createOpenAICompatibleV3 } from "ai-sdk-openai-compatible-v3";
import { describe, expect, test } from "vitest";
import {
  frames,
  LoopbackServer,
  openaiChatDialect,
  openaiResponsesDialect,
  providerConformance,
} from "../conformance.ts";
import type { ProviderAdapter, ProviderPart, ProviderRequest } from "../provider.ts";
import { fromAiSdk, type AiSdkProvider } from "./index.ts";

const settings = { name: "loopback", includeUsage: true, supportsStructuredOutputs: true };
type Make = (options: { baseURL: string; apiKey: string }) => AiSdkProvider;
const makers: Record<string, Make> = {
  v4: (options) => createOpenAICompatible({ ...settings, ...options }),
  v3: (options) => createOpenAICompatibleV3({ ...settings, ...options }),
  v2: (options) => createOpenAICompatibleV2({ ...settings, ...options }),
};

/** Cases of the suite that are decided below the bridge, by the SDK's own reading of the response. */
const decidedBySdk: Readonly<Record<string, string>> = {
  "keeps refusals and reasoning apart from the text": "it knows no refusals",
  "fails on a web page or a document where a stream should be": "it takes the page for an answer that ended early",
  "does not follow a redirect": "redirects are up to the fetch that its provider was made with",
  "gives up on a line without end": "its event parser has no limit; the run's own timeout ends the call",
  "ignores what comes after the end of an answer, the end once more among it": "it reads on behind [DONE]",
  "does not wait for a connection that stays open after the end of an answer": "it waits for the end of the response",
};
const beforeV3: Readonly<Record<string, string>> = {
  "sends images, documents and text files whole, in order": "it takes no PDF, and the bridge then says so",
};

describe.each(Object.entries(makers))("HX a model of the AI SDK, specification %s", (version, make) => {
  const exceptions = { ...decidedBySdk, ...(version === "v2" && beforeV3) };
  const suite = providerConformance(openaiChatDialect, ({ baseUrl, apiKey }) =>
    fromAiSdk(make({ baseURL: baseUrl, apiKey }), { id: "loopback", apiKey }),
  );
  test.for(suite.filter(({ name }) => !(name in exceptions)))("$name", async ({ run }) => {
    await expect(run()).resolves.toBeUndefined();
  });
  test("fails no case of the suite but those that the SDK decides", () => {
    expect(suite.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(exceptions)));
  });
});

const question: ProviderRequest = { modelId: "gpt-4.1", messages: [{ role: "user", content: "Look." }] };

describe("HX a model of the AI SDK", () => {
  test("gets back with the next call what its provider said beside the text and the calls", async () => {
    const answer = openaiResponsesDialect.events({
      text: ["Looking."],
      toolCalls: [{ id: "call_1", name: "look", pieces: ["{}"] }],
    });
    await withOpenAi(answer, async (adapter, server) => {
      const parts = await partsOf(adapter, question);
      const continuation = parts.find((part) => part.type === "continuation")?.continuation;
      expect(continuation?.protocol).toBe("ai-sdk");
      const messages: Message[] = [
        ...question.messages,
        {
          role: "assistant",
          content: "Looking.",
          toolCalls: [{ callId: "call_1", name: "look", arguments: {} }],
          ...(continuation && { continuation }),
        },
        { role: "tool", callId: "call_1", name: "look", content: "a" },
      ];
      await partsOf(adapter, { ...question, messages });
      expect(server.requests[1]?.body["input"]).toEqual([
        { role: "user", content: [{ type: "input_text", text: "Look." }] },
        { type: "item_reference", id: "msg_1" },
        { type: "function_call", call_id: "call_1", name: "look", arguments: "{}" },
        { type: "function_call_output", call_id: "call_1", output: "a" },
      ]);
    });
  });

  test.each(["v4", "v2"])("sends settings as specification %s names them", async (version) => {
    const server = await LoopbackServer.start(() => ({ chunks: [frames(openaiChatDialect.events({ text: ["x"] }))] }));
    try {
      const adapter = fromAiSdk(makers[version]?.({ baseURL: server.url, apiKey: "none" }) as AiSdkProvider);
      await partsOf(adapter, { ...question, reasoningEffort: "low", maxOutputTokens: 100, temperature: 0.5, seed: 7 });
      expect(server.requests[0]?.body).toMatchObject({
        reasoning_effort: "low",
        max_tokens: 100,
        temperature: 0.5,
        seed: 7,
      });
    } finally {
      await server.close();
    }
  });

  test("is the one that it is: a request for another fails", async () => {
    const adapter = fromAiSdk(createOpenAI({ apiKey: "none" }).responses("gpt-4.1"));
    expect(adapter.id).toBe("openai");
    const error = await failureOf(adapter, { ...question, modelId: "gpt-5.1" });
    expect([error.code, error.info.provider_id]).toEqual(["PROVIDER_NOT_CONFIGURED", "openai"]);
  });

  test("repeats nothing of what its provider says where the key is not known", async () => {
    const server = await LoopbackServer.start(() => ({
      status: 400,
      chunks: [JSON.stringify({ error: { message: "Bad key sk-0123", code: "odd_parameter" } })],
    }));
    try {
      const error = await failureOf(
        fromAiSdk(createOpenAI({ baseURL: server.url, apiKey: "sk-0123" }).chat("gpt-4.1")),
      );
      expect(error.message).not.toContain("sk-0123");
      expect(error.info).toMatchObject({ error_code: "VALIDATION_FAILED", detail: { provider_code: "odd_parameter" } });
    } finally {
      await server.close();
    }
  });

  test("without a key says so before anything is sent", async () => {
    const withoutKey = createOpenAI({ apiKey: undefined as unknown as string });
    expect((await failureOf(fromAiSdk(withoutKey, { id: "openai" }))).code).toBe("PROVIDER_AUTH_FAILED");
  });
});

async function withOpenAi(events: string[], work: (adapter: ProviderAdapter, server: LoopbackServer) => Promise<void>) {
  const server = await LoopbackServer.start(() => ({ chunks: [frames(events)] }));
  try {
    await work(fromAiSdk(createOpenAI({ baseURL: server.url, apiKey: "sk-loopback" }).responses("gpt-4.1")), server);
  } finally {
    await server.close();
  }
}

async function partsOf(adapter: ProviderAdapter, request: ProviderRequest): Promise<ProviderPart[]> {
  const parts: ProviderPart[] = [];
  for await (const batch of adapter.stream(request, new AbortController().signal)) parts.push(...batch);
  return parts;
}

async function failureOf(adapter: ProviderAdapter, request = question): Promise<BenchtopError> {
  return partsOf(adapter, request).then(
    () => expect.unreachable("it answered"),
    (error: unknown) => error as BenchtopError,
  );
}
