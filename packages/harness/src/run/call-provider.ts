import {
  BenchtopError,
  newId,
  newSpanId,
  type AssistantMessage,
  type Continuation,
  type FinishReason,
  type Json,
  type Message,
  type ToolCall,
  type Usage,
} from "@benchtop/protocol";
import { estimateMessageTokens, estimateTokens } from "../context/estimate.ts";
import { costMicrosOf } from "../model/cost.ts";
import type { Prices } from "../model/model.ts";
import type { ProviderAdapter, ProviderPart, ProviderRequest } from "../provider/provider.ts";
import { requestHash } from "../provider/request-hash.ts";
import type { ToolSpec } from "../tools/tool.ts";
import type { RunScope } from "./scope.ts";
import { round } from "./totals.ts";

export interface Answer {
  readonly message: AssistantMessage;
  readonly finishReason: FinishReason;
}

/** What a provider call is made with. */
export interface CallConfig {
  readonly provider: ProviderAdapter;
  readonly modelId: string;
  readonly prices?: Prices;
  readonly maxOutputTokens?: number;
  readonly temperature?: number;
}

/** What is asked, and how much it may cost. */
export interface Prompt {
  readonly messages: readonly Message[];
  readonly tools: readonly ToolSpec[];
  /** Output tokens that the budget has left; infinite when nothing limits them. */
  readonly tokensLeft: number;
  /** Ids of the tool calls that the run has seen; those of this call are added. */
  readonly callIds: Set<string>;
}

/**
 * One provider call: journaled before a byte is sent, each delta as it comes, and closed with the whole message, or with
 * what had arrived when it failed or was canceled. The failure is then thrown.
 */
export async function callProvider(run: RunScope, config: CallConfig, prompt: Prompt): Promise<Answer> {
  const request = requestOf(config, prompt);
  const call = new OpenCall(run, config, request, prompt);
  await call.start();
  try {
    // A retry policy wraps this stream: a further attempt is a further call with its own `attempt`.
    for await (const parts of config.provider.stream(request, run.signal)) {
      call.receive(parts);
      if (call.isOverLimit) return call.cut();
      if (run.pending > highWaterMark) await run.committed();
    }
    return call.finish();
  } catch (thrown) {
    throw call.fail(thrown);
  }
}

/** Uncommitted text, in UTF-16 units, above which the loop lets the journal catch up before it reads on. */
const highWaterMark = 256 * 1024;

/** Below this many tokens left, the provider is told how many it may use; above, its own limit is the smaller one or the loop stops it. */
const tellLimitBelow = 8192;

/** No tokenizer averages more characters a token over a long text; past it a call is certainly over its limit. */
const mostCharactersPerToken = 8;

function requestOf(config: CallConfig, { messages, tools, tokensLeft }: Prompt): ProviderRequest {
  const { modelId, maxOutputTokens = Number.POSITIVE_INFINITY, temperature } = config;
  const limit = Math.min(maxOutputTokens, tokensLeft < tellLimitBelow ? tokensLeft : Number.POSITIVE_INFINITY);
  return {
    modelId,
    messages,
    ...(tools.length > 0 && { tools }),
    ...(Number.isFinite(limit) && { maxOutputTokens: limit }),
    ...(temperature !== undefined && { temperature }),
  };
}

/** A provider call between its two events. */
class OpenCall {
  readonly #run: RunScope;
  readonly #config: CallConfig;
  readonly #request: ProviderRequest;
  readonly #prompt: Prompt;
  readonly #callId = newId("call");
  readonly #spanId = newSpanId();
  readonly #startedAt = performance.now();
  readonly #toolCalls: ToolCall[] = [];
  readonly #said = { text: "", reasoning: "", refusal: "" };
  #characters = 0;
  #firstTokenMs: number | undefined;
  #usage: Usage | undefined;
  #continuation: Continuation | undefined;
  #responseId: string | undefined;
  #finishReason: FinishReason | undefined;

  constructor(run: RunScope, config: CallConfig, request: ProviderRequest, prompt: Prompt) {
    this.#run = run;
    this.#config = config;
    this.#request = request;
    this.#prompt = prompt;
  }

