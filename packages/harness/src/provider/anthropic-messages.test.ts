import type { AssistantMessage } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { anthropicMessages, type AnthropicMessagesOptions } from "./anthropic-messages.ts";
import { anthropicMessagesDialect, frames, LoopbackServer, providerConformance } from "./conformance.ts";
import type { ProviderPart, ProviderRequest } from "./provider.ts";

describe("HX the Messages adapter", () => {
  const suite = providerConformance(anthropicMessagesDialect, (options) =>
    anthropicMessages({ id: "loopback", ...options }),
  );
  test.for(suite)("$name", async ({ run }) => {
    await expect(run()).resolves.toBeUndefined();
  });
});

const opus = "claude-opus-5-5";
const question: ProviderRequest = { modelId: opus, messages: [{ role: "user", content: "Look." }] };
const lookUp = { name: "look", description: "Looks.", inputSchema: { type: "object" } };

/** Signed thinking, then redacted thinking, a text and two calls with more thinking between them. */
const thoughtful = [
  { type: "thinking", thinking: "Look first.", signature: "c2lnMQ==" },
  { type: "redacted_thinking", data: "b3BhcXVl" },
  { type: "text", text: "Looking." },
  { type: "tool_use", id: "toolu_1", name: "look", input: { at: 1 } },
  { type: "thinking", thinking: "", signature: "c2lnMg==" },
  { type: "tool_use", id: "toolu_2", name: "look", input: {} },
];

describe("H1 the Messages adapter, from one call to the next", () => {
  test("sends thinking back signed and in its place, redacted thinking among it", async () => {
    const next = await sent({ messages: [...question.messages, await answered(), ...results] });
    expect(turnsOf(next)).toEqual([
      { role: "user", content: [{ type: "text", text: "Look." }] },
      { role: "assistant", content: thoughtful },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "toolu_1", content: "a" },
          { type: "tool_result", tool_use_id: "toolu_2", content: "b", is_error: true },
        ],
      },
    ]);
  });

  test("shows the thinking of one model to no other", async () => {
    const messages = [...question.messages, await answered(), ...results];
    for (const next of [
      await sent({ modelId: "claude-haiku-5-5", messages }),
      await sent({ messages }, { id: "other" }),
    ]) {
      expect(JSON.stringify(next)).not.toContain("thinking");
      expect(JSON.stringify(next)).toContain("Looking.");
    }
  });

  test("a thought that nothing follows is not sent, nor is an answer with nothing in it", async () => {
    const { toolCalls: _calls, ...message } = await answered();
    const next = await sent({
      messages: [...question.messages, { ...message, content: "" }, { role: "user", content: "So?" }],
    });
    expect(turnsOf(next)).toEqual([
      {
        role: "user",
        content: [
          { type: "text", text: "Look." },
          { type: "text", text: "So?" },
        ],
      },
    ]);
  });

  test("sends calls of other providers in the form that this one takes", async () => {
    const toolCalls = [{ callId: "call.1|x", name: "look", arguments: null, invalidArguments: "{oops" }];
    const messages: ProviderRequest["messages"] = [
      ...question.messages,
      { role: "assistant", content: "", toolCalls },
      { role: "tool", callId: "call.1|x", name: "look", content: "" },
    ];
    expect(turnsOf(await sent({ messages })).slice(1)).toEqual([
      {
        role: "assistant",
        content: [{ type: "tool_use", id: "call_1_x", name: "look", input: { invalid_arguments: "{oops" } }],
      },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "call_1_x" }] },
    ]);
  });
});

