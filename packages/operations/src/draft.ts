import { z } from "zod";
import { operation } from "./define.ts";
import { DocumentDiff } from "./document-diff.ts";
import { Empty, page, pageInput } from "./pagination.ts";
import { ReviewWarning } from "./review-warning.ts";
import { WorkbenchPath, WorkbenchRef } from "./workbenches.ts";

/**
 * The Draft, its review and its end. A person decides on files, on hunks as they are shown, or on single stretches of changed
 * lines in them (`HunkStretch`), so that a view of a whole file, which is one hunk, can be decided on piece by piece.
 */

const ref = { workbenchId: WorkbenchRef };

export const DraftState = z.object({
  exists: z.boolean(),
  draftId: z.string().nullable(),
  /** Manifest that was published when the Draft began; the reference of every diff. */
  baseManifestHash: z.string().nullable(),
  revision: z.int().nonnegative(),
  counts: z.object({ added: z.int(), modified: z.int(), deleted: z.int() }),
  /** Deletions that a person has not confirmed yet; they gate publishing. */
  unconfirmedDeletions: z.array(z.string()),
  createdAt: z.string().nullable(),
  updatedAt: z.string().nullable(),
  /** Nobody has changed it for so long that it may have been forgotten. */
  stale: z.boolean(),
});
export type DraftState = z.infer<typeof DraftState>;

/** How `review.getDocumentDiff` shows a change. */
export const documentKinds = ["document", "sheets", "slides", "pages", "image", "bytes"] as const;

export const Change = z.object({
  path: z.string(),
  change: z.enum(["added", "modified", "deleted"]),
  /** How the change can be shown: as lines, or only by size and type. */
  view: z.enum(["text", "opaque", "too-large"]),
  mediaType: z.string(),
  bytesBefore: z.int().nullable(),
  bytesAfter: z.int().nullable(),
  sha256Before: z.string().nullable(),
  sha256After: z.string().nullable(),
  linesAdded: z.int().nullable(),
  linesRemoved: z.int().nullable(),
  /** For deletions only. */
  confirmed: z.boolean().optional(),
  runId: z.string().nullable(),
  /** What the run said that it changed here; null for a person's change, or where the run said nothing. */
  summary: z.string().nullable(),
  /** How `review.getDocumentDiff` shows it; null for plain text. */
  document: z.enum(documentKinds).nullable(),
  /** A person accepted it, as it is now. */
  accepted: z.boolean(),
  /** Looked for in the name alone here; those of the content come with the diff. */
  warnings: z.array(ReviewWarning),
});
export type Change = z.infer<typeof Change>;

/** A line of a hunk, with the ranges (start, end; UTF-16 offsets) of the words that differ from its counterpart. */
export const DiffLine = z.object({
  kind: z.enum(["context", "added", "removed"]),
  text: z.string(),
  oldLine: z.int().nullable(),
  newLine: z.int().nullable(),
  marks: z.array(z.tuple([z.int(), z.int()])).optional(),
  /** The last line of a file that has no newline at its end. */
  noNewline: z.boolean().optional(),
});
export type DiffLine = z.infer<typeof DiffLine>;

/**
 * One run of changed lines, which is the smallest thing to decide on. Where lines were only added `oldLines` is 0 and
 * `oldStart` the line that they come before; so with `newStart` where lines were only removed. Its id does not depend on how
 * much context was asked for, and stays while the lines of this stretch do, whatever happens to others of the file.
 */
export const HunkStretch = z.object({
  id: z.string(),
  oldStart: z.int(),
  oldLines: z.int(),
  newStart: z.int(),
  newLines: z.int(),
  accepted: z.boolean(),
});
export type HunkStretch = z.infer<typeof HunkStretch>;

/** Changed lines with their surroundings. With much context it holds several stretches, each of which can be decided on. */
export const Hunk = z.object({
  oldStart: z.int(),
  oldLines: z.int(),
  newStart: z.int(),
  newLines: z.int(),
  lines: z.array(DiffLine),
  /** Names all of its stretches for draft.decide: the id of the only one, or `first..last`. */
  id: z.string(),
  /** All of its stretches are. */
  accepted: z.boolean(),
  stretches: z.array(HunkStretch),
});
export type Hunk = z.infer<typeof Hunk>;

export const TextDiff = z.object({
  path: z.string(),
  change: z.enum(["added", "modified", "deleted"]),
  view: z.enum(["text", "opaque", "too-large"]),
  hunks: z.array(Hunk),
  linesAdded: z.int(),
  linesRemoved: z.int(),
  /** True when the diff stopped at its cap; the counts then speak of what is shown. */
  truncated: z.boolean(),
  /** Lines of each whole side, so that a surface can offer to expand the context. */
  oldLineCount: z.int(),
  newLineCount: z.int(),
  warnings: z.array(ReviewWarning),
});
export type TextDiff = z.infer<typeof TextDiff>;

/** What a publish or a restore goes through, in order; `rolling_back` comes only when it fails. */
export const publishPhases = [
  "validating",
  "conflict_check",
  "checkpoint_pre_publish",
  "swap_directories",
  "finalizing",
] as const;