  async start(): Promise<void> {
    await this.#run.emit({
      type: "ProviderCallStarted",
      callId: this.#callId,
      providerId: this.#config.provider.id,
      modelId: this.#request.modelId,
      attempt: 1,
      requestHash: requestHash(this.#request),
      messageCount: this.#request.messages.length,
      spanId: this.#spanId,
    });
  }

  get isOverLimit(): boolean {
    return this.#characters > this.#prompt.tokensLeft * mostCharactersPerToken;
  }

  receive(parts: readonly ProviderPart[]): void {
    for (const part of parts) {
      switch (part.type) {
        case "text":
        case "reasoning":
        case "refusal":
          this.#receiveText(part.type, part.text);
          break;
        case "tool-call":
          this.#characters += part.arguments.length;
          this.#toolCalls.push(toolCallOf(part, this.#prompt.callIds));
          break;
        case "usage":
          this.#usage = part.usage;
          break;
        case "continuation":
          this.#continuation = part.continuation;
          break;
        case "response":
          this.#responseId = part.responseId;
          break;
        case "finish":
          this.#finishReason = part.reason;
          break;
      }
    }
  }

  finish(): Answer {
    if (this.#finishReason === undefined) {
      throw new BenchtopError("PROVIDER_UNAVAILABLE", "The provider ended its answer early.");
    }
    return this.#close("success", this.#finishReason);
  }

  /** Ends a call that is certainly over what the budget has left; its estimated usage then fails the budget's check. */
  cut(): Answer {
    return this.#close("canceled", "length");
  }

  /** Closes the call with what had arrived, and gives the error to throw. */
  fail(thrown: unknown): BenchtopError {
    const { id: providerId } = this.#config.provider;
    const error = BenchtopError.from(thrown).at({ providerId, modelId: this.#request.modelId });
    this.#close(error.code === "USER_CANCELED" ? "canceled" : "error", this.#finishReason, error);
    return error;
  }

  #receiveText(channel: "text" | "reasoning" | "refusal", text: string): void {
    this.#firstTokenMs ??= round(performance.now() - this.#startedAt);
    this.#said[channel] += text;
    this.#characters += text.length;
    this.#run.write({ type: "OutputDelta", callId: this.#callId, channel, text, spanId: this.#spanId });
  }

  #close(outcome: "success", finishReason: FinishReason): Answer;
  #close(outcome: "error" | "canceled", finishReason: FinishReason | undefined, error?: BenchtopError): Answer;
  #close(outcome: "success" | "error" | "canceled", reason: FinishReason | undefined, error?: BenchtopError): Answer {
    const message = this.#message(outcome === "success" ? this.#toolCalls : []);
    const finishReason = reason === "stop" && message.toolCalls ? "tool-calls" : reason;
    const usage = this.#usage ?? (outcome === "success" || this.#characters > 0 ? this.#estimate(message) : undefined);
    const { prices } = this.#config;
    this.#run.write({
      type: "ProviderCallFinished",
      callId: this.#callId,
      outcome,
      message,
      ...(finishReason !== undefined && { finishReason }),
      ...(usage && { usage }),
      ...(usage && prices && { costMicros: costMicrosOf(usage, prices) }),
      ...(this.#responseId !== undefined && { responseId: this.#responseId }),
      ...(error && { error: { message: error.message, ...error.info } }),
      ...(this.#firstTokenMs !== undefined && { firstTokenMs: this.#firstTokenMs }),
      durationMs: round(performance.now() - this.#startedAt),
      spanId: this.#spanId,
    });
    return { message, finishReason: finishReason ?? "other" };
  }

  /** Tool calls of a call that failed were never made, so they are not part of what it leaves. */
  #message(toolCalls: readonly ToolCall[]): AssistantMessage {
    const { text, reasoning, refusal } = this.#said;
    return {
      role: "assistant",
      content: text,
      ...(reasoning !== "" && { reasoning }),
      ...(refusal !== "" && { refusal }),
      ...(toolCalls.length > 0 && { toolCalls: [...toolCalls] }),
      ...(this.#continuation && { continuation: this.#continuation }),
    };
  }

  #estimate(message: AssistantMessage): Usage {
    const { messages, tools } = this.#prompt;
    const prompt = messages.reduce((sum, message) => sum + estimateMessageTokens(message), 0);
    const { text, reasoning, refusal } = this.#said;
    const calls = message.toolCalls ? estimateTokens(JSON.stringify(message.toolCalls)) : 0;
    return {
      inputTokens: prompt + (tools.length > 0 ? estimateTokens(JSON.stringify(tools)) : 0),
      outputTokens: estimateTokens(text) + estimateTokens(reasoning) + estimateTokens(refusal) + calls,
      estimated: true,
    };
  }
}

/** Ids from providers may be missing or repeated; within a run each is unique. */
function toolCallOf(part: Extract<ProviderPart, { type: "tool-call" }>, seen: Set<string>): ToolCall {
  const callId =
    part.callId !== undefined && part.callId !== "" && !seen.has(part.callId) ? part.callId : newId("call");
  seen.add(callId);
  const { name, arguments: text } = part;
  if (text.trim() === "") return { callId, name, arguments: {} };
  const input = parsed(text);
  return input === undefined
    ? { callId, name, arguments: null, invalidArguments: text }
    : { callId, name, arguments: input };
}

function parsed(text: string): Json | undefined {
  if (!isShallow(text)) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** Deeper values can be parsed, but then overflow the stack of whoever writes them down. */
const deepestNesting = 500;

function isShallow(text: string): boolean {
  let depth = 0;
  for (const bracket of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gs)) {
    if (bracket[0] === "[" || bracket[0] === "{") depth += 1;
    else if (bracket[0] === "]" || bracket[0] === "}") depth -= 1;
    if (depth > deepestNesting) return false;
  }
  return true;
}
