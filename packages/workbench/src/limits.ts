/** Ceilings of every workbench. They are configuration; an error that one of them causes names it. */
export interface Limits {
  /** Files of one workbench, Published and Draft alike. */
  readonly maxFiles: number;
  readonly maxFileBytes: number;
  /** Bytes of all files of one workbench together. */
  readonly maxTotalBytes: number;
  /** UTF-8 bytes of one part of a path. File systems stop at 255. */
  readonly maxSegmentBytes: number;
  /** UTF-8 bytes of a whole path. */
  readonly maxPathBytes: number;
  /** Parts of a path. */
  readonly maxDepth: number;
  /** Bytes of one file that an agent's tool may write. */
  readonly maxDraftFileBytes: number;
  /** Bytes of one document that an agent's tool may write. Documents are larger than text: they hold pictures. */
  readonly maxDraftDocumentBytes: number;
  /** Files that one Draft may change. */
  readonly maxDraftFiles: number;
  /** Hours without a change after which a Draft counts as forgotten. */
  readonly staleDraftHours: number;
  /** Checkpoints of one workbench that Benchtop made by itself; the oldest go. Those that a person made stay. */
  readonly keepCheckpoints: number;
  /** Above either, a file is listed in Review by size only. */
  readonly maxDiffBytes: number;
  readonly maxDiffLines: number;
  /** Milliseconds that one text diff may compute; then it falls back to a coarser one. */
  readonly diffTimeoutMs: number;
  /** Milliseconds that comparing one document, or rendering one page of it, may take; then it is shown as bytes. */
  readonly documentTimeoutMs: number;
  /** A larger document is shown as bytes. */
  readonly maxDocumentBytes: number;
  /** Milliseconds that one search of an agent may take. */
  readonly searchTimeoutMs: number;
  /** Files that may be attached to one prompt, bytes of each, and of all together. Providers refuse more than some 30 MB. */
  readonly maxAttachments: number;
  readonly maxAttachmentBytes: number;
  readonly maxAttachmentsBytes: number;
}

export const defaultLimits: Limits = {
  maxFiles: 10_000,
  maxFileBytes: 100_000_000,
  maxTotalBytes: 20_000_000_000,
  maxSegmentBytes: 255,
  maxPathBytes: 1024,
  maxDepth: 64,
  maxDraftFileBytes: 5_000_000,
  maxDraftDocumentBytes: 30_000_000,
  maxDraftFiles: 5000,
  staleDraftHours: 72,
  keepCheckpoints: 100,
  maxDiffBytes: 2_000_000,
  maxDiffLines: 50_000,
  diffTimeoutMs: 500,
  documentTimeoutMs: 20_000,
  maxDocumentBytes: 50_000_000,
  searchTimeoutMs: 3000,
  maxAttachments: 10,
  maxAttachmentBytes: 10_000_000,
  maxAttachmentsBytes: 20_000_000,
};