export const Checkpoint = z.object({
  checkpointId: z.string(),
  workbenchId: z.string(),
  reason: z.enum(["publish", "pre-restore", "manual", "files-changed"]),
  message: z.string().nullable(),
  manifestHash: z.string(),
  fileCount: z.int(),
  totalBytes: z.int(),
  runId: z.string().nullable(),
  createdAt: z.string(),
});
export type Checkpoint = z.infer<typeof Checkpoint>;

/** Publishing and restoring are runs: their phases are events. `wait: false` answers at once; follow `runs.events`. */
const wait = { wait: z.boolean().default(true) };
const TransitionOutput = z.object({
  runId: z.string(),
  status: z.enum(["pending", "success"]),
  /** The checkpoint of what was published before; null until it is made. */
  checkpointId: z.string().nullable(),
  counts: z.object({ added: z.int(), modified: z.int(), deleted: z.int() }).nullable(),
});

export const draftOperations = {
  "draft.getState": operation({
    id: "draft.getState",
    rpc: "DraftGetState",
    method: "GET",
    path: "/api/v1/workbenches/{workbenchId}/draft",
    permission: "workbenches:read",
    summary: "Whether a Draft exists, and how much it changes.",
    input: z.object(ref),
    output: DraftState,
    errors: ["NOT_FOUND"],
  }),
  "review.getChangeSet": operation({
    id: "review.getChangeSet",
    rpc: "ReviewGetChangeSet",
    method: "GET",
    path: "/api/v1/workbenches/{workbenchId}/draft/changes",
    permission: "workbenches:read",
    summary: "Every file that the Draft changes. Computed offline.",
    input: z.object(ref),
    output: z.object({ draft: DraftState, changes: z.array(Change), draftSummary: z.string().optional() }),
    errors: ["NOT_FOUND"],
  }),
  "review.getTextDiff": operation({
    id: "review.getTextDiff",
    rpc: "ReviewGetTextDiff",
    method: "GET",
    path: "/api/v1/workbenches/{workbenchId}/draft/diff",
    permission: "workbenches:read",
    summary: "One file's differences between the Draft and its base. Computed offline.",
    input: z.object({
      ...ref,
      path: WorkbenchPath,
      contextLines: z.coerce.number().int().min(0).max(100_000).default(3),
    }),
    output: TextDiff,
    errors: ["NOT_FOUND", "SANDBOX_VIOLATION"],
  }),
  "review.getDocumentDiff": operation({
    id: "review.getDocumentDiff",
    rpc: "ReviewGetDocumentDiff",
    method: "GET",
    path: "/api/v1/workbenches/{workbenchId}/draft/document-diff",
    permission: "workbenches:read",
    summary:
      "One file's differences as what it is: document, sheets, slides, pages, image, or bytes. Computed offline.",
    input: z.object({
      ...ref,
      path: WorkbenchPath,
      /** As bytes, whatever it is. */
      bytes: z.union([z.boolean(), z.stringbool()]).default(false),
      /** Where the bytes that are shown begin; absent, at the first difference. */
      offset: z.coerce.number().int().min(0).optional(),
    }),
    output: DocumentDiff,
    errors: ["NOT_FOUND", "SANDBOX_VIOLATION"],
  }),
  "review.getPage": operation({
    id: "review.getPage",
    rpc: "ReviewGetPage",
    method: "GET",
    path: "/api/v1/workbenches/{workbenchId}/draft/page",
    permission: "workbenches:read",
    transfer: "download",
    summary: "One page of a PDF as a PNG image. Rendered offline.",
    input: z.object({
      ...ref,
      path: WorkbenchPath,
      side: z.enum(["published", "draft"]).default("draft"),
      /** From 1. */
      page: z.coerce.number().int().min(1).max(100_000),
      /** Of the image, in pixels. */
      width: z.coerce.number().int().min(50).max(2400).default(900),
    }),
    output: z.instanceof(Uint8Array),
    errors: ["NOT_FOUND", "SANDBOX_VIOLATION"],
  }),
  "draft.decide": operation({
    id: "draft.decide",
    rpc: "DraftDecide",
    method: "POST",
    path: "/api/v1/workbenches/{workbenchId}/draft/decisions",
    permission: "workbenches:write",
    summary:
      "Accept or reject files, or hunks of text files. What is rejected leaves the Draft; what is accepted stays and is marked.",
    input: z.object({
      ...ref,
      draftId: z.string().optional(),
      decisions: z
        .array(
          z.object({
            path: WorkbenchPath,
            /** Of the file that the person saw; null for a deletion. Another content is refused. */
            sha256: z.string().nullable(),
            decision: z.enum(["accept", "reject", "undecide"]),
            /** Ids of hunks or of stretches; absent, the whole file. */
            hunks: z.array(z.string().max(100)).min(1).max(10_000).optional(),
          }),
        )
        .min(1)
        .max(10_000),
    }),
    /** `changes`: those of the decided files that the Draft still changes. */
    output: z.object({ draft: DraftState, changes: z.array(Change) }),
    errors: ["NOT_FOUND", "SANDBOX_VIOLATION", "CONFLICT_PUBLISHED_CHANGED", "DISK_FULL"],
  }),
  "draft.edit": operation({
    id: "draft.edit",
    rpc: "DraftEdit",
    method: "PUT",
    path: "/api/v1/workbenches/{workbenchId}/draft/file",
    permission: "workbenches:write",
    summary: "Change a file of the Draft by hand: its whole text, or an upload in its place.",
    input: z.object({
      ...ref,
      path: WorkbenchPath,
      /** The whole text. Either this or `upload`. */
      content: z.string().max(20_000_000).optional(),
      upload: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .optional(),
      /** Of the file as the person saw it; null for one that was not there. Another content is refused. */
      sha256: z.string().nullable(),
    }),
    output: z.object({ draft: DraftState, change: Change.nullable() }),
    errors: ["NOT_FOUND", "SANDBOX_VIOLATION", "CONFLICT_PUBLISHED_CHANGED", "DISK_FULL"],
  }),
  "draft.confirmDeletions": operation({
    id: "draft.confirmDeletions",
    rpc: "DraftConfirmDeletions",
    method: "POST",
    path: "/api/v1/workbenches/{workbenchId}/draft/confirm-deletions",
    permission: "workbenches:write",
    summary: "Confirm deletions that the agent asked for; publishing needs it.",
    input: z.object({ ...ref, paths: z.array(WorkbenchPath).min(1).max(100_000) }),
    output: DraftState,
    errors: ["NOT_FOUND", "SANDBOX_VIOLATION"],
  }),
  "draft.publish": operation({
    id: "draft.publish",
    rpc: "DraftPublish",
    method: "POST",
    path: "/api/v1/workbenches/{workbenchId}/draft/publish",
    permission: "workbenches:write",
    summary: "Make the Draft the published files: atomic, with a checkpoint of what was there.",
    input: z.object({
      ...ref,
      ...wait,
      /** The Draft and revision that the person reviewed; another one is refused. */
      draftId: z.string().optional(),
      revision: z.int().positive().optional(),
      message: z.string().max(500).optional(),
    }),
    output: TransitionOutput,
    errors: ["NOT_FOUND", "CONFLICT_PUBLISHED_CHANGED", "CHECKPOINT_CREATE_FAILED", "FILE_WRITE_FAILED", "DISK_FULL"],
  }),
  "draft.discard": operation({
    id: "draft.discard",
    rpc: "DraftDiscard",
    method: "POST",
    path: "/api/v1/workbenches/{workbenchId}/draft/discard",
    permission: "workbenches:write",
    summary: "Throw the Draft away. The published files stay as they are.",
    input: z.object({ ...ref, draftId: z.string().optional() }),
    output: z.object({ discarded: z.boolean() }),
    errors: ["NOT_FOUND"],
  }),
  "checkpoints.list": operation({
    id: "checkpoints.list",
    rpc: "CheckpointsList",
    method: "GET",
    path: "/api/v1/workbenches/{workbenchId}/checkpoints",
    permission: "workbenches:read",
    summary: "Checkpoints, newest first.",
    input: z.object({ ...ref, ...pageInput }),
    output: page(Checkpoint),
    errors: ["NOT_FOUND"],
  }),
  "checkpoints.create": operation({
    id: "checkpoints.create",
    rpc: "CheckpointsCreate",
    method: "POST",
    path: "/api/v1/workbenches/{workbenchId}/checkpoints",
    permission: "workbenches:write",
    status: 201,
    summary: "Keep the published files as they are now.",
    input: z.object({ ...ref, message: z.string().max(500).optional() }),
    output: Checkpoint,
    errors: ["NOT_FOUND", "CHECKPOINT_CREATE_FAILED", "DISK_FULL"],
  }),
  "checkpoints.remove": operation({
    id: "checkpoints.remove",
    rpc: "CheckpointsRemove",
    method: "DELETE",
    path: "/api/v1/workbenches/{workbenchId}/checkpoints/{checkpointId}",
    permission: "workbenches:write",
    summary: "Remove a checkpoint. What it alone kept leaves the disk when runs are pruned next.",
    input: z.object({ ...ref, checkpointId: z.string().min(1).max(100) }),
    output: Empty,
    errors: ["NOT_FOUND"],
  }),
  "checkpoints.restore": operation({
    id: "checkpoints.restore",
    rpc: "CheckpointsRestore",
    method: "POST",
    path: "/api/v1/workbenches/{workbenchId}/checkpoints/restore",
    permission: "workbenches:write",
    summary:
      "Put the published files, and the conversation, back to a checkpoint (the newest unless told). What is there now becomes a checkpoint first. Refused while a Draft exists.",
    input: z.object({ ...ref, ...wait, checkpointId: z.string().optional() }),
    output: TransitionOutput,
    errors: ["NOT_FOUND", "DRAFT_EXISTS", "CONFLICT_PUBLISHED_CHANGED", "CHECKPOINT_RESTORE_FAILED", "DISK_FULL"],
  }),
} as const;
