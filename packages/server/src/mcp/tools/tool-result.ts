import { isUtf8 } from "node:buffer";
import { buffer } from "node:stream/consumers";
import { BenchtopError } from "@benchtop/protocol";
import type { CallToolResult, ContentBlock } from "@modelcontextprotocol/server";
import type { Answer } from "../../api/call-operation.ts";
import type { Download } from "../../api/handler.ts";

/** Where a failure's `ErrorInfo` is for programs. Beside `structuredContent`, which has to be of the tool's own schema. */
export const errorMeta = "benchtop/error";

/** What the content of a file or an answer of a model is marked with. */
export const untrusted = { "benchtop/untrusted": true } as const;

/** What a file may hold that is put into an answer; more is read over REST. */
export const maxTextBytes = 1_000_000;
export const maxBinaryBytes = 4_000_000;

/** The answer of an operation: as text, and as it is. */
export async function toToolResult(answer: Answer): Promise<CallToolResult> {
  if (answer.kind === "value")
    return { content: [text(JSON.stringify(answer.output))], structuredContent: answer.output };
  if (answer.kind === "download") return { content: [await toContent(answer.download)], _meta: untrusted };
  throw new TypeError("A stream is no tool.");
}

/** A failure as a result that the model reads: what happened in words, and its `ErrorInfo`. */
export function toErrorResult(error: BenchtopError): CallToolResult {
  const failure = { message: error.message, ...error.info };
  return {
    isError: true,
    content: [text(error.message), text(JSON.stringify({ error: failure }))],
    _meta: { [errorMeta]: failure },
  };
}

export function text(value: string): ContentBlock {
  return { type: "text", text: value };
}

export type FileContent =
  | { readonly kind: "text"; readonly text: string; readonly mediaType: string }
  | { readonly kind: "bytes"; readonly base64: string; readonly mediaType: string };

/** A file's content. Throws `VALIDATION_FAILED` for one that is too large to be passed on. */
export async function readContent(download: Download): Promise<FileContent> {
  const { mediaType, bytes } = download;
  const limit = isBinaryType(mediaType) ? maxBinaryBytes : maxTextBytes;
  if (bytes > limit) throw tooLarge(bytes, limit);
  const content = await buffer(download.content);
  if (!isBinaryType(mediaType) && isUtf8(content) && !content.includes(0)) {
    return { kind: "text", text: content.toString("utf8"), mediaType };
  }
  return { kind: "bytes", base64: content.toString("base64"), mediaType };
}

async function toContent(download: Download): Promise<ContentBlock> {
  const content = await readContent(download);
  const { mediaType } = content;
  const uri = `benchtop://downloads/${download.sha256}/${encodeURIComponent(download.fileName)}`;
  if (content.kind === "text") return { type: "resource", resource: { uri, mimeType: mediaType, text: content.text } };
  if (mediaType.startsWith("image/")) return { type: "image", data: content.base64, mimeType: mediaType };
  if (mediaType.startsWith("audio/")) return { type: "audio", data: content.base64, mimeType: mediaType };
  return { type: "resource", resource: { uri, mimeType: mediaType, blob: content.base64 } };
}

function isBinaryType(mediaType: string): boolean {
  return /^(?:image\/(?!svg)|audio\/|video\/|application\/(?:pdf|zip|octet-stream))/.test(mediaType);
}

function tooLarge(bytes: number, limit: number): BenchtopError {
  return new BenchtopError(
    "VALIDATION_FAILED",
    `This file has ${bytes} bytes; over MCP it may have ${limit}. \`benchtop workbench cat\` and REST read it.`,
    { phase: "workbench", detail: { bytes, limit } },
  );
}
