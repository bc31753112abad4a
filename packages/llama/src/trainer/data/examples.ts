import { readFile } from "node:fs/promises";
import { BenchtopError } from "@benchtop/protocol/errors";
import { refusal } from "./refusal.ts";

/** One thing to learn from, and where it was read, for messages. */
export type Example = { readonly line: number } &
  /** Unfinished: what the assistant says last goes on, and the end is not learnt. */
  (
    | { readonly kind: "chat"; readonly messages: readonly ChatMessage[]; readonly unfinished?: boolean }
    | { readonly kind: "completion"; readonly prompt: string; readonly completion: string }
    | { readonly kind: "text"; readonly text: string }
  );

export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** A file of `.jsonl` (or `.json` lines) has one example a line; any other file is text, cut at empty lines. */
export interface DataFile {
  readonly path: string;
  readonly format?: "jsonl" | "text";
}

const largestFile = 512 * 1024 * 1024;
const roles = new Set(["system", "user", "assistant"]);

/** Throws `VALIDATION_FAILED`, naming the line and what it should be, `NOT_FOUND` and `FILE_READ_FAILED`. */
export async function readExamples({ path, format }: DataFile): Promise<Example[]> {
  const text = decode(await readData(path));
  const isLines = format === undefined ? /\.(?:jsonl|ndjson|json)$/i.test(path) : format === "jsonl";
  const examples = isLines ? parseLines(text) : parseText(text);
  if (examples.length === 0) throw refusal("The training data is empty. Add examples to the file.");
  return examples;
}

/** Each line `{"messages": […]}` (with `"unfinished": true` where the last of them goes on), `{"prompt": …, "completion": …}` or `{"text": …}`. Empty lines are skipped. */
export function parseLines(text: string): Example[] {
  return text.split("\n").flatMap((content, at) => {
    if (content.trim() === "") return [];
    return [parseLine(content, at + 1)];
  });
}

function parseLine(content: string, line: number): Example {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch {
    throw wrong(line, "is no JSON. Each line has to be one JSON object");
  }
  if (!isObject(value)) throw wrong(line, "is no JSON object");
  if ("messages" in value) {
    const messages = parseMessages(value["messages"], line);
    return { kind: "chat", line, messages, ...(value["unfinished"] === true && { unfinished: true }) };
  }
  if ("prompt" in value || "completion" in value) {
    const { prompt, completion } = value;
    if (typeof prompt !== "string" || typeof completion !== "string") {
      throw wrong(line, "has to have `prompt` and `completion`, both texts");
    }
    if (completion === "")
      throw wrong(line, "has an empty `completion`. Say what is to be answered, or remove the line");
    return { kind: "completion", line, prompt, completion };
  }
  if (typeof value["text"] === "string" && value["text"] !== "") return { kind: "text", line, text: value["text"] };
  throw wrong(line, "has neither `messages` nor `prompt` and `completion` nor `text`");
}

function parseMessages(value: unknown, line: number): ChatMessage[] {
  if (!Array.isArray(value) || value.length === 0) throw wrong(line, "has to have a list of at least one message");
  const messages = value.map((message: unknown, at): ChatMessage => {
    const place = `has a message (number ${at + 1})`;
    if (!isObject(message)) throw wrong(line, `${place} that is no object`);
    const { role, content } = message;
    if (!isRole(role)) throw wrong(line, `${place} whose \`role\` is not system, user or assistant`);
    if (typeof content !== "string" || content === "") throw wrong(line, `${place} without text in \`content\``);
    return { role, content };
  });
  if (!messages.some(({ role }) => role === "assistant")) {
    throw wrong(line, "has no message of the assistant, so there is nothing to learn from it");
  }
  return messages;
}

/** Paragraphs, so that each can be learnt from for itself. */
function parseText(text: string): Example[] {
  const examples: Example[] = [];
  let line = 1;
  for (const part of text.split(/(\n[ \t]*\n\s*)/)) {
    if (part.trim() !== "") examples.push({ kind: "text", line, text: part.trim() });
    line += part.split("\n").length - 1;
  }
  return examples;
}

async function readData(path: string): Promise<Buffer> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT")
      throw new BenchtopError("NOT_FOUND", `There is no training data at ${path}.`, { phase: "job" });
    throw BenchtopError.from(error, "FILE_READ_FAILED", { phase: "job", detail: { path } });
  }
  if (bytes.length > largestFile) {
    throw refusal(`The training data is larger than ${largestFile / 2 ** 20} MiB. Split it, or take a part of it.`);
  }
  return bytes;
}

function decode(bytes: Buffer): string {
  try {
    // Takes a byte order mark away.
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).replaceAll("\r\n", "\n");
  } catch {
    throw refusal("The training data is not UTF-8. Save it as UTF-8 text.");
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isRole(value: unknown): value is ChatMessage["role"] {
  return typeof value === "string" && roles.has(value);
}

function wrong(line: number, what: string): BenchtopError {
  return refusal(`Line ${line} of the training data ${what}.`, { line });
}
