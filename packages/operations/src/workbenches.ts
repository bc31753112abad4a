import { z } from "zod";
import { operation } from "./define.ts";
import { Empty, page, pageInput } from "./pagination.ts";

/** An id (`wb_…`) or a name, of the caller's workspace: any other is refused as `NOT_FOUND` before a handler sees it. */
export const WorkbenchRef = z.string().min(1).max(200);
export const WorkbenchName = z.string().trim().min(1).max(100);
/** A path inside a workbench: relative, `/` between parts. The one place that checks it is the workbench itself. */
export const WorkbenchPath = z.string().min(1).max(8000);

const ref = { workbenchId: WorkbenchRef };

export const FileEntry = z.object({
  fileId: z.string(),
  path: z.string(),
  sha256: z.string(),
  bytes: z.int(),
  mediaType: z.string(),
  /** Not text and not a type that Benchtop can read: kept and carried, never shown to a model. */
  opaque: z.boolean(),
  /** How the Draft changes it; only in listings of the Draft's side. */
  change: z.enum(["added", "modified"]).optional(),
});
export type FileEntry = z.infer<typeof FileEntry>;

export const Workbench = z.object({
  workbenchId: z.string(),
  name: z.string(),
  fileCount: z.int(),
  totalBytes: z.int(),
  manifestHash: z.string(),
  hasDraft: z.boolean(),
  createdAt: z.string(),
  updatedAt: z.string(),
  /** Where the published files lie on the daemon's machine. */
  publishedDir: z.string(),
  sessionId: z.string(),
  /** Whether its agents may remember (`memory.set`). */
  memory: z.boolean(),
});
export type Workbench = z.infer<typeof Workbench>;

/** A file that was not taken, and why. */
export const Refusal = z.object({ path: z.string(), code: z.string(), reason: z.string() });
export type Refusal = z.infer<typeof Refusal>;

export const FileOutcome = z.object({
  path: z.string(),
  outcome: z.enum(["done", "refused"]),
  code: z.string().optional(),
  reason: z.string().optional(),
});

export const OutsideChange = z.object({
  path: z.string(),
  change: z.enum(["added", "modified", "deleted", "irregular"]),
});
export type OutsideChange = z.infer<typeof OutsideChange>;

/** A file that was copied from the daemon's machine. */
export const FileOrigin = z.object({
  path: z.string(),
  hostPath: z.string(),
  /**
   * `changed-here`: can be written back. `changed-there`: the place has a newer content. `conflict`: both. `missing-there`:
   * the place is empty, or no regular file. `removed-here`: the workbench has no such file any more.
   */
  state: z.enum(["same", "changed-here", "changed-there", "conflict", "missing-there", "removed-here"]),
  syncedAt: z.string(),
});
export type FileOrigin = z.infer<typeof FileOrigin>;

