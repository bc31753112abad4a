import { createHash } from "node:crypto";
import { estimateTokens } from "@benchtop/harness";
import { BenchtopError } from "@benchtop/protocol";
import { defaultLimits, type EmbeddingBackend, type EmbeddingLimits, type MadeVectors } from "./backend.ts";
import type { EmbeddingCache } from "./cache.ts";
import { checkVectors, normalized as withLengthOne } from "./vector.ts";

export interface EmbedOptions {
  /** To length 1, as comparing by cosine wants it. True unless told. */
  readonly normalized?: boolean;
  /** Whose texts they are: vectors that were made for one are not given to another. */
  readonly scope?: string;
}

export interface Embedded {
  /** One a text, in order. The same text has the same array: they are not to be changed. */
  readonly vectors: readonly Float32Array[];
  readonly dimensions: number;
  readonly normalized: boolean;
  /** Of what was asked now; estimated where the backend does not count. */
  readonly inputTokens: number;
  /** Texts whose vectors were kept from before. */
  readonly cached: number;
}

/** Turns texts into vectors: each text once, in requests of a size that the backend takes, and not at all where its vector was kept. */
export class Embeddings {
  readonly #cache: EmbeddingCache | undefined;

  constructor({ cache }: { readonly cache?: EmbeddingCache } = {}) {
    this.#cache = cache;
  }

  /**
   * Throws `VALIDATION_FAILED` for a text that is empty, `CONTEXT_EXHAUSTED` for one that is too long, what the backend throws,
   * and `PROVIDER_UNAVAILABLE`, not retryable, for vectors that cannot be used. All or none.
   */
  async embed(
    backend: EmbeddingBackend,
    texts: readonly string[],
    options: EmbedOptions,
    signal: AbortSignal,
  ): Promise<Embedded> {
    signal.throwIfAborted();
    const { normalized = true, scope = "" } = options;
    const limits = { ...defaultLimits, ...backend.limits };
    checkTexts(backend, texts, limits);
    const different = [...new Set(texts)];
    const revision = this.#cache && (await backend.revision(signal));
    const keyOf = (text: string): string => keyFor(backend, { revision, normalized, scope, text });
    const kept =
      revision === undefined
        ? new Map<string, Float32Array>()
        : ((await this.#cache?.get(different.map(keyOf))) ?? new Map());
    const vectors = new Map<string, Float32Array>();
    for (const text of different) {
      const vector = kept.get(keyOf(text));
      if (vector && vector.length === (backend.dimensions ?? vector.length)) vectors.set(text, vector);
    }
    const cached = texts.filter((text) => vectors.has(text)).length;

    const missing = different.filter((text) => !vectors.has(text));
    const made = await makeAll(backend, batchesOf(missing, limits), limits.requests, signal);
    const dimensions = backend.dimensions ?? vectors.values().next().value?.length ?? made[0]?.vectors[0]?.length;
    const fresh = new Map<string, Float32Array>();
    for (const { texts: some, vectors: given } of made) {
      checkVectors(backend, given, { count: some.length, dimensions });
      for (const [index, text] of some.entries()) {
        const vector = given[index] ?? new Float32Array();
        fresh.set(text, normalized && !backend.normalized ? withLengthOne(vector) : vector);
      }
    }
    for (const [text, vector] of fresh) vectors.set(text, vector);
    // A model that was exchanged in between made other vectors than the key would say.
    const isOfRevision = made.every((answer) => answer.revision === undefined || answer.revision === revision);
    if (revision !== undefined && isOfRevision && fresh.size > 0) {
      await this.#cache?.put(new Map([...fresh].map(([text, vector]) => [keyOf(text), vector])));
    }
    return {
      vectors: texts.map((text) => vectors.get(text) ?? new Float32Array()),
      dimensions: dimensions ?? 0,
      normalized: normalized || backend.normalized,
      inputTokens: made.reduce((sum, { texts: some, inputTokens }) => sum + (inputTokens ?? estimated(some)), 0),
      cached,
    };
  }
}

interface Batch {
  readonly texts: readonly string[];
}

/** Asks for batches, several at a time. When one fails the others are given up, and its error is thrown. */
async function makeAll(
  backend: EmbeddingBackend,
  batches: readonly Batch[],
  requests: number,
  signal: AbortSignal,
): Promise<(Batch & MadeVectors)[]> {
  const giveUp = new AbortController();
  const both = AbortSignal.any([signal, giveUp.signal]);
  const made: (Batch & MadeVectors)[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let place = next++; place < batches.length; place = next++) {
      const { texts } = batches[place] ?? { texts: [] };
      made[place] = { texts, ...(await backend.embed(texts, both)) };
    }
  };
  const workers = Array.from({ length: Math.min(Math.max(1, requests), batches.length) }, work);
  try {
    await Promise.all(workers);
  } catch (thrown) {
    giveUp.abort(thrown);
    await Promise.allSettled(workers);
    throw thrown;
  }
  return made;
}

function batchesOf(texts: readonly string[], limits: EmbeddingLimits): Batch[] {
  const batches: string[][] = [];
  let bytes = 0;
  for (const text of texts) {
    const size = Buffer.byteLength(text);
    const last = batches.at(-1);
    if (last && last.length < limits.texts && bytes + size <= limits.bytes) {
      last.push(text);
      bytes += size;
    } else {
      batches.push([text]);
      bytes = size;
    }
  }
  return batches.map((some) => ({ texts: some }));
}

function checkTexts(
  { id, model }: EmbeddingBackend,
  texts: readonly string[],
  { charactersOfText }: EmbeddingLimits,
): void {
  const place = { providerId: id, modelId: model };
  for (const [index, text] of texts.entries()) {
    if (text.trim() === "") {
      throw new BenchtopError("VALIDATION_FAILED", `Text ${index + 1} is empty: it has no vector.`, place);
    }
    if (text.length <= charactersOfText) continue;
    throw new BenchtopError(
      "CONTEXT_EXHAUSTED",
      `Text ${index + 1} has ${text.length} characters, and ${model} takes ${charactersOfText}. Divide it.`,
      { ...place, detail: { text: index + 1, characters: text.length, limit: charactersOfText } },
    );
  }
}

function keyFor(
  { model, dimensions }: EmbeddingBackend,
  parts: {
    readonly revision: string | undefined;
    readonly normalized: boolean;
    readonly scope: string;
    readonly text: string;
  },
): string {
  const { revision, normalized, scope, text } = parts;
  const sha256 = createHash("sha256").update(text).digest("hex");
  const decides = [revision, model, dimensions ?? null, normalized, scope, sha256];
  return createHash("sha256").update(JSON.stringify(decides)).digest("hex");
}

function estimated(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + estimateTokens(text), 0);
}
