import type { LlamaChatRequest, LlamaPart } from "@benchtop/llama";
import type { ProviderPart, ProviderRequest } from "@benchtop/harness";
import { BenchtopError, type Attachment, type Json, type Message, type UserMessage } from "@benchtop/protocol";

/** A request in the words of a model's process. Throws `VALIDATION_FAILED` for an attachment that is no text. */
export function chatRequestOf(request: ProviderRequest, grammar: string | undefined): LlamaChatRequest {
  const { messages, tools, maxOutputTokens, temperature, topP, seed, output } = request;
  if (grammar !== undefined && output) {
    throw new BenchtopError("VALIDATION_FAILED", "An answer follows either a grammar or a schema, not both.");
  }
  return {
    messages: messages.map(readable),
    ...(tools && {
      tools: tools.map(({ name, description, inputSchema }) => ({
        name,
        description,
        inputSchema: { ...inputSchema },
      })),
    }),
    ...(output && { schema: { ...output.schema } satisfies Json }),
    ...(grammar !== undefined && { grammar }),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { topP }),
    ...(seed !== undefined && { seed }),
  };
}

/** What a model's process said, as a provider says it; adjacent text joined. */
export function providerPartsOf(parts: readonly LlamaPart[]): ProviderPart[] {
  const said: ProviderPart[] = [];
  for (const part of parts) {
    if (part.type === "text" || part.type === "reasoning") {
      const { type, text } = part;
      const last = said.at(-1);
      if (last?.type === type) said[said.length - 1] = { type, text: last.text + text };
      else said.push({ type, text });
    } else if (part.type === "usage") {
      said.push({ type: "usage", usage: part.usage });
    } else {
      said.push(part);
    }
  }
  return said;
}

function readable(message: Message): Message {
  if (message.role !== "user" || !message.attachments?.length) return message;
  return withFilesQuoted(message, message.attachments);
}

/** Files come first: a question about a document is answered better below it. */
function withFilesQuoted({ content }: UserMessage, attachments: readonly Attachment[]): UserMessage {
  const files = attachments.map(({ name = "attachment.txt", mediaType, data }) => {
    if (!isText(mediaType)) {
      throw new BenchtopError(
        "VALIDATION_FAILED",
        `An attachment of type ${mediaType.slice(0, 100)} cannot be read by models of this machine, which read text.`,
        { actions: ["switch_model"], detail: { media_type: mediaType.slice(0, 100) } },
      );
    }
    if (data === undefined) {
      throw new BenchtopError("VALIDATION_FAILED", `The content of an attachment of type ${mediaType} is not there.`);
    }
    return `<file name=${JSON.stringify(name)}>\n${Buffer.from(data, "base64").toString("utf8")}\n</file>`;
  });
  return { role: "user", content: [...files, ...(content === "" ? [] : [content])].join("\n\n") };
}

function isText(mediaType: string): boolean {
  const type = mediaType.split(";")[0]?.trim().toLowerCase() ?? "";
  return type.startsWith("text/") || /\+(json|xml)$/.test(type) || textTypes.has(type);
}

const textTypes: ReadonlySet<string> = new Set([
  "application/json",
  "application/jsonl",
  "application/x-ndjson",
  "application/xml",
  "application/yaml",
  "application/toml",
  "application/javascript",
  "application/x-sh",
  "application/sql",
]);
