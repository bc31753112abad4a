import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Message } from "@benchtop/protocol";
import { writeGguf, type GgufContent } from "../src/gguf/gguf.ts";
import type { LlamaChatRequest, LlamaModel, LlamaModelOptions, LlamaPart } from "../src/runtime/llama-model.ts";
import { startLlamaModel } from "../src/runtime/start.ts";

export const never = new AbortController().signal;

/** Models of one test file: written to a folder of their own, started, and gone with it. */
export class RuntimeModels {
  #folder: string | undefined;
  readonly #models: LlamaModel[] = [];
  #files = 0;

  async folder(): Promise<string> {
    this.#folder ??= await mkdtemp(join(tmpdir(), "benchtop-llama-"));
    return this.#folder;
  }

  async write(content: GgufContent): Promise<string> {
    const path = join(await this.folder(), `${++this.#files}.gguf`);
    await writeGguf(path, content);
    return path;
  }

  async start(content: GgufContent, options: Omit<LlamaModelOptions, "modelPath"> = {}): Promise<LlamaModel> {
    return await this.startFile(await this.write(content), options);
  }

  async startFile(modelPath: string, options: Omit<LlamaModelOptions, "modelPath"> = {}): Promise<LlamaModel> {
    const model = await startLlamaModel({ modelPath, ...options }, never);
    this.#models.push(model);
    return model;
  }

  async end(): Promise<void> {
    await Promise.all(this.#models.map((model) => model.close()));
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true });
  }
}

export type Finish = Extract<LlamaPart, { readonly type: "finish" }>;
export type UsagePart = Extract<LlamaPart, { readonly type: "usage" }>;
export type Call = Extract<LlamaPart, { readonly type: "tool-call" }>;

export interface Answer {
  readonly text: string;
  readonly reasoning: string;
  readonly parts: readonly LlamaPart[];
  readonly calls: readonly Call[];
  readonly usage: UsagePart;
  readonly reason: Finish["reason"];
}

export async function answerOf(batches: AsyncIterable<readonly LlamaPart[]>): Promise<Answer> {
  const parts: LlamaPart[] = [];
  for await (const batch of batches) parts.push(...batch);
  const [usage, finish] = parts.slice(-2);
  if (usage?.type !== "usage" || finish?.type !== "finish")
    throw new Error("A generation ends with its usage and a reason.");
  const textOf = (type: string): string =>
    parts.map((part) => (part.type === type && "text" in part ? part.text : "")).join("");
  const calls = parts.filter((part) => part.type === "tool-call");
  return { text: textOf("text"), reasoning: textOf("reasoning"), parts, calls, usage, reason: finish.reason };
}

export async function ask(
  model: LlamaModel,
  messages: string | readonly Message[],
  request: Omit<LlamaChatRequest, "messages"> = {},
): Promise<Answer> {
  const asked: readonly Message[] = typeof messages === "string" ? [{ role: "user", content: messages }] : messages;
  return await answerOf(model.chat({ messages: asked, temperature: 0, ...request }, never));
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
