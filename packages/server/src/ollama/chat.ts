import type { InputOf, Operations } from "@benchtop/operations";
import { BenchtopError, type Json, type RunEvent } from "@benchtop/protocol";
import { nanoseconds } from "./embed.ts";
import type { Exchange } from "./endpoint.ts";
import { modelRef } from "./names.ts";
import type { ChatRequest, GenerateRequest, OllamaMessage } from "./requests.ts";

type Chat = InputOf<Operations["runs.chat"]>;

/** What is said in one line of an answer: of `/api/chat` a message, of `/api/generate` the text itself. */
interface Said {
  readonly text: string;
  readonly thinking?: string;
  readonly calls?: readonly { readonly name: string; readonly arguments: Json }[];
}

/** `/api/chat`: one answer to a conversation, as a run of its own. What the model calls is for the client to do. */
export async function answerChat(exchange: Exchange, request: ChatRequest): Promise<void> {
  const { model, messages, tools, format } = request;
  if (messages.length === 0) return await keep(exchange, request, inMessage);
  await answer(exchange, request, inMessage, {
    model: modelRef(model),
    messages: messages.map(chatMessage),
    ...(tools &&
      tools.length > 0 && {
        tools: tools.map(({ function: { name, description, parameters } }) => ({
          name,
          description,
          inputSchema: parameters,
        })),
      }),
    ...samplingOf(request),
    ...outputOf(format),
  });
}

/** `/api/generate`: the same for one prompt. */
export async function answerGenerate(exchange: Exchange, request: GenerateRequest): Promise<void> {
  const { model, prompt, system, format } = request;
  if (prompt === "") return await keep(exchange, request, inText);
  await answer(exchange, request, inText, {
    model: modelRef(model),
    messages: [
      ...(system === undefined ? [] : [{ role: "system" as const, content: system }]),
      { role: "user", content: prompt },
    ],
    ...samplingOf(request),
    ...outputOf(format),
  });
}

type Spoken = (said: Said) => object;

const inMessage: Spoken = ({ text, thinking, calls }) => ({
  message: {
    role: "assistant",
    content: text,
    ...(thinking !== undefined && { thinking }),
    ...(calls && { tool_calls: calls.map((call) => ({ function: { name: call.name, arguments: call.arguments } })) }),
  },
});

const inText: Spoken = ({ text, thinking }) => ({ response: text, ...(thinking !== undefined && { thinking }) });

