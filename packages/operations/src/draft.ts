import { z } from "zod";
import { operation } from "./define.ts";
import { page, pageInput } from "./pagination.ts";
import { WorkbenchPath, WorkbenchRef } from "./workbenches.ts";

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
});
export type DraftState = z.infer<typeof DraftState>;

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

export const Hunk = z.object({
  oldStart: z.int(),
  oldLines: z.int(),
  newStart: z.int(),
  newLines: z.int(),
  lines: z.array(DiffLine),
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
  "checkpoints.restore": operation({
    id: "checkpoints.restore",
    rpc: "CheckpointsRestore",
    method: "POST",
    path: "/api/v1/workbenches/{workbenchId}/checkpoints/restore",
    permission: "workbenches:write",
    summary:
      "Put the published files back to a checkpoint (the newest unless told). What is there now becomes a checkpoint first. Refused while a Draft exists.",
    input: z.object({ ...ref, ...wait, checkpointId: z.string().optional() }),
    output: TransitionOutput,
    errors: ["NOT_FOUND", "DRAFT_EXISTS", "CONFLICT_PUBLISHED_CHANGED", "CHECKPOINT_RESTORE_FAILED", "DISK_FULL"],
  }),
} as const;