describe("the prompt cache of the Messages API", () => {
  const messages: ProviderRequest["messages"] = [
    { role: "system", content: "Be brief." },
    { role: "user", content: "One?" },
    { role: "assistant", content: "1" },
    { role: "user", content: "Two?" },
    { role: "assistant", content: "2" },
    { role: "user", content: "Three?" },
  ];

  test("keeps the tools, the instructions and the last two turns", async () => {
    const next = await sent({ messages, tools: [lookUp, { ...lookUp, name: "see" }] });
    const mark = { cache_control: { type: "ephemeral" } };
    expect(next["system"]).toEqual([{ type: "text", text: "Be brief.", ...mark }]);
    expect(next["tools"]).toEqual([
      { type: "custom", name: "look", description: "Looks.", input_schema: { type: "object" } },
      { type: "custom", name: "see", description: "Looks.", input_schema: { type: "object" }, ...mark },
    ]);
    expect((next["messages"] as Turn[]).map(({ content }) => "cache_control" in (content[0] ?? {}))).toEqual([
      false,
      false,
      true,
      false,
      true,
    ]);
  });

  test("lasts an hour or is not used at all, where that is wanted", async () => {
    expect(JSON.stringify(await sent({ messages }, { promptCache: "off" }))).not.toContain("cache_control");
    expect(await sent({ messages }, { promptCache: "1h" })).toMatchObject({
      system: [{ cache_control: { type: "ephemeral", ttl: "1h" } }],
    });
  });

  test("what is read from it and written to it counts as input", async () => {
    const usage = { input_tokens: 10, cache_read_input_tokens: 200, cache_creation_input_tokens: 30, output_tokens: 1 };
    const end = { input_tokens: null, output_tokens: 7 };
    const { parts } = await exchange(streamed([{ type: "text", text: "x" }], { usage, end }), question);
    expect(parts.find((part) => part.type === "usage")?.usage).toEqual({
      inputTokens: 240,
      outputTokens: 7,
      cachedInputTokens: 200,
      cacheWriteInputTokens: 30,
    });
  });
});

describe("what the Messages API takes of each model", () => {
  test.each([
    [
      opus,
      {
        thinking: { type: "adaptive", display: "summarized" },
        output_config: { effort: "medium" },
        max_tokens: 128_000,
      },
    ],
    ["claude-haiku-4-5-20251001", { thinking: { type: "enabled", budget_tokens: 8192 }, max_tokens: 64_000 }],
    ["claude-3-haiku-20240307", { temperature: 0.5, max_tokens: 4096 }],
    ["qwen3-coder:30b", { thinking: { type: "adaptive" }, max_tokens: 8192 }],
  ])("%s", async (modelId, expected) => {
    const body = await sent({ modelId, temperature: 0.5, reasoningEffort: "medium" });
    expect(body).toMatchObject(expected);
    expect("temperature" in body).toBe("temperature" in expected);
  });

  test("a budget of thinking leaves room for the answer, or there is none", async () => {
    const modelId = "claude-sonnet-4-5";
    const body = await sent({ modelId, reasoningEffort: "high", maxOutputTokens: 4096 });
    expect(body).toMatchObject({ max_tokens: 4096, thinking: { budget_tokens: 3072 } });
    expect(await sent({ modelId, reasoningEffort: "high", maxOutputTokens: 1500 })).not.toHaveProperty("thinking");
  });

  test("a model with a budget does not start to think inside another's turn", async () => {
    const turn: ProviderRequest["messages"] = [...question.messages, { ...(await answered()) }, ...results];
    const modelId = "claude-sonnet-4-5";
    expect(await sent({ modelId, reasoningEffort: "high", messages: turn })).not.toHaveProperty("thinking");
  });

  test("a temperature is sent where the model takes one and does not think", async () => {
    expect(await sent({ modelId: "claude-opus-4-6", temperature: 0.5 })).toMatchObject({ temperature: 0.5 });
    expect(await sent({ temperature: 0.5 })).not.toHaveProperty("temperature");
  });
});

describe("JSON of a schema over the Messages API", () => {
  const formOf = async (schema: ProviderRequest["output"] & object, modelId = opus) => {
    const { output_config: config, system } = await sent({ modelId, output: schema });
    return { schema: (config as { format?: { schema: unknown } } | undefined)?.format?.schema, system };
  };
  test("is guaranteed, with the limits that the decoder does not know told in words", async () => {
    const count = { type: "integer", minimum: 1, description: "How many." };
    const { schema } = await formOf(
      named({
        $schema: "https://json-schema.org/draft/2020-12/schema",
        type: "object",
        properties: {
          count,
          when: { type: "string", format: "date" },
          id: { oneOf: [{ type: "string" }, { type: "null" }] },
        },
        required: ["count"],
      }),
    );
    expect(schema).toEqual({
      type: "object",
      properties: {
        count: { type: "integer", description: "How many.\nminimum: 1" },
        when: { type: "string", format: "date" },
        id: { anyOf: [{ type: "string" }, { type: "null" }] },
      },
      required: ["count"],
      additionalProperties: false,
    });
  });

  test.each([
    ["leaves an object open", { type: "object", additionalProperties: { type: "string" } }, opus],
    [
      "refers to itself",
      { type: "object", properties: { a: { $ref: "#/$defs/a" } }, $defs: { a: { anyOf: [{ $ref: "#/$defs/a" }] } } },
      opus,
    ],
    ["has a keyword of its own", { type: "object", properties: {}, if: {} }, opus],
    ["is for a model that has no decoder", { type: "object", properties: {} }, "claude-sonnet-4-20250514"],
  ])("is asked for in words where the schema %s", async (_title, schema, modelId) => {
    const form = await formOf(named(schema), modelId);
    expect(form.schema).toBeUndefined();
    expect(JSON.stringify(form.system)).toContain(JSON.stringify(JSON.stringify(schema)).slice(1, -1));
  });
});

