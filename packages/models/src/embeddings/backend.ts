/**
 * Something that turns texts into vectors.
 *
 * Where the content of a text leaves this machine, the backend was made with a gated `fetch` whose context holds a person's
 * consent; it asks for none by itself. Errors are those of the taxonomy; a text that is longer than the model reads is
 * `CONTEXT_EXHAUSTED`, never cut.
 */
export interface EmbeddingBackend {
  /** The provider's name. */
  readonly id: string;
  readonly model: string;
  /** How many numbers a vector has, where that is known before. */
  readonly dimensions?: number;
  /** Its vectors have length 1 already. */
  readonly normalized: boolean;
  readonly limits?: Partial<EmbeddingLimits>;
  /**
   * Identifies what makes the vectors, so that those of before can be used: the hash of the model's file, a revision, an
   * address with a name. Undefined where the same name may mean another model tomorrow; nothing is kept then.
   */
  revision(signal: AbortSignal): Promise<string | undefined>;
  /** One vector a text, in order. */
  embed(texts: readonly string[], signal: AbortSignal): Promise<MadeVectors>;
}

export interface MadeVectors {
  readonly vectors: readonly Float32Array[];
  /** As the backend counts. */
  readonly inputTokens?: number;
  /** What made them, where it tells: see `EmbeddingBackend.revision`. */
  readonly revision?: string;
}

export interface EmbeddingLimits {
  /** Texts of one request. */
  readonly texts: number;
  /** Bytes of UTF-8 of all texts of one request; a text that has more by itself is a request of its own. */
  readonly bytes: number;
  /** Characters of one text: more are refused without asking. */
  readonly charactersOfText: number;
  /** Requests at a time. */
  readonly requests: number;
}

export const defaultLimits: EmbeddingLimits = {
  texts: 64,
  bytes: 128 * 1024,
  charactersOfText: 200_000,
  requests: 2,
};
