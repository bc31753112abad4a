import {
  BenchtopError,
  newId,
  newSpanId,
  type AssistantMessage,
  type Continuation,
  type EventInput,
  type FinishReason,
  type Message,
  type ToolCall,
  type Usage,
} from "@benchtop/protocol";
import { estimateMessageTokens, estimateTokens } from "../context/estimate.ts";
import type { Candidate } from "../model/candidates.ts";
import { costMicrosOf } from "../model/cost.ts";
import { parseModelJson } from "../provider/model-json.ts";
import type { OutputSchema, ProviderPart, ProviderRequest } from "../provider/provider.ts";
import { requestIdentity, type RequestIdentity } from "../provider/request-hash.ts";
import { CallTimeouts } from "../reliability/call-timeouts.ts";
import type { Timeouts } from "../reliability/policy.ts";
import type { AskedCall, Past } from "../replay/past.ts";
import type { ToolSpec } from "../tools/tool.ts";
import type { RunScope } from "./scope.ts";
import { round } from "./totals.ts";

export interface Answer {
  readonly callId: string;
  readonly message: AssistantMessage;
  readonly finishReason: FinishReason;
  /** As reported, or estimated where the provider reports none. */
  readonly usage?: Usage;
}

/** One try to get an answer: who is asked, how often before, and how much it may cost. */
export interface Attempt {
  readonly candidate: Candidate;
  /** From 1. */
  readonly attempt: number;
  /** Output tokens that the budget has left; infinite when nothing limits them. */
  readonly tokensLeft: number;
}

/** What is asked. */
export interface Prompt {
  readonly messages: readonly Message[];
  readonly tools: readonly ToolSpec[];
  /** Ids of the tool calls that the run has seen; those of this call are added. */
  readonly callIds: Set<string>;
  readonly purpose?: EventInput<"ProviderCallStarted">["purpose"];
  readonly output?: OutputSchema;
  readonly maxOutputTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly reasoningEffort?: ProviderRequest["reasoningEffort"];
  readonly timeouts: Timeouts;
  readonly screen?: Screen;
  /** Reads the bytes of an attachment that is named by its hash. */
  readonly readAttachment?: (sha256: string) => Promise<Uint8Array>;
}

/** Judges what a model said before the call is closed; gives the text to keep in its place, nothing where it passes as it is, or throws. */
export interface Screen {
  /** No text may be seen before it was judged. */
  readonly holdsText: boolean;
  judge(message: AssistantMessage): Promise<string | undefined>;
}

/** How a call ended. A failure is a value here, since whoever made the call decides what comes of it. */
export type CallOutcome = { readonly answer: Answer } | { readonly callId: string; readonly error: BenchtopError };

/**
 * One provider call: journaled before a byte is sent, each delta as it comes, and closed with the whole message, or with
 * what had arrived when it failed or was canceled. What the journal holds already is not asked again.
 */
export async function callProvider(run: RunScope, attempt: Attempt, prompt: Prompt): Promise<CallOutcome> {
  const request = requestOf(attempt, prompt);
  const call = new OpenCall(run, attempt, request, prompt);
  if (run.past) return call.replay(run.past);
  await call.start();
  const timeouts = new CallTimeouts(prompt.timeouts, run.signal);
  try {
    const sent = await withAttachments(request, prompt.readAttachment);
    for await (const parts of attempt.candidate.provider.stream(sent, timeouts.signal)) {
      timeouts.heard(parts.length > 0);
      call.receive(parts);
      if (call.isOverLimit) return call.cut();
      if (run.pending > highWaterMark) await run.committed();
    }
    timeouts.stop();
    return await call.finish();
  } catch (thrown) {
    return call.fail(thrown, timeouts);
  } finally {
    timeouts.stop();
  }
}

/** Uncommitted text, in UTF-16 units, above which the loop lets the journal catch up before it reads on. */
const highWaterMark = 256 * 1024;

/** Below this many tokens left, the provider is told how many it may use; above, its own limit is the smaller one or the loop stops it. */
const tellLimitBelow = 8192;

/** No tokenizer averages more characters a token over a long text; past it a call is certainly over its limit. */
const mostCharactersPerToken = 8;

function requestOf({ candidate, tokensLeft }: Attempt, prompt: Prompt): ProviderRequest {
  const { messages, tools, maxOutputTokens = Number.POSITIVE_INFINITY } = prompt;
  const { temperature, topP, seed, reasoningEffort, output } = prompt;
  const wanted = Math.min(maxOutputTokens, tokensLeft < tellLimitBelow ? tokensLeft : Number.POSITIVE_INFINITY);
  // Who is asked for more than it can give refuses; who is asked for nothing in particular has a limit of its own.
  const limit = Number.isFinite(wanted) ? Math.min(wanted, candidate.maxOutputTokens ?? wanted) : wanted;
  return {
    modelId: candidate.modelId,
    messages,
    ...(tools.length > 0 && { tools }),
    ...(Number.isFinite(limit) && { maxOutputTokens: limit }),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { topP }),
    ...(seed !== undefined && { seed }),
    ...(reasoningEffort !== undefined && { reasoningEffort }),
    ...(output && { output }),
  };
}

/** The request with every attachment's bytes in it. They are not part of its hash: their own hash is. */
async function withAttachments(request: ProviderRequest, read: Prompt["readAttachment"]): Promise<ProviderRequest> {
  if (!read || !request.messages.some((message) => message.role === "user" && message.attachments)) return request;
  const messages = request.messages.map(async (message) => {
    if (message.role !== "user" || !message.attachments) return message;
    const attachments = message.attachments.map(async (attachment) => {
      if (attachment.data !== undefined || attachment.sha256 === undefined) return attachment;
      return { ...attachment, data: Buffer.from(await read(attachment.sha256)).toString("base64") };
    });
    return { ...message, attachments: await Promise.all(attachments) };
  });
  return { ...request, messages: await Promise.all(messages) };
}