export const workbenchOperations = {
  "workbenches.create": operation({
    id: "workbenches.create",
    rpc: "WorkbenchCreate",
    method: "POST",
    path: "/api/v1/workbenches",
    permission: "workbenches:write",
    status: 201,
    summary: "Create an empty workbench.",
    input: z.object({ name: WorkbenchName }),
    output: Workbench,
    errors: ["DISK_FULL", "FILE_WRITE_FAILED"],
  }),
  "workbenches.list": operation({
    id: "workbenches.list",
    rpc: "WorkbenchList",
    method: "GET",
    path: "/api/v1/workbenches",
    permission: "workbenches:read",
    summary: "Workbenches, last changed first.",
    input: z.object(pageInput),
    output: page(Workbench),
    errors: [],
  }),
  "workbenches.open": operation({
    id: "workbenches.open",
    rpc: "WorkbenchOpen",
    method: "GET",
    path: "/api/v1/workbenches/{workbenchId}",
    permission: "workbenches:read",
    summary: "One workbench.",
    input: z.object(ref),
    output: Workbench,
    errors: ["NOT_FOUND"],
  }),
  "workbenches.rename": operation({
    id: "workbenches.rename",
    rpc: "WorkbenchRename",
    method: "PATCH",
    path: "/api/v1/workbenches/{workbenchId}",
    permission: "workbenches:write",
    summary: "Rename a workbench.",
    input: z.object({ ...ref, name: WorkbenchName }),
    output: Workbench,
    errors: ["NOT_FOUND"],
  }),
  "workbenches.delete": operation({
    id: "workbenches.delete",
    rpc: "WorkbenchDelete",
    method: "DELETE",
    path: "/api/v1/workbenches/{workbenchId}",
    permission: "workbenches:write",
    summary:
      "Delete a workbench and its files. Refused while a Draft exists, and while its folder has files of other programs.",
    input: z.object(ref),
    output: Empty,
    errors: ["NOT_FOUND", "DRAFT_EXISTS", "CONFLICT_PUBLISHED_CHANGED"],
  }),
  "files.list": operation({
    id: "files.list",
    rpc: "WorkbenchFilesList",
    method: "GET",
    path: "/api/v1/workbenches/{workbenchId}/files",
    permission: "workbenches:read",
    summary: "Files of the published side or of the Draft.",
    input: z.object({ ...ref, ...pageInput, side: z.enum(["published", "draft"]).default("published") }),
    output: page(FileEntry),
    errors: ["NOT_FOUND"],
  }),
  "files.upload": operation({
    id: "files.upload",
    rpc: "FilesUpload",
    method: "PUT",
    path: "/api/v1/uploads",
    permission: "workbenches:write",
    transfer: "upload",
    status: 201,
    summary: "Store the request body as a blob; files.add gives it a path.",
    input: Empty,
    output: z.object({ sha256: z.string(), bytes: z.int() }),
    errors: ["DISK_FULL"],
  }),
  "files.add": operation({
    id: "files.add",
    rpc: "WorkbenchFilesAdd",
    method: "POST",
    path: "/api/v1/workbenches/{workbenchId}/files",
    permission: "workbenches:write",
    summary: "Add uploaded blobs to the published files, all or none. Refused while a Draft exists.",
    input: z.object({
      ...ref,
      uploads: z
        .array(z.object({ path: WorkbenchPath, sha256: z.string().regex(/^[0-9a-f]{64}$/) }))
        .min(1)
        .max(100_000),
      /** Replace files that exist; otherwise a taken path is refused. */
      replace: z.boolean().default(false),
    }),
    output: z.object({ added: z.array(FileEntry) }),
    errors: ["NOT_FOUND", "DRAFT_EXISTS", "SANDBOX_VIOLATION", "DISK_FULL"],
  }),
  "files.addFromHost": operation({
    id: "files.addFromHost",
    rpc: "WorkbenchFilesAddFromHost",
    method: "POST",
    path: "/api/v1/workbenches/{workbenchId}/files/from-host",
    permission: "host:files",
    summary:
      "Add files and folders of the daemon's machine by copy. A folder's content lands at the root, relative paths kept.",
    input: z.object({
      ...ref,
      sources: z.array(z.string().min(1).max(8000)).min(1).max(10_000),
      replace: z.boolean().default(false),
      /** Leave out what cannot be taken (symlinks, reserved names, too large) instead of refusing the whole call. */
      skipRefused: z.boolean().default(false),
    }),
    output: z.object({ added: z.array(FileEntry), refused: z.array(Refusal) }),
    errors: ["NOT_FOUND", "DRAFT_EXISTS", "SANDBOX_VIOLATION", "FILE_READ_FAILED", "DISK_FULL"],
  }),
  "files.remove": operation({
    id: "files.remove",
    rpc: "WorkbenchFilesRemove",
    method: "POST",
    path: "/api/v1/workbenches/{workbenchId}/files/remove",
    permission: "workbenches:write",
    summary: "Remove files or folders. A checkpoint is made first. Refused while a Draft exists.",
    input: z.object({ ...ref, workbenchPaths: z.array(WorkbenchPath).min(1).max(100_000) }),
    output: z.object({ removeResults: z.array(FileOutcome) }),
    errors: ["NOT_FOUND", "DRAFT_EXISTS", "SANDBOX_VIOLATION"],
  }),
  "files.extract": operation({
    id: "files.extract",
    rpc: "WorkbenchFilesExtract",
    method: "POST",
    path: "/api/v1/workbenches/{workbenchId}/files/extract",
    permission: "host:files",
    summary:
      "Copy published files to a folder of the daemon's machine. Nothing is overwritten unless told. Refused while a Draft exists.",
    input: z.object({
      ...ref,
      destinationDir: z.string().min(1).max(8000),
      workbenchPaths: z.array(WorkbenchPath).max(100_000).optional(),
      overwrite: z.boolean().default(false),
    }),
    output: z.object({ extractResults: z.array(FileOutcome) }),
    errors: ["NOT_FOUND", "DRAFT_EXISTS", "SANDBOX_VIOLATION", "FILE_WRITE_FAILED", "DISK_FULL"],
  }),
  "files.origins": operation({
    id: "files.origins",
    rpc: "WorkbenchFilesOrigins",
    method: "GET",
    path: "/api/v1/workbenches/{workbenchId}/files/origins",
    permission: "host:files",
    summary: "Where files were copied from, and whether those places and the published files differ.",
    input: z.object(ref),
    output: z.object({ items: z.array(FileOrigin) }),
    errors: ["NOT_FOUND", "FILE_READ_FAILED"],
  }),
  "files.writeBack": operation({
    id: "files.writeBack",
    rpc: "WorkbenchFilesWriteBack",
    method: "POST",
    path: "/api/v1/workbenches/{workbenchId}/files/write-back",
    permission: "host:files",
    summary:
      "Write published files back to where they were copied from. A place that was changed since is left alone unless told. Refused while a Draft exists.",
    input: z.object({
      ...ref,
      /** All that were changed here, when absent. */
      workbenchPaths: z.array(WorkbenchPath).max(100_000).optional(),
      /** Replace what was changed there, too. */
      overwrite: z.boolean().default(false),
    }),
    output: z.object({ writeBackResults: z.array(FileOutcome) }),
    errors: ["NOT_FOUND", "DRAFT_EXISTS", "SANDBOX_VIOLATION", "FILE_WRITE_FAILED", "DISK_FULL"],
  }),
  "files.read": operation({
    id: "files.read",
    rpc: "WorkbenchFilesRead",
    method: "GET",
    path: "/api/v1/workbenches/{workbenchId}/files/content",
    permission: "workbenches:read",
    transfer: "download",
    summary: "One file's bytes, from the published side or the Draft.",
    input: z.object({ ...ref, path: WorkbenchPath, side: z.enum(["published", "draft"]).default("published") }),
    output: z.instanceof(Uint8Array),
    errors: ["NOT_FOUND", "SANDBOX_VIOLATION"],
  }),
  "outsideChanges.list": operation({
    id: "outsideChanges.list",
    rpc: "OutsideChangesList",
    method: "GET",
    path: "/api/v1/workbenches/{workbenchId}/outside-changes",
    permission: "workbenches:read",
    summary: "What another program did to the published folder behind Benchtop's back.",
    input: z.object(ref),
    output: z.object({ items: z.array(OutsideChange) }),
    errors: ["NOT_FOUND", "FILE_READ_FAILED"],
  }),
  "outsideChanges.resolve": operation({
    id: "outsideChanges.resolve",
    rpc: "OutsideChangesResolve",
    method: "POST",
    path: "/api/v1/workbenches/{workbenchId}/outside-changes/resolve",
    permission: "workbenches:write",
    summary:
      "Take outside changes into Published (`adopt`), or put the published files back (`revert`). A checkpoint is made first; a Draft is kept.",
    input: z.object({ ...ref, strategy: z.enum(["adopt", "revert"]) }),
    output: z.object({ resolved: z.array(OutsideChange) }),
    errors: ["NOT_FOUND", "SANDBOX_VIOLATION", "DISK_FULL"],
  }),
} as const;
