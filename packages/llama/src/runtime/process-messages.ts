import {
  errorActions,
  errorCodes,
  FinishReason,
  phases,
  Usage,
  type BenchtopError,
  type ErrorDetail,
  type ErrorInfo,
} from "@benchtop/protocol";
import type { Frame } from "./frames.ts";
import type {
  LlamaChatRequest,
  LlamaCompletionRequest,
  LlamaModelFacts,
  LlamaModelOptions,
  LlamaPart,
} from "./llama-model.ts";

/** What the daemon tells the process with a model. */
export type Order =
  | { readonly type: "load"; readonly options: LlamaModelOptions; readonly beatMs: number }
  | { readonly type: "chat"; readonly id: number; readonly request: LlamaChatRequest }
  | { readonly type: "complete"; readonly id: number; readonly request: LlamaCompletionRequest }
  | { readonly type: "embed"; readonly id: number; readonly texts: readonly string[] }
  | { readonly type: "tokenize"; readonly id: number; readonly text: string }
  | { readonly type: "abort"; readonly id: number };

export type Failure = { readonly message: string } & ErrorInfo;

/** What the process with a model tells the daemon. */
export type Reply =
  | { readonly type: "loaded"; readonly facts: LlamaModelFacts }
  | { readonly type: "not-loaded"; readonly failure: Failure }
  /** While there is work: `progress` counts whatever was computed, so that it moves as long as anything does. */
  | { readonly type: "beat"; readonly progress: number; readonly memoryBytes: number }
  | { readonly type: "parts"; readonly id: number; readonly parts: readonly LlamaPart[] }
  | { readonly type: "vector"; readonly id: number; readonly vector: Float32Array }
  | { readonly type: "tokens"; readonly id: number; readonly tokens: number[] }
  | {
      readonly type: "ended";
      readonly id: number;
      readonly failure?: Failure;
      readonly inputTokens?: number;
      readonly memoryBytes: number;
    };

/** Checks what came from the other process as far as anybody relies on it. Throws for what is none of its messages. */
export function readReply({ message, bytes }: Frame): Reply {
  const reply = record(message);
  switch (reply["type"]) {
    case "loaded":
      return { type: "loaded", facts: factsOf(reply["facts"]) };
    case "not-loaded":
      return { type: "not-loaded", failure: failureOf(reply["failure"]) };
    case "beat":
      return { type: "beat", progress: count(reply["progress"]), memoryBytes: count(reply["memoryBytes"]) };
    case "parts":
      return { type: "parts", id: count(reply["id"]), parts: list(reply["parts"]).map(partOf) };
    case "vector":
      return { type: "vector", id: count(reply["id"]), vector: vectorOf(bytes) };
    case "tokens":
      return { type: "tokens", id: count(reply["id"]), tokens: [...new Int32Array(vectorBytes(bytes))] };
    case "ended":
      return {
        type: "ended",
        id: count(reply["id"]),
        ...(reply["failure"] !== undefined && { failure: failureOf(reply["failure"]) }),
        ...(reply["inputTokens"] !== undefined && { inputTokens: count(reply["inputTokens"]) }),
        memoryBytes: count(reply["memoryBytes"]),
      };
    default:
      throw garbled();
  }
}

export function failureFrom(error: BenchtopError): Failure {
  return { message: error.message, ...error.info };
}

export function garbled(): Error {
  return new Error("The process with the model sent what is none of its messages.");
}

function factsOf(value: unknown): LlamaModelFacts {
  const facts = record(value);
  return {
    contextTokens: count(facts["contextTokens"]),
    trainedContextTokens: count(facts["trainedContextTokens"]),
    vocabularySize: count(facts["vocabularySize"]),
    embeddingLength: count(facts["embeddingLength"]),
    parameters: count(facts["parameters"]),
    memoryBytes: count(facts["memoryBytes"]),
    loadMs: count(facts["loadMs"]),
    device: text(facts["device"]),
    supportsTools: flag(facts["supportsTools"]),
    hasChatTemplate: flag(facts["hasChatTemplate"]),
  };
}

function partOf(value: unknown): LlamaPart {
  const part = record(value);
  switch (part["type"]) {
    case "text":
    case "reasoning": {
      const { logProbability } = part;
      if (logProbability === undefined) return { type: part["type"], text: text(part["text"]) };
      if (typeof logProbability !== "number") throw garbled();
      return { type: part["type"], text: text(part["text"]), logProbability };
    }
    case "tool-call":
      return {
        type: "tool-call",
        callId: text(part["callId"]),
        name: text(part["name"]),
        arguments: text(part["arguments"]),
      };
    case "usage":
      return {
        type: "usage",
        usage: Usage.parse(part["usage"]),
        promptMs: count(part["promptMs"]),
        outputMs: count(part["outputMs"]),
      };
    case "finish":
      return { type: "finish", reason: FinishReason.parse(part["reason"]) };
    default:
      throw garbled();
  }
}

function failureOf(value: unknown): Failure {
  const failure = record(value);
  const { subphase } = failure;
  return {
    message: text(failure["message"]).slice(0, 2000),
    error_code: oneOf(errorCodes, failure["error_code"]),
    phase: oneOf(phases, failure["phase"]),
    ...(typeof subphase === "string" && { subphase }),
    retryable: flag(failure["retryable"]),
    actions: list(failure["actions"]).map((action) => oneOf(errorActions, action)),
    ...(failure["detail"] !== undefined && { detail: detailOf(failure["detail"]) }),
  };
}

function detailOf(value: unknown): Record<string, ErrorDetail> {
  return Object.fromEntries(
    Object.entries(record(value)).map(([key, fact]) => {
      if (Array.isArray(fact)) return [key, fact.map(text)];
      if (fact === null || ["string", "number", "boolean"].includes(typeof fact)) return [key, fact as ErrorDetail];
      throw garbled();
    }),
  );
}

function vectorOf(bytes: Buffer): Float32Array {
  return new Float32Array(vectorBytes(bytes));
}

/** A copy of its own, for the frame may begin anywhere and belongs to a longer chunk. */
function vectorBytes(bytes: Buffer): ArrayBuffer {
  if (bytes.length % 4 !== 0) throw garbled();
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw garbled();
  return value as Record<string, unknown>;
}

function list(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw garbled();
  return value;
}

function text(value: unknown): string {
  if (typeof value !== "string") throw garbled();
  return value;
}

function flag(value: unknown): boolean {
  if (typeof value !== "boolean") throw garbled();
  return value;
}

function count(value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0) throw garbled();
  return value;
}

function oneOf<Value extends string>(values: readonly Value[], value: unknown): Value {
  const found = values.find((each) => each === value);
  if (found === undefined) throw garbled();
  return found;
}