const named = (schema: object) => ({ name: "answer", schema: schema as Record<string, never> });

const results: ProviderRequest["messages"] = [
  { role: "tool", callId: "toolu_1", name: "look", content: "a" },
  { role: "tool", callId: "toolu_2", name: "look", content: "b", isError: true },
];

type Turn = { role: string; content: Record<string, unknown>[] };

function turnsOf(body: Record<string, unknown>): Turn[] {
  return (body["messages"] as Turn[]).map(({ role, content }) => ({
    role,
    content: content.map(({ cache_control: _mark, ...block }) => block),
  }));
}

async function answered(): Promise<AssistantMessage> {
  const { parts } = await exchange(streamed(thoughtful), question);
  const continuation = parts.find((part) => part.type === "continuation")?.continuation;
  expect(continuation?.protocol).toBe("anthropic-messages");
  const calls = parts.filter((part) => part.type === "tool-call");
  expect(calls.map((call) => call.arguments)).toEqual(['{"at":1}', "{}"]);
  return {
    role: "assistant",
    content: parts.map((part) => (part.type === "text" ? part.text : "")).join(""),
    toolCalls: [
      { callId: "toolu_1", name: "look", arguments: { at: 1 } },
      { callId: "toolu_2", name: "look", arguments: {} },
    ],
    ...(continuation && { continuation }),
  };
}

/** The events of an answer whose blocks are these. */
function streamed(blocks: readonly Record<string, unknown>[], { usage = {}, end = {} } = {}): object[] {
  return [
    { type: "message_start", message: { id: "msg_1", usage } },
    ...blocks.flatMap((block, index) => {
      const delta = (delta: object) => ({ type: "content_block_delta", index, delta });
      const deltas: Record<string, object[]> = {
        thinking: [
          delta({ type: "thinking_delta", thinking: block["thinking"] }),
          delta({ type: "signature_delta", signature: block["signature"] }),
        ],
        text: [delta({ type: "text_delta", text: block["text"] })],
        tool_use: [delta({ type: "input_json_delta", partial_json: JSON.stringify(block["input"]) })],
      };
      const empty = { thinking: "", signature: "", text: "", input: {} };
      const start = Object.fromEntries(Object.entries(block).map(([key, value]) => [key, { ...empty }[key] ?? value]));
      return [
        { type: "content_block_start", index, content_block: start },
        ...(deltas[String(block["type"])] ?? []),
        { type: "content_block_stop", index },
      ];
    }),
    { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: end },
    { type: "message_stop" },
  ];
}

async function sent(request: Partial<ProviderRequest>, options: Partial<AnthropicMessagesOptions> = {}) {
  return (await exchange(streamed([]), { ...question, ...request }, options)).body;
}

async function exchange(events: object[], request: ProviderRequest, options: Partial<AnthropicMessagesOptions> = {}) {
  const chunks = [frames(events.map((event) => JSON.stringify(event)))];
  const server = await LoopbackServer.start(() => ({ chunks }));
  try {
    const adapter = anthropicMessages({ id: "anthropic", baseUrl: server.url, ...options });
    const parts: ProviderPart[] = [];
    for await (const batch of adapter.stream(request, new AbortController().signal)) parts.push(...batch);
    const [received] = server.requests;
    expect([received?.path, received?.headers["anthropic-version"]]).toEqual(["/v1/messages", "2023-06-01"]);
    return { parts, body: received?.body as Record<string, unknown> };
  } finally {
    await server.close();
  }
}
