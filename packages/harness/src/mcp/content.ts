import type { ToolOutput } from "../tools/tool.ts";

const maxCharacters = 200_000;
const maxBlocks = 1000;

/** What a tool's result says, as text for a model. Bytes are named, not shown; what is too long is cut and says so. */
export function outputOf(result: { readonly [key: string]: unknown }): ToolOutput {
  const blocks = Array.isArray(result["content"]) ? (result["content"] as unknown[]) : [];
  const texts = blocks.slice(0, maxBlocks).map(textOf);
  if (blocks.length > maxBlocks) texts.push(`[${blocks.length - maxBlocks} more parts are not shown]`);
  const structured = result["structuredContent"];
  // Servers should say the same as text, too; then the text is enough.
  if (structured !== undefined && texts.every((text) => text.trim() === "")) texts.push(JSON.stringify(structured));
  const content = bounded(texts.filter((text) => text !== "").join("\n"));
  return { content, ...(result["isError"] === true && { isError: true }) };
}

function textOf(block: unknown): string {
  if (typeof block !== "object" || block === null) return "";
  const { type, text, data, mimeType, uri, name, description, resource } = block as Block;
  switch (type) {
    case "text":
      return typeof text === "string" ? text : "";
    case "image":
    case "audio":
      return `[${type}: ${mediaType(mimeType)}, ${bytesOf(data)} bytes]`;
    case "resource_link":
      return `[resource ${oneLine(name)} <${oneLine(uri)}>${description === undefined ? "" : `: ${oneLine(description)}`}]`;
    case "resource":
      return embedded(resource);
    default:
      return `[content of the unknown type ${oneLine(type)}]`;
  }
}

type Block = Partial<
  Record<"type" | "text" | "data" | "mimeType" | "uri" | "name" | "description" | "resource", unknown>
>;

function embedded(resource: unknown): string {
  if (typeof resource !== "object" || resource === null) return "";
  const { uri, mimeType, text, blob } = resource as Record<"uri" | "mimeType" | "text" | "blob", unknown>;
  if (typeof text === "string") return `[resource <${oneLine(uri)}>]\n${text}`;
  return `[resource <${oneLine(uri)}>: ${mediaType(mimeType)}, ${bytesOf(blob)} bytes]`;
}

function mediaType(value: unknown): string {
  return value === undefined ? "unknown type" : oneLine(value);
}

function bytesOf(base64: unknown): number {
  return typeof base64 === "string" ? Buffer.byteLength(base64, "base64") : 0;
}

function oneLine(value: unknown): string {
  const text = typeof value === "string" ? value : "";
  return text.replaceAll(/\s+/g, " ").slice(0, 300);
}

function bounded(content: string): string {
  if (content.length <= maxCharacters) return content;
  return `${content.slice(0, maxCharacters)}\n[cut: ${maxCharacters} of ${content.length} characters are shown]`;
}
