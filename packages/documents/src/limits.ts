/**
 * What an untrusted document may ask of this process. A document that declares more is refused before anything is inflated;
 * one that turns out to hold more than it declares is refused as soon as it does.
 */
export const documentLimits = {
  /** Entries of one package. */
  entries: 10_000,
  /** UTF-8 bytes of one name in a package. */
  nameBytes: 1024,
  /** Inflated bytes of one part. */
  partBytes: 100_000_000,
  /** Inflated bytes of all parts together. */
  totalBytes: 500_000_000,
  /** Inflated bytes for each byte of the package, once there are more than `ratioFromBytes` of them. */
  ratio: 200,
  ratioFromBytes: 32_000_000,
  /** UTF-16 units of one XML part. */
  xmlLength: 64_000_000,
  /** Elements, texts, comments and instructions of one XML part. */
  xmlNodes: 4_000_000,
  /** Elements in one another. */
  xmlDepth: 256,
  /** Attributes of one element. */
  xmlAttributes: 1024,
} as const;