/** A request that asks nothing loads the model, or unloads it where it is kept for 0 seconds. */
async function keep({ caller, lines, signal }: Exchange, request: ChatRequest | GenerateRequest, said: Spoken) {
  const name = modelRef(request.model).replace(/^benchtop\//, "");
  const seconds = secondsOf(request.keep_alive);
  const leaves = seconds === 0;
  if (leaves) await caller.call("modelRuntimes.unload", { name }, signal);
  else await caller.call("modelRuntimes.load", loadOf(name, request, seconds), signal);
  const reason = leaves ? "unload" : "load";
  lines.whole({ ...lineOf(request.model), ...said({ text: "" }), done: true, done_reason: reason });
}

async function answer(
  exchange: Exchange,
  request: ChatRequest | GenerateRequest,
  said: Spoken,
  chat: Chat,
): Promise<void> {
  const { caller, lines, signal } = exchange;
  const started = performance.now();
  const seconds = secondsOf(request.keep_alive);
  const name = /^benchtop\/(.+)$/.exec(chat.model)?.[1];
  // Its own context and time to stay come with the model's load; the answer then finds it loaded.
  if (name !== undefined && (request.options?.num_ctx !== undefined || (seconds !== undefined && seconds !== 0))) {
    await caller.call("modelRuntimes.load", loadOf(name, request, seconds), signal);
  }
  const { runId } = await caller.call("runs.chat", chat, signal);
  const heard = new Heard();
  try {
    const { events } = await caller.follow("runs.events", { runId }, signal);
    for await (const batch of events ?? []) {
      for (const { event } of batch) {
        const next = heard.read(event as RunEvent);
        if (next && request.stream) await lines.next({ ...lineOf(request.model), ...said(next), done: false }, signal);
      }
    }
  } finally {
    // Whoever goes away wants no answer any more. An ended run is not touched by it.
    if (!heard.ended)
      await caller.call("runs.abort", { runId, reason: "The client went away." }, new AbortController().signal);
  }
  const totalMs = performance.now() - started;
  const last = {
    ...lineOf(request.model),
    ...said(request.stream ? { text: "" } : heard.whole),
    done: true,
    ...heard.counts(totalMs),
  };
  if (name !== undefined && seconds === 0) await caller.call("modelRuntimes.unload", { name }, signal);
  if (!request.stream) return lines.whole(last);
  await lines.next(last, signal);
  lines.end();
}

/** A run, as far as a client of this protocol is told of it. Throws the error that it ends with. */
class Heard {
  #text = "";
  #thinking = "";
  #calls: Said["calls"];
  #usage = { inputTokens: 0, outputTokens: 0 };
  #firstTokenMs = 0;
  #reason = "stop";
  ended = false;

  read(event: RunEvent): Said | undefined {
    switch (event.type) {
      case "OutputDelta": {
        const { text } = event;
        if (event.channel === "reasoning") {
          this.#thinking += text;
          return { text: "", thinking: text };
        }
        this.#text += text;
        return { text };
      }
      case "ProviderCallFinished": {
        this.#firstTokenMs = event.firstTokenMs ?? 0;
        this.#reason = event.finishReason === "length" ? "length" : "stop";
        const { toolCalls = [] } = event.message ?? {};
        if (toolCalls.length === 0 || event.outcome !== "success") return undefined;
        this.#calls = toolCalls.map((call) => ({ name: call.name, arguments: call.arguments }));
        return { text: "", calls: this.#calls };
      }
      case "Completed":
        this.ended = true;
        this.#usage = event.totals.usage;
        return undefined;
      case "Error":
        this.ended = true;
        throw BenchtopError.of(event.error);
      default:
        return undefined;
    }
  }

  get whole(): Said {
    return {
      text: this.#text,
      ...(this.#thinking !== "" && { thinking: this.#thinking }),
      ...(this.#calls && { calls: this.#calls }),
    };
  }

  counts(totalMs: number): object {
    return {
      done_reason: this.#reason,
      total_duration: nanoseconds(totalMs),
      load_duration: 0,
      prompt_eval_count: this.#usage.inputTokens,
      prompt_eval_duration: nanoseconds(this.#firstTokenMs),
      eval_count: this.#usage.outputTokens,
      eval_duration: nanoseconds(Math.max(0, totalMs - this.#firstTokenMs)),
    };
  }
}

function lineOf(model: string): object {
  return { model, created_at: new Date().toISOString() };
}

function chatMessage(message: OllamaMessage, index: number): Chat["messages"][number] {
  const { role, content, tool_calls: calls, tool_call_id: callId, tool_name: toolName, name } = message;
  const called = toolName ?? name;
  return {
    role,
    content,
    ...(calls &&
      calls.length > 0 && {
        toolCalls: calls.map((call, each) => ({
          callId: call.id ?? `call_${index}_${each}`,
          name: call.function.name,
          arguments: call.function.arguments,
        })),
      }),
    ...(callId !== undefined && { callId }),
    ...(called !== undefined && { name: called }),
  };
}

function samplingOf({ options = {} }: ChatRequest | GenerateRequest): Pick<Chat, "sampling"> {
  const { temperature, top_p: topP, seed, num_predict: most } = options;
  return {
    sampling: {
      ...(temperature !== undefined && { temperature }),
      ...(topP !== undefined && { topP }),
      ...(seed !== undefined && seed >= 0 && { seed }),
      ...(most !== undefined && most > 0 && { maxOutputTokens: most }),
    },
  };
}

function outputOf(format: ChatRequest["format"]): Pick<Chat, "output"> {
  if (format === undefined || format === "") return {};
  return { output: { name: "answer", schema: format === "json" ? { type: "object" } : format } };
}

function loadOf(name: string, { options }: ChatRequest | GenerateRequest, seconds: number | null | undefined) {
  return {
    name,
    ...(options?.num_ctx !== undefined && { contextTokens: options.num_ctx }),
    ...(seconds !== undefined && { keepAliveSeconds: seconds }),
  };
}

/** Undefined where nothing is said; null for ever. */
function secondsOf(keepAlive: ChatRequest["keep_alive"]): number | null | undefined {
  if (keepAlive === undefined) return undefined;
  if (typeof keepAlive === "number") return keepAlive < 0 ? null : Math.round(keepAlive);
  const [, amount, unit] = /^(-?\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(keepAlive.trim()) ?? [];
  if (amount === undefined) {
    throw new BenchtopError("VALIDATION_FAILED", "keep_alive is a number of seconds, or a duration such as 5m.", {
      phase: "run",
      detail: { fields: ["keep_alive"] },
    });
  }
  const factor = { ms: 0.001, s: 1, m: 60, h: 3600 }[unit ?? "s"] ?? 1;
  return Number(amount) < 0 ? null : Math.round(Number(amount) * factor);
}
