import type { AssistantMessage, Message, UserMessage } from "@benchtop/protocol";
import { attachmentsOf, quotedFile, type WireAttachment } from "../attachment.ts";
import { piecesOf, type Origin, type Piece } from "../continuation.ts";
import type { ProviderRequest } from "../provider.ts";
import type { AiSdkCall, AiSdkModel } from "./language-model.ts";

/** A request in the words of the AI SDK. Throws `VALIDATION_FAILED` for an attachment whose bytes are not there. */
export function callOf(
  request: ProviderRequest,
  model: AiSdkModel,
  origin: Origin,
  abortSignal: AbortSignal,
): AiSdkCall {
  const { messages, tools, maxOutputTokens, temperature, topP, seed, reasoningEffort, output } = request;
  const isV4 = model.specificationVersion === "v4";
  return {
    prompt: messages.map((message) => promptMessage(message, isV4, origin)),
    ...(tools && {
      tools: tools.map(({ name, description, inputSchema }) => ({ type: "function", name, description, inputSchema })),
    }),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { topP }),
    ...(seed !== undefined && { seed }),
    ...(output && { responseFormat: { type: "json", name: output.name, schema: output.schema } }),
    ...(reasoningEffort !== undefined && reasoningOf(reasoningEffort, isV4, model)),
    abortSignal,
  };
}

/** Before v4 each provider had its own option for it; most took OpenAI's name. */
function reasoningOf(effort: string, isV4: boolean, { provider }: AiSdkModel): object {
  return isV4 ? { reasoning: effort } : { providerOptions: { [familyOf(provider)]: { reasoningEffort: effort } } };
}

/** `openai.responses` → `openai`. */
export function familyOf(provider: string): string {
  return provider.split(".")[0] ?? provider;
}

function promptMessage(message: Message, isV4: boolean, origin: Origin): object {
  if (message.role === "system") return { role: "system", content: message.content };
  if (message.role === "user") return { role: "user", content: userParts(message, isV4) };
  if (message.role === "assistant") return { role: "assistant", content: answerParts(message, origin) };
  const { callId, name, content, isError } = message;
  const output = { type: isError === true ? "error-text" : "text", value: content };
  return { role: "tool", content: [{ type: "tool-result", toolCallId: callId, toolName: name, output }] };
}

/** Attachments come first: a question about a document is answered better below it. */
function userParts(message: UserMessage, isV4: boolean): object[] {
  const kinds = ["image", "pdf", "text", "document", "other"] as const;
  const attachments = attachmentsOf(message, "the AI SDK", kinds).map((attachment) => filePart(attachment, isV4));
  return message.content === "" ? attachments : [...attachments, { type: "text", text: message.content }];
}

function filePart(attachment: WireAttachment, isV4: boolean): object {
  if (attachment.kind === "text") return { type: "text", text: quotedFile(attachment) };
  const { name, mediaType, data } = attachment;
  return { type: "file", filename: name, mediaType, data: isV4 ? { type: "data", data } : data };
}

function answerParts(message: AssistantMessage, origin: Origin): object[] {
  return piecesOf(message, origin).map((piece) => ({ ...answerPart(piece) }));
}

/** What a provider said beside a part goes back with it as its options. */
function answerPart(piece: Piece): object {
  if (piece.kind === "block") return piece.block;
  const options = piece.extra && { providerOptions: piece.extra };
  if (piece.kind === "text") return { type: "text", text: piece.text, ...options };
  const { callId, name, arguments: input, invalidArguments } = piece.call;
  return { type: "tool-call", toolCallId: callId, toolName: name, input: invalidArguments ?? input, ...options };
}
