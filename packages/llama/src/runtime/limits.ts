/** Tokens of a conversation unless told: a model may be trained for many more, and the memory for them is taken at once. */
export const defaultContextTokens = 8192;

/** Tokens of a text to embed unless told. Models that embed look at a text as a whole, at a cost that grows with its square. */
export const defaultEmbeddingTokens = 2048;

/** What a request may ask of the process with the model. Each is several times what the largest models that are known take. */
export const requestLimits = {
  messages: 10_000,
  /** UTF-16 units of all texts of a request. */
  textLength: 8_000_000,
  tools: 256,
  toolNameLength: 128,
  /** As JSON, in UTF-16 units; of one schema. */
  schemaLength: 256_000,
  schemaDepth: 64,
  grammarLength: 64_000,
  grammarRules: 2000,
  /** Groups in one another. */
  grammarDepth: 64,
  repetitions: 2000,
  /** Of one token, in UTF-16 units: no vocabulary has longer ones than runs of 128 spaces. What is longer needs no counting. */
  tokenLength: 128,
  stops: 16,
  stopLength: 256,
  embeddedTexts: 2048,
  parallel: 64,
  adapters: 16,
  contextTokens: 10_000_000,
} as const;

/** How long the process with a model may keep others waiting before it is taken for dead. All in milliseconds. */
export const patience = {
  /** Without any word, though there is work: its own thread is caught in a template or a grammar. */
  silentMs: 30_000,
  /** With words but no progress: 32 tokens of a prompt take the largest models on the slowest machines less than this. */
  stalledMs: 120_000,
  /** The same while a model is loaded, from a disk that may be slow. */
  loadingMs: 300_000,
  /** Between asking a process to end and ending it. */
  closeMs: 2000,
} as const;
