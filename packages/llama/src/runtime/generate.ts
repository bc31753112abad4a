import { randomInt } from "node:crypto";
import type { FinishReason } from "@benchtop/protocol";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { LlamaGrammar, LLamaChatGenerateResponseOptions, Token } from "node-llama-cpp";
import { answerGrammar } from "./answer-grammar.ts";
import { AnswerRecorder } from "./answer-recorder.ts";
import { refused } from "./check-request.ts";
import type { LlamaChatRequest, LlamaCompletionRequest, SamplingOptions } from "./llama-model.ts";
import type { LoadedModel } from "./load.ts";
import type { PartOutbox } from "./part-outbox.ts";
import { chatPrompt, textPrompt, type Prompt } from "./prompt.ts";
import { usableTokens, type SteeredSequence, type Steering } from "./steered-sequence.ts";

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
  const { loaded, onProgress } = place;
  const { prompt, maxOutputTokens = Infinity, confidence = false } = generation;
  if (prompt.tokens.length > usableTokens(loaded.facts.contextTokens)) throw exhausted(loaded, prompt.tokens.length);
  const sequence = bestSequence(place.sequences, prompt.tokens);
  outbox.begin();
  const recorder = new AnswerRecorder(outbox, confidence, (token) => loaded.model.isEogToken(token));
  const steering: Steering = {
    signal,
    maxOutputTokens,
    confidence,
    onPrompt: (tokens, held) => recorder.prompt(tokens, held),
    onProgress,
    onToken: (token, confidence) => recorder.token(token, confidence),
  };
  const reason = await sequence.use(steering, () => answer(loaded, sequence, generation, recorder, signal));
  recorder.finish(sequence.limited ? "length" : reason);
}

async function answer(
  loaded: LoadedModel,
  sequence: SteeredSequence,
  generation: Generation,
  recorder: AnswerRecorder,
  signal: AbortSignal,
): Promise<FinishReason> {
  const { prompt, grammar, stop = [] } = generation;
  // Ends the answer from within: nothing of a conversation is left out silently, and nothing is said without end.
  const inner = new AbortController();
  let overflowed = false;
  const chat = new loaded.library.LlamaChat({ contextSequence: sequence.sequence, chatWrapper: prompt.wrapper });
  try {
    const { metadata } = await chat.generateResponse(prompt.history, {
      ...samplingOf(loaded, generation),
      signal: AbortSignal.any([signal, inner.signal]),
      onResponseChunk: (chunk) => recorder.chunk(chunk),
      contextShift: {
        strategy: () => {
          overflowed = true;
          inner.abort();
          return { chatHistory: [{ type: "model", response: [] }], metadata: null };
        },
      },
      ...(stop.length > 0 && { customStopTriggers: stop.map((text) => [text]) }),
      ...(prompt.functions
        ? {
            functions: prompt.functions,
            maxParallelFunctionCalls: maxToolCalls,
            onFunctionCall: ({ functionName, params }: { functionName: string; params: unknown }) => {
              if (!recorder.call(functionName, params)) inner.abort();
            },
          }
        : grammar && { grammar }),
    });
    return metadata.stopReason === "functionCalls" ? "tool-calls" : "stop";
  } catch (error) {
    signal.throwIfAborted();
    if (overflowed && recorder.saidNothing) throw exhausted(loaded, recorder.inputTokens);
    // Within a call `LlamaChat` knows no end but that of the call, and at the end of the context none at all.
    if (sequence.limited || inner.signal.aborted) return recorder.called ? "tool-calls" : "length";
    await sequence.sequence.clearHistory();
    throw error;
  } finally {
    chat.dispose({ disposeSequence: false });
  }
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