/** A provider call between its two events. */
class OpenCall {
  readonly #run: RunScope;
  readonly #attempt: Attempt;
  readonly #request: ProviderRequest;
  readonly #prompt: Prompt;
  readonly #callId = newId("call");
  readonly #spanId = newSpanId();
  readonly #startedAt = performance.now();
  readonly #toolCalls: ToolCall[] = [];
  #identity: RequestIdentity | undefined;
  #judged = false;
  #said = { text: "", reasoning: "", refusal: "" };
  #characters = 0;
  #firstTokenMs: number | undefined;
  #usage: Usage | undefined;
  #continuation: Continuation | undefined;
  #responseId: string | undefined;
  #finishReason: FinishReason | undefined;

  constructor(run: RunScope, attempt: Attempt, request: ProviderRequest, prompt: Prompt) {
    this.#run = run;
    this.#attempt = attempt;
    this.#request = request;
    this.#prompt = prompt;
  }

  async start(): Promise<void> {
    await this.#run.emit({
      type: "ProviderCallStarted",
      callId: this.#callId,
      ...this.#asked(),
      messageCount: this.#request.messages.length,
      spanId: this.#spanId,
    });
  }

  /** What came of this call when it was made. */
  replay(past: Past): CallOutcome {
    const { callId, outcome, message, finishReason = "other", usage, error } = past.takeProviderCall(this.#asked());
    if (outcome === "success" || !error) {
      const said = message ?? this.#message([]);
      for (const call of said.toolCalls ?? []) this.#prompt.callIds.add(call.callId);
      return { answer: { callId, message: said, finishReason, ...(usage && { usage }) } };
    }
    return { callId, error: BenchtopError.of(error) };
  }

  get isOverLimit(): boolean {
    return this.#characters > this.#attempt.tokensLeft * mostCharactersPerToken;
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

  async finish(): Promise<CallOutcome> {
    if (this.#finishReason === undefined) {
      throw new BenchtopError("PROVIDER_UNAVAILABLE", "The provider ended its answer early.");
    }
    const { screen } = this.#prompt;
    if (screen) this.#pass(await screen.judge(this.#message(this.#toolCalls)), screen);
    return this.#close("success", this.#finishReason);
  }

  /** Ends a call that is certainly over what the budget has left; its estimated usage then fails the budget's check. */
  cut(): CallOutcome {
    this.#withhold();
    return this.#close("canceled", "length");
  }

  /** Closes the call with what had arrived. */
  fail(thrown: unknown, timeouts: CallTimeouts): CallOutcome {
    const timedOut = timeouts.timedOut(this.#callId);
    if (timedOut) this.#run.write({ ...timedOut, spanId: this.#spanId });
    const { provider, modelId } = this.#attempt.candidate;
    const failure = timedOut && !this.#run.signal.aborted ? timeouts.signal.reason : thrown;
    const error = BenchtopError.from(failure).at({ providerId: provider.id, modelId });
    this.#withhold();
    return this.#close(error.code === "USER_CANCELED" ? "canceled" : "error", this.#finishReason, error);
  }

  #asked(): AskedCall {
    const { candidate, attempt } = this.#attempt;
    const { purpose } = this.#prompt;
    return {
      providerId: candidate.provider.id,
      modelId: candidate.modelId,
      attempt,
      ...(this.#identity ??= requestIdentity(this.#request)),
      ...(purpose && { purpose }),
    };
  }

  #receiveText(channel: "text" | "reasoning" | "refusal", text: string): void {
    this.#firstTokenMs ??= round(performance.now() - this.#startedAt);
    this.#said[channel] += text;
    this.#characters += text.length;
    if (!this.#prompt.screen?.holdsText) this.#writeText(channel, text);
  }

  #writeText(channel: "text" | "reasoning" | "refusal", text: string): void {
    this.#run.write({ type: "OutputDelta", callId: this.#callId, channel, text, spanId: this.#spanId });
  }

  /**
   * A redacted text takes the place of all that was said (what was thought may hold what had to go, though the text does not),
   * and what passed is seen now where it was held back.
   */
  #pass(redacted: string | undefined, { holdsText }: Screen): void {
    if (redacted !== undefined) {
      this.#said = { text: redacted, reasoning: "", refusal: "" };
      this.#continuation = undefined;
    }
    if (!holdsText) return;
    for (const channel of ["reasoning", "refusal", "text"] as const) {
      if (this.#said[channel] !== "") this.#writeText(channel, this.#said[channel]);
    }
    this.#judged = true;
  }

  /** What was held back and never judged is not kept. */
  #withhold(): void {
    if (!this.#prompt.screen?.holdsText || this.#judged) return;
    this.#said = { text: "", reasoning: "", refusal: "" };
    this.#continuation = undefined;
  }

  #close(
    outcome: "success" | "error" | "canceled",
    reason: FinishReason | undefined,
    error?: BenchtopError,
  ): CallOutcome {
    const message = this.#message(outcome === "success" ? this.#toolCalls : []);
    const finishReason = reason === "stop" && message.toolCalls ? "tool-calls" : reason;
    const usage = this.#usage ?? (outcome === "success" || this.#characters > 0 ? this.#estimate(message) : undefined);
    const { prices } = this.#attempt.candidate;
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
    const callId = this.#callId;
    if (error) return { callId, error };
    return { answer: { callId, message, finishReason: finishReason ?? "other", ...(usage && { usage }) } };
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
  const input = parseModelJson(text);
  return input === undefined
    ? { callId, name, arguments: null, invalidArguments: text }
    : { callId, name, arguments: input };
}
