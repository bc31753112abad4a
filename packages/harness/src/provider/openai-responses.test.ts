import type { AssistantMessage } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { frames, LoopbackServer } from "./conformance.ts";
import { openaiResponses } from "./openai-responses.ts";
import type { ProviderPart, ProviderRequest } from "./provider.ts";

const never = new AbortController().signal;

/** Reasoning, commentary, a call, more reasoning and a second call, as gpt-5 models answer. */
const items = [
  {
    id: "rs_1",
    type: "reasoning",
    summary: [{ type: "summary_text", text: "Look first." }],
    encrypted_content: "AAA=",
  },
  { id: "msg_1", type: "message", phase: "commentary", content: [{ type: "output_text", text: "Looking. " }] },
  { id: "fc_1", type: "function_call", call_id: "call_1", name: "look", arguments: "{}", status: "completed" },
  { id: "rs_2", type: "reasoning", summary: [], encrypted_content: "BBB=", status: "completed" },
  { id: "fc_2", type: "function_call", call_id: "call_2", name: "look", arguments: '{"at":2}', status: "completed" },
];

describe("H1 the Responses adapter, from one call to the next", () => {
  test("sends encrypted reasoning back where it stood, and the message's own texts and calls", async () => {
    const { request } = await answered();
    expect(request["include"]).toEqual(["reasoning.encrypted_content"]);
    const next = await sent({ message: await messageOf() });
    expect(next["input"]).toEqual([
      { role: "user", content: "Look." },
      {
        type: "reasoning",
        id: "rs_1",
        summary: [{ type: "summary_text", text: "Look first." }],
        encrypted_content: "AAA=",
      },
      { role: "assistant", content: "Looking. ", phase: "commentary" },
      { type: "function_call", call_id: "call_1", name: "look", arguments: "{}" },
      { type: "reasoning", id: "rs_2", summary: [], encrypted_content: "BBB=" },
      { type: "function_call", call_id: "call_2", name: "look", arguments: '{"at":2}' },
      { type: "function_call_output", call_id: "call_1", output: "a" },
      { type: "function_call_output", call_id: "call_2", output: "b" },
    ]);
  });

  test("sends a text that was changed since, not the one that the model wrote", async () => {
    const message = { ...(await messageOf()), content: "[removed text]" };
    const { input } = await sent({ message });
    expect(input).toContainEqual({ role: "assistant", content: "[removed text]", phase: "commentary" });
    expect(JSON.stringify(input)).not.toContain("Looking");
  });

  test.each([
    ["another model", { modelId: "gpt-5.1" }],
    ["another provider", { providerId: "gateway" }],
  ])("shows the reasoning of one model to no other: %s", async (_title, other) => {
    const next = await sent({ message: await messageOf(), ...other });
    expect(JSON.stringify(next["input"])).not.toContain("encrypted_content");
    expect(next["input"]).toContainEqual({ role: "assistant", content: "Looking. " });
  });

  test("asks models that do not reason for no reasoning, and gives those that do no temperature", async () => {
    const settings = { temperature: 0.5, reasoningEffort: "low" } as const;
    expect(await sent({ ...settings, modelId: "gpt-5.2" })).toMatchObject({ reasoning: { effort: "low" } });
    expect(await sent({ ...settings, modelId: "gpt-5.2" })).not.toHaveProperty("temperature");
    const plain = await sent({ ...settings, modelId: "gpt-4.1" });
    expect(plain).toMatchObject({ temperature: 0.5 });
    expect(plain).not.toHaveProperty("reasoning");
    expect(plain).not.toHaveProperty("include");
  });

  test("asks strictly for a schema that allows it, and leaves the check of any other to the loop", async () => {
    const closed = {
      type: "object",
      properties: { a: { type: "string" } },
      required: ["a"],
      additionalProperties: false,
    };
    const open = { type: "object", properties: { a: { type: "string" } } };
    for (const [schema, strict] of [
      [closed, true],
      [open, false],
    ] as const) {
      const { text } = await sent({ output: { name: "answer", schema } });
      expect(text).toEqual({ format: { type: "json_schema", name: "answer", schema, strict } });
    }
  });
});

async function answered(): Promise<{ parts: ProviderPart[]; request: Record<string, unknown> }> {
  const events = items.flatMap((item, index) => [
    { type: "response.output_item.added", output_index: index, item: { ...item, encrypted_content: "", content: [] } },
    { type: "response.output_item.done", output_index: index, item },
  ]);
  const ended = { type: "response.completed", response: { id: "resp_1", status: "completed", output: items } };
  return exchange([...events, ended], { modelId: "gpt-5.2", messages: [{ role: "user", content: "Look." }] });
}

async function messageOf(): Promise<AssistantMessage> {
  const { parts } = await answered();
  const continuation = parts.find((part) => part.type === "continuation")?.continuation;
  expect(continuation?.protocol).toBe("openai-responses");
  return {
    role: "assistant",
    content: parts.map((part) => (part.type === "text" ? part.text : "")).join(""),
    toolCalls: [
      { callId: "call_1", name: "look", arguments: {} },
      { callId: "call_2", name: "look", arguments: { at: 2 } },
    ],
    ...(continuation && { continuation }),
  };
}

async function sent({
  message,
  providerId = "openai",
  ...settings
}: Partial<ProviderRequest> & { message?: AssistantMessage; providerId?: string }) {
  const messages: ProviderRequest["messages"] = [
    { role: "user", content: "Look." },
    ...(message
      ? [
          message,
          { role: "tool" as const, callId: "call_1", name: "look", content: "a" },
          { role: "tool" as const, callId: "call_2", name: "look", content: "b" },
        ]
      : []),
  ];
  const ended = { type: "response.completed", response: { id: "resp_2", output: [] } };
  return (await exchange([ended], { modelId: "gpt-5.2", messages, ...settings }, providerId)).request;
}

async function exchange(events: object[], request: ProviderRequest, id = "openai") {
  const chunks = [frames(events.map((event) => JSON.stringify(event)))];
  const server = await LoopbackServer.start(() => ({ chunks }));
  try {
    const parts: ProviderPart[] = [];
    for await (const batch of openaiResponses({ id, baseUrl: server.url }).stream(request, never)) parts.push(...batch);
    return { parts, request: server.requests[0]?.body as Record<string, unknown> };
  } finally {
    await server.close();
  }
}
