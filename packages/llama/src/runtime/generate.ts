import { randomBytes, randomInt } from "node:crypto";
import { BenchtopError, type FinishReason } from "@benchtop/protocol";
import type { LlamaChatResponseChunk, LlamaGrammar, LLamaChatGenerateResponseOptions, Token } from "node-llama-cpp";
import { answerGrammar } from "./answer-grammar.ts";
import { refused } from "./check-request.ts";
import type { LlamaChatRequest, LlamaCompletionRequest, SamplingOptions } from "./llama-model.ts";
import type { LoadedModel } from "./load.ts";
import type { PartOutbox } from "./part-outbox.ts";
import { chatPrompt, textPrompt, type Prompt } from "./prompt.ts";
import { usableTokens, type SteeredSequence } from "./steered-sequence.ts";
import { TokenConfidences } from "./token-confidences.ts";

/** Where a generation happens. */
export interface Place {
  readonly loaded: LoadedModel;
  readonly sequences: readonly SteeredSequence[];
  readonly onProgress: (tokens: number) => void;
}

export async function chat(
  place: Place,
  request: LlamaChatRequest,
  outbox: PartOutbox,
  signal: AbortSignal,
): Promise<void> {
  const { loaded } = place;
  const text = request.grammar ?? (request.schema === undefined ? undefined : answerGrammar(request.schema));
  const grammar = text === undefined ? undefined : await grammarOf(loaded, text);
  const prompt = chatPrompt(loaded, request);
  await generate(place, { ...request, prompt, grammar }, outbox, signal);
}

export async function complete(
  place: Place,
  request: LlamaCompletionRequest,
  outbox: PartOutbox,
  signal: AbortSignal,
): Promise<void> {
  const { loaded } = place;
  const grammar = request.grammar === undefined ? undefined : await grammarOf(loaded, request.grammar);
  await generate(place, { ...request, prompt: textPrompt(loaded, request.prompt), grammar }, outbox, signal);
}

interface Generation extends SamplingOptions {
  readonly prompt: Prompt;
  readonly grammar: LlamaGrammar | undefined;
  readonly confidence?: boolean;
}

async function generate(place: Place, generation: Generation, outbox: PartOutbox, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  const { loaded, onProgress } = place;
  const { prompt } = generation;
  if (prompt.tokens.length > usableTokens(loaded.facts.contextTokens)) throw exhausted(loaded, prompt.tokens.length);
  const sequence = bestSequence(place.sequences, prompt.tokens);
  outbox.begin();
  const confidences = generation.confidence ? new TokenConfidences() : undefined;
  const counted = { input: prompt.tokens.length, held: undefined as number | undefined, output: 0, reasoning: 0 };
  // Ends the generation from within: nothing of a conversation is left out silently, and nothing is said without end.
  const inner = new AbortController();
  let firstAt: number | undefined;
  let lastCall: string | undefined;
  const onChunk = (chunk: LlamaChatResponseChunk): void => {
    if (chunk.type === "segment") counted.reasoning += chunk.tokens.length;
    if (chunk.text === "") return;
    const logProbability = confidences?.of(chunk.tokens);
    const type = chunk.type === "segment" ? "reasoning" : "text";
    outbox.add({ type, text: chunk.text, ...(logProbability !== undefined && { logProbability }) });
  };
  const onCall = ({ functionName: name, params }: { functionName: string; params: unknown }): void => {
    const call = { name, arguments: JSON.stringify(params ?? {}) };
    // Small models that do not know when to end a turn write the same call again and again.
    if (JSON.stringify(call) === lastCall) {
      inner.abort();
      return;
    }
    lastCall = JSON.stringify(call);
    outbox.add({ type: "tool-call", callId: `call_${randomBytes(9).toString("base64url")}`, ...call });
  };
  const steering = {
    signal,
    maxOutputTokens: generation.maxOutputTokens ?? Infinity,
    confidence: confidences !== undefined,
    onPrompt: (tokens: number, held: number): void => {
      if (counted.held !== undefined) return;
      counted.input = tokens;
      counted.held = held;
    },
    onProgress,
    onToken: (token: Token, confidence: number | undefined): void => {
      firstAt ??= performance.now();
      if (!loaded.model.isEogToken(token)) counted.output += 1;
      confidences?.add(token, confidence);
    },
  };
  const finish = await sequence.use(steering, async (): Promise<FinishReason> => {
    const chat = new loaded.library.LlamaChat({ contextSequence: sequence.sequence, chatWrapper: prompt.wrapper });
    try {
      const { metadata } = await chat.generateResponse(prompt.history, {
        ...samplingOf(loaded, generation),
        signal: AbortSignal.any([signal, inner.signal]),
        onResponseChunk: onChunk,
        contextShift: {
          strategy: () => {
            inner.abort();
            return { chatHistory: [{ type: "model", response: [] }], metadata: null };
          },
        },
        ...(generation.stop?.length && { customStopTriggers: generation.stop.map((stop) => [stop]) }),
        ...(prompt.functions
          ? { functions: prompt.functions, onFunctionCall: onCall, maxParallelFunctionCalls: maxToolCalls }
          : generation.grammar && { grammar: generation.grammar }),
      });
      return metadata.stopReason === "functionCalls" ? "tool-calls" : "stop";
    } catch (error) {
      signal.throwIfAborted();
      // Within a call `LlamaChat` knows no end but that of the call, and at the end of the context none at all.
      if (sequence.limited || inner.signal.aborted) return lastCall === undefined ? "length" : "tool-calls";
      await sequence.sequence.clearHistory();
      throw error;
    } finally {
      chat.dispose({ disposeSequence: false });
    }
  });
  const ended = performance.now();
  outbox.add(
    {
      type: "usage",
      usage: {
        inputTokens: counted.input,
        outputTokens: counted.output,
        cachedInputTokens: counted.held ?? 0,
        ...(counted.reasoning > 0 && { reasoningTokens: counted.reasoning }),
      },
      promptMs: (firstAt ?? ended) - started,
      outputMs: ended - (firstAt ?? ended),
    },
    { type: "finish", reason: sequence.limited ? "length" : finish },
  );
}

