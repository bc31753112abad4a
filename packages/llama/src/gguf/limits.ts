/**
 * What the header of an untrusted model file may ask of this process. Each is several times what the largest models that are
 * known have: their vocabularies come to 260,000 tokens, 520,000 merges and 20 MB.
 */
export const ggufLimits = {
  /** From the start of the file to the data of the tensors. */
  headerBytes: 64 * 2 ** 20,
  fields: 4096,
  /** UTF-8 bytes of the name of a field: what the specification allows. */
  keyBytes: 65_535,
  /** UTF-8 bytes of one text. Some files hold a whole `tokenizer.json` in one. */
  stringBytes: 32 * 2 ** 20,
  arrayElements: 4_000_000,
  /** Tokens of a vocabulary; each is looked at. */
  tokens: 1_000_000,
  /** llama.cpp compares every name with every other. */
  tensors: 32_768,
  /** llama.cpp has room for no more. */
  layers: 512,
  /** Characters of a chat template; the longest known ones have 30,000. */
  templateLength: 250_000,
  /** Blocks of a chat template in one another; llama.cpp crashes at some thousands. */
  templateDepth: 100,
  /** Elements of an array that `readGgufHeader` keeps; longer ones stay in the file. */
  keptElements: 1024,
  /** Parts of a model in several files. */
  parts: 1024,
} as const;
