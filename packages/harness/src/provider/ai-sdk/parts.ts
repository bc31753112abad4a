import { BenchtopError, type FinishReason, type Usage } from "@benchtop/protocol";
import type { FailureContext } from "../../errors/provider-failure.ts";
import { continuationOf, type Block, type Origin, type Place } from "../continuation.ts";
import { endedEarly, KeptText, pushText, stringOf, usageOf } from "../event-reader.ts";
import type { ProviderPart } from "../provider.ts";
import { failureOfAiSdk } from "./failure.ts";
import type { AiSdkPart } from "./language-model.ts";

/** A text or a piece of reasoning, while it comes in. */
interface Passage {
  readonly kind: "text" | "reasoning";
  text: string;
  length: number;
  metadata: Block | undefined;
}

interface Call {
  readonly kind: "call";
  readonly metadata: Block | undefined;
}

/** Reads the stream of one call. */
export class AiSdkReader {
  readonly #context: FailureContext;
  readonly #origin: Origin;
  readonly #signal: AbortSignal;
  readonly #kept: KeptText;
  readonly #entries: (Passage | Call)[] = [];
  readonly #open = new Map<string, Passage>();
  readonly #calls: ProviderPart[] = [];
  #responseId: string | undefined;
  #usage: Usage | undefined;
  #finish: FinishReason | undefined;

  constructor(origin: Origin, context: FailureContext, signal: AbortSignal) {
    this.#origin = origin;
    this.#context = context;
    this.#signal = signal;
    this.#kept = new KeptText(context);
  }

  get isDone(): boolean {
    return this.#finish !== undefined;
  }

  /** Adds what a part says. Throws the error that it reports. */
  read(part: AiSdkPart, parts: ProviderPart[]): void {
    switch (part.type) {
      case "text-start":
      case "text-delta":
      case "text-end":
        return this.#readPassage("text", part, parts);
      case "reasoning-start":
      case "reasoning-delta":
      case "reasoning-end":
        return this.#readPassage("reasoning", part, parts);
      case "tool-call":
        return this.#readCall(part);
      case "response-metadata":
        this.#responseId ??= stringOf(part.id) || undefined;
        return;
      case "error":
        throw failureOfAiSdk(part.error, this.#signal, true, this.#context);
      case "finish":
        this.#usage = usageIn(part.usage);
        this.#finish = this.#finishOf(part.finishReason);
        return;
      default:
    }
  }

  end(parts: ProviderPart[]): void {
    if (this.#finish === undefined) throw endedEarly(this.#context);
    parts.push(...this.#calls);
    if (this.#entries.some(({ metadata }) => metadata)) {
      const places = this.#entries.flatMap(placesOf);
      parts.push({ type: "continuation", continuation: continuationOf(this.#origin, places) });
    }
    if (this.#responseId !== undefined) parts.push({ type: "response", responseId: this.#responseId });
    if (this.#usage) parts.push({ type: "usage", usage: this.#usage });
    const reason = this.#finish === "stop" && this.#calls.length > 0 ? "tool-calls" : this.#finish;
    parts.push({ type: "finish", reason });
  }

  #readPassage(kind: "text" | "reasoning", { type, id, delta, ...part }: AiSdkPart, parts: ProviderPart[]): void {
    const key = `${kind} ${String(id)}`;
    let passage = type.endsWith("-start") ? undefined : this.#open.get(key);
    if (!passage) {
      passage = { kind, text: "", length: 0, metadata: undefined };
      this.#open.set(key, passage);
      this.#entries.push(passage);
    }
    passage.metadata = metadataOf(part.providerMetadata) ?? passage.metadata;
    const text = stringOf(delta);
    if (text === "") return;
    passage.length += text.length;
    if (kind === "reasoning") passage.text += this.#kept.add(text);
    pushText(parts, kind, text);
  }

  /** What a provider executed itself is part of its answer, not a call of ours. */
  #readCall({ toolCallId, toolName, input, providerExecuted, providerMetadata }: AiSdkPart): void {
    if (providerExecuted === true) return;
    const text = typeof input === "string" ? input : JSON.stringify(input ?? {});
    const callId = stringOf(toolCallId);
    this.#entries.push({ kind: "call", metadata: metadataOf(providerMetadata) });
    this.#calls.push({
      type: "tool-call",
      ...(callId !== "" && { callId }),
      name: stringOf(toolName),
      arguments: this.#kept.add(text),
    });
  }

  /** A model whose provider gave no reason was cut off: the SDK then says `other` (v2: `unknown`) by itself. */
  #finishOf(reason: unknown): FinishReason {
    const { unified, raw } = (
      typeof reason === "object" && reason !== null ? reason : { unified: reason, raw: "" }
    ) as {
      readonly unified?: unknown;
      readonly raw?: unknown;
    };
    const isCut = unified === "unknown" || unified === "interrupted" || (unified === "other" && raw === undefined);
    if (isCut) throw endedEarly(this.#context);
    if (unified === "error") {
      throw new BenchtopError("PROVIDER_UNAVAILABLE", `${this.#context.providerId} could not finish its answer.`);
    }
    return finishReasons.find((known) => known === unified) ?? "other";
  }
}

const finishReasons: readonly FinishReason[] = ["stop", "length", "content-filter", "tool-calls", "other"];

function placesOf(entry: Passage | Call): Place[] {
  const extra = entry.metadata && { extra: entry.metadata };
  if (entry.kind === "call") return [{ kind: "call", ...extra }];
  if (entry.kind === "text") return [{ kind: "text", length: entry.length, ...extra }];
  if (!entry.metadata) return [];
  return [{ kind: "block", block: { type: "reasoning", text: entry.text, providerOptions: entry.metadata } }];
}

/** Metadata is JSON by specification; a value that is not is left out. */
function metadataOf(metadata: unknown): Block | undefined {
  if (typeof metadata !== "object" || metadata === null || Object.keys(metadata).length === 0) return undefined;
  return JSON.parse(JSON.stringify(metadata)) as Block;
}

/** Flat numbers in v2, `{ total, … }` since v3. */
function usageIn(usage: unknown): Usage | undefined {
  const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens } = (usage ?? {}) as Record<string, unknown>;
  const input = detailsOf(inputTokens);
  const output = detailsOf(outputTokens);
  return usageOf(input["total"], output["total"], {
    cached: input["cacheRead"] ?? cachedInputTokens,
    cacheWrite: input["cacheWrite"],
    reasoning: output["reasoning"] ?? reasoningTokens,
  });
}

function detailsOf(count: unknown): Readonly<Record<string, unknown>> {
  return typeof count === "object" && count !== null ? (count as Readonly<Record<string, unknown>>) : { total: count };
}