/** Of one answer. */
const maxToolCalls = 32;

/** The free sequence that holds most of the prompt from earlier; of equals, the one that has waited longest. */
function bestSequence(sequences: readonly SteeredSequence[], tokens: readonly Token[]): SteeredSequence {
  const [best] = sequences
    .filter((each) => !each.busy)
    .map((each) => ({ each, held: each.sequence.compareContextTokens([...tokens]).firstDifferentIndex }))
    .toSorted((one, other) => other.held - one.held || one.each.usedAt - other.each.usedAt);
  if (!best) throw new Error("There are more generations than sequences.");
  return best.each;
}

/** Read by llama.cpp, which does not say what is wrong: it prints it. */
async function grammarOf({ llama }: LoadedModel, grammar: string): Promise<LlamaGrammar> {
  try {
    return await llama.createGrammar({ grammar });
  } catch {
    throw refused(
      "llama.cpp cannot read this grammar. Check that every rule is defined, and that none begins with itself.",
    );
  }
}

/** What was not told is what the file of the model recommends, else what llama.cpp's own server does. */
function samplingOf(
  { header }: LoadedModel,
  asked: SamplingOptions,
): Pick<LLamaChatGenerateResponseOptions, "temperature" | "topK" | "topP" | "minP" | "seed" | "repeatPenalty"> {
  const recommended = (key: string): number | undefined => {
    const value = header.metadata.get(`general.sampling.${key}`);
    return typeof value === "number" && value >= 0 ? value : undefined;
  };
  const penalty = asked.repeatPenalty ?? recommended("penalty_repeat") ?? 1;
  return {
    temperature: asked.temperature ?? recommended("temp") ?? 0.8,
    topK: asked.topK ?? recommended("top_k") ?? 40,
    topP: asked.topP ?? recommended("top_p") ?? 0.95,
    minP: asked.minP ?? recommended("min_p") ?? 0.05,
    seed: asked.seed ?? randomInt(2 ** 32),
    repeatPenalty: penalty === 1 ? false : { penalty, penalizeNewLine: true },
  };
}

function exhausted({ facts }: LoadedModel, promptTokens: number): BenchtopError {
  const { contextTokens } = facts;
  return new BenchtopError(
    "CONTEXT_EXHAUSTED",
    `The prompt has ${promptTokens} tokens; this model was loaded with a context of ${contextTokens}. Shorten the conversation, or load the model with a larger context.`,
    { detail: { promptTokens, contextTokens } },
  );
}
