import type { Attachment } from "@benchtop/protocol";
import type { ProviderRequest } from "../provider.ts";
import type { ScriptedAnswer } from "./dialect.ts";

/** What the suite asks and what it lets the model say. */

export const apiKey = "sk-loopback-0123456789abcdef";
export const secretPrompt = "The launch code is 4711 and nobody else may ever read it.";
export const never = new AbortController().signal;
export const question: ProviderRequest = { modelId: "loopback", messages: [{ role: "user", content: "Hello?" }] };

export const longQuestion: ProviderRequest = {
  modelId: "loopback",
  messages: [
    { role: "system", content: "Be brief." },
    { role: "user", content: "What is it?" },
    {
      role: "assistant",
      content: "Let me see.",
      toolCalls: [{ callId: "call_1", name: "look_up", arguments: { word: "it" } }],
    },
    { role: "tool", callId: "call_1", name: "look_up", content: "a pronoun" },
    { role: "user", content: "And now?" },
  ],
  tools: [{ name: "look_up", description: "Looks a word up.", inputSchema: { type: "object", properties: {} } }],
};

export const attachmentQuestion = "What do these show?";
export const attachments = [
  { mediaType: "image/png", name: "dot.png", data: Buffer.from("not really a picture").toString("base64") },
  { mediaType: "application/pdf", name: "paper.pdf", data: Buffer.from("%PDF-1.7 nor a paper").toString("base64") },
  { mediaType: "text/csv", name: "rows.csv", data: Buffer.from("a,b\n1,ü\n").toString("base64") },
] as const;

export const askingAbout = (...attachments: readonly Attachment[]): ProviderRequest => ({
  modelId: "loopback",
  messages: [{ role: "user", content: attachmentQuestion, attachments: [...attachments] }],
});

export const outputSchema = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};

export const everything: ScriptedAnswer = {
  reasoning: ["thin", "king… "],
  text: ["Straße ", "→ 日本 ", "👩‍👩‍👧 ", 'quote " slash \\ line\n'],
  toolCalls: [{ id: "call_1", name: "write", pieces: ['{"te', 'xt":"né', 'e"}'] }],
  usage: { inputTokens: 5, outputTokens: 7 },
};
export const everythingSaid = {
  reasoning: "thinking… ",
  text: 'Straße → 日本 👩‍👩‍👧 quote " slash \\ line\n',
  calls: [{ type: "tool-call", callId: "call_1", name: "write", arguments: '{"text":"née"}' }],
  usage: { inputTokens: 5, outputTokens: 7 },
  finish: "tool-calls",
};

export function* singleBytes(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let index = 0; index < bytes.length; index += 1) yield bytes.subarray(index, index + 1);
}

/** More than any adapter may hold of one line. */
export function* endless(chunk: string): Iterable<string> {
  yield "data: ";
  for (let count = 0; count < 64; count += 1) yield chunk;
}
