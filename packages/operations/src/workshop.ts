import { RunEvent, RunStatus } from "@benchtop/protocol";
import { z } from "zod";
import { operation } from "./define.ts";
import { DraftState } from "./draft.ts";
import { Empty, page, pageInput } from "./pagination.ts";
import { ModelRef } from "./providers.ts";
import { RunId, runRequest } from "./runs.ts";
import { WorkbenchRef } from "./workbenches.ts";

const ref = { workbenchId: WorkbenchRef };

/** What one run says in the conversation of a workbench; a view of its journal. */
export const ConversationEntry = z.object({
  runId: z.string(),
  /** `message` and `agent` are turns; the others are what a person did in between. `rewind`: an undo to a message. */
  kind: z.enum(["agent", "message", "publish", "restore", "discard", "undo", "rewind", "switch-model", "other"]),
  status: RunStatus,
  startedAt: z.string(),
  task: z.string().nullable(),
  model: z.string().nullable(),
  /** Of a turn that has ended well: whether it changed the Draft. */
  outcome: z.enum(["changes", "no_changes"]).nullable(),
  /** The turn that this one was asked again for. */
  regenerates: z.string().nullable(),
  /** Events without deltas: enough to draw the turn. A live run is followed with runs.events from the last `seq`. */
  events: z.array(RunEvent),
});
export type ConversationEntry = z.infer<typeof ConversationEntry>;

/** How much of the model's window the next turn takes before anything is asked. */
export const ContextUse = z.object({
  model: z.string(),
  /** Null where nobody says how large the model's window is. */
  contextTokens: z.int().nullable(),
  usedTokens: z.int(),
  /** By share of the window: below a half, below four fifths, above. Null where the window is not known. */
  pressure: z.enum(["light", "moderate", "heavy"]).nullable(),
  parts: z.array(
    z.object({
      part: z.enum(["instructions", "context-items", "files", "conversation", "memory", "tools"]),
      tokens: z.int(),
      /** Files, items, turns. */
      count: z.int(),
    }),
  ),
  /** Files whose text does not fit a message any more: the model is told their names alone. */
  leftOut: z.array(z.string()),
});
export type ContextUse = z.infer<typeof ContextUse>;

/** Started, and its place. */
const TurnStarted = z.object({ runId: z.string(), traceId: z.string(), sessionId: z.string() });

const { sessionId: _, ...asked } = runRequest;
/** How a turn is asked. Without a model, the conversation's: that of its newest turn or switch. */
const turnRequestFields = { ...asked, model: ModelRef.optional() };

/** What would be sent, to whom, and whether a person has agreed. */
export const ConsentStatus = z.object({
  providerId: z.string(),
  modelId: z.string(),
  /** False for models on this machine: nothing leaves. */
  required: z.boolean(),
  consented: z.boolean(),
  persisted: z.boolean(),
  scopeHash: z.string(),
  fileCount: z.int(),
  totalBytes: z.int(),
  /** Remembered texts that may be sent with the files; 0 where the workbench does not remember. */
  memories: z.int(),
  /** Context items that are always sent. */
  contextItems: z.int(),
  /** The files, by path; the largest first where there are more than are listed. */
  files: z.array(z.object({ path: z.string(), bytes: z.int() })),
  /** The host that the bytes would go to. */
  host: z.string(),
});
export type ConsentStatus = z.infer<typeof ConsentStatus>;

export const EgressEvent = z.object({
  id: z.string(),
  at: z.string(),
  purpose: z.enum(["model-call", "provider-test", "model-list", "oidc", "telemetry", "mcp", "model-download"]),
  outcome: z.enum(["sent", "blocked", "failed"]),
  method: z.string(),
  host: z.string(),
  providerId: z.string().nullable(),
  modelId: z.string().nullable(),
  runId: z.string().nullable(),
  workbenchId: z.string().nullable(),
  scopeHash: z.string().nullable(),
  bytesSent: z.int(),
  bytesReceived: z.int(),
  status: z.int().nullable(),
  errorCode: z.string().nullable(),
  /** As the provider counted them; null where it did not, and for what is no model call. */
  inputTokens: z.int().nullable(),
  outputTokens: z.int().nullable(),
  /** Files in the scope that was consented to. */
  fileCount: z.int().nullable(),
});
export type EgressEvent = z.infer<typeof EgressEvent>;

/** A host of the local network that providers may be at. */
export const EgressException = z.object({
  /** `host:port`. */
  host: z.string(),
  note: z.string(),
  approvedBy: z.string(),
  createdAt: z.string(),
});
export type EgressException = z.infer<typeof EgressException>;

export const workshopOperations = {
  "workshop.runAgent": operation({
    id: "workshop.runAgent",
    rpc: "WorkshopRunAgent",
    method: "POST",
    path: "/api/v1/workbenches/{workbenchId}/runs",
    permission: "runs:write",
    status: 202,
    summary: "Ask an agent to work on the files. It reads Published and writes only to the Draft.",
    input: z.object({ ...ref, ...runRequest, task: z.string().min(1).max(2_000_000) }),
    output: z.object({ runId: z.string(), traceId: z.string(), sessionId: z.string() }),
    errors: ["NOT_FOUND", "RUN_REPLAYED", "PROVIDER_NOT_CONFIGURED", "DISK_FULL"],
  }),
  "workshop.sendUserMessage": operation({
    id: "workshop.sendUserMessage",
    rpc: "WorkshopSendUserMessage",
    method: "POST",
    path: "/api/v1/workbenches/{workbenchId}/messages",
    permission: "runs:write",
    status: 202,
    summary:
      "Say something about the files. The model sees their text, answers, and may propose changes, which are applied to the Draft all or none.",
    input: z.object({ ...ref, ...turnRequestFields, message: z.string().min(1).max(2_000_000) }),
    output: TurnStarted,
    errors: ["NOT_FOUND", "RUN_REPLAYED", "PROVIDER_NOT_CONFIGURED", "FILE_READ_FAILED", "DISK_FULL"],
  }),
  "workshop.regenerate": operation({
    id: "workshop.regenerate",
    rpc: "WorkshopRegenerate",
    method: "POST",
    path: "/api/v1/workbenches/{workbenchId}/conversation/regenerate",
    permission: "runs:write",
    status: 202,
    summary: "Take the newest turn back, with what it changed in the Draft, and ask it again.",
    input: z.object({
      ...ref,
      ...turnRequestFields,
      /** The turn that is meant: refused when it is no longer the newest. */
      turnRunId: RunId.optional(),
      discardEdits: z.boolean().default(false),
    }),
    output: TurnStarted,
    errors: [
      "NOT_FOUND",
      "EGRESS_CONSENT_REQUIRED",
      "RUN_REPLAYED",
      "PROVIDER_NOT_CONFIGURED",
      "CONFLICT_PUBLISHED_CHANGED",
      "FILE_READ_FAILED",
      "DISK_FULL",
    ],
  }),
  "workshop.undoToMessage": operation({
    id: "workshop.undoToMessage",
    rpc: "WorkshopUndoToMessage",
    method: "POST",
    path: "/api/v1/workbenches/{workbenchId}/conversation/undo",
    permission: "runs:write",
    summary:
      "Take a turn and all that came after it out of the conversation, and put the Draft back to what it was before that turn. Refused with CONFLICT_PUBLISHED_CHANGED past a publish: restore its checkpoint instead.",
    input: z.object({
      ...ref,
      /** The turn whose message is taken back, too. */
      runId: RunId,
      /** Lose what a person changed in the Draft since, too. */
      discardEdits: z.boolean().default(false),
    }),
    output: z.object({
      /** The run that did it. */
      runId: z.string(),
      /** Runs that are no longer part of the conversation, oldest first. */
      removed: z.array(z.string()),
      /** What the message said, for whoever wants to say it otherwise. */
      message: z.string().nullable(),
      draft: DraftState,
    }),
    errors: ["NOT_FOUND", "CONFLICT_PUBLISHED_CHANGED", "DISK_FULL"],
  }),
  "workshop.switchModel": operation({
    id: "workshop.switchModel",
    rpc: "WorkshopSwitchModel",
    method: "POST",
    path: "/api/v1/workbenches/{workbenchId}/conversation/model",
    permission: "runs:write",
    summary: "Choose the model of the turns to come; the conversation says so. Consent is the model's own.",
    input: z.object({ ...ref, model: ModelRef }),
    output: z.object({ runId: z.string().nullable(), model: z.string(), previous: z.string().nullable() }),
    errors: ["NOT_FOUND", "PROVIDER_NOT_CONFIGURED", "DISK_FULL"],
  }),
  "workshop.context": operation({
    id: "workshop.context",
    rpc: "WorkshopGetContext",
    method: "GET",
    path: "/api/v1/workbenches/{workbenchId}/context",
    permission: "runs:read",
    summary: "How much of a model's window the next turn takes, and by what. Nothing is sent.",
    input: z.object({
      ...ref,
      model: ModelRef.optional(),
      /** A message shows the text of files, as many as fit; an agent reads what it needs. */
      kind: z.enum(["agent", "message"]).default("message"),
    }),
    output: ContextUse,
    errors: ["NOT_FOUND", "PROVIDER_NOT_CONFIGURED", "FILE_READ_FAILED"],
  }),
  "workshop.exportConversation": operation({
    id: "workshop.exportConversation",
    rpc: "WorkshopExportConversation",
    method: "GET",
    path: "/api/v1/workbenches/{workbenchId}/conversation/export",
    permission: "runs:read",
    transfer: "download",
    summary: "The conversation as JSON Lines, oldest first: one object a turn or event of it.",
    input: z.object(ref),
    output: z.instanceof(Uint8Array),
    errors: ["NOT_FOUND", "FILE_READ_FAILED"],
  }),
  "workshop.conversation": operation({
    id: "workshop.conversation",
    rpc: "WorkshopGetConversation",
    method: "GET",
    path: "/api/v1/workbenches/{workbenchId}/conversation",
    permission: "runs:read",
    summary: "The conversation of a workbench, newest run first.",
    input: z.object({ ...ref, ...pageInput }),
    output: page(ConversationEntry),
    errors: ["NOT_FOUND"],
  }),
  "egress.consentStatus": operation({
    id: "egress.consentStatus",
    rpc: "EgressGetConsentStatus",
    method: "GET",
    path: "/api/v1/workbenches/{workbenchId}/consent",
    permission: "egress:read",
    summary: "What a model would be shown, and whether that was consented.",
    input: z.object({
      ...ref,
      /** The model of the newest agent run in this workbench, when absent. */
      model: ModelRef.optional(),
    }),
    output: z.object({ workshop: ConsentStatus }),
    errors: ["NOT_FOUND", "PROVIDER_NOT_CONFIGURED"],
  }),
  "egress.grantConsent": operation({
    id: "egress.grantConsent",
    rpc: "EgressGrantWorkshopConsent",
    method: "POST",
    path: "/api/v1/workbenches/{workbenchId}/consent",
    permission: "egress:write",
    summary: "Consent to one provider, model and scope; kept when `persist`, else until the daemon stops.",
    input: z.object({
      ...ref,
      providerId: z.string(),
      modelId: z.string(),
      scopeHash: z.string(),
      persist: z.boolean().default(false),
    }),
    output: Empty,
    errors: ["NOT_FOUND", "PROVIDER_NOT_CONFIGURED"],
  }),
  "egress.revokeConsent": operation({
    id: "egress.revokeConsent",
    rpc: "EgressRevokeWorkshopConsent",
    method: "DELETE",
    path: "/api/v1/workbenches/{workbenchId}/consent",
    permission: "egress:write",
    summary: "Take back every consent of a workbench.",
    input: z.object(ref),
    output: Empty,
    errors: ["NOT_FOUND"],
  }),
  "egressExceptions.list": operation({
    id: "egressExceptions.list",
    rpc: "EgressExceptionsList",
    method: "GET",
    path: "/api/v1/egress/exceptions",
    permission: "egress:read",
    summary: "Hosts of the local network that the operator approved for this workspace's providers.",
    input: Empty,
    output: z.object({ items: z.array(EgressException) }),
    errors: [],
  }),
  "egressExceptions.approve": operation({
    id: "egressExceptions.approve",
    rpc: "EgressExceptionsApprove",
    method: "PUT",
    path: "/api/v1/egress/exceptions",
    permission: "host:files",
    summary:
      "Let this workspace's providers reach one host and port of the local network, by plain HTTP too. Showing them files still needs consent.",
    input: z.object({
      /** `host:port`: an address of a private network, or a name that means one. */
      host: z.string().min(3).max(300),
      note: z.string().max(500).default(""),
    }),
    output: EgressException,
    errors: ["EGRESS_BLOCKED_BY_POLICY"],
  }),
  "egressExceptions.revoke": operation({
    id: "egressExceptions.revoke",
    rpc: "EgressExceptionsRevoke",
    method: "DELETE",
    path: "/api/v1/egress/exceptions",
    permission: "host:files",
    summary: "Take an approval back. Requests to that host are refused from now on.",
    input: z.object({ host: z.string().min(3).max(300) }),
    output: Empty,
    errors: ["NOT_FOUND"],
  }),
  "egress.listEvents": operation({
    id: "egress.listEvents",
    rpc: "EgressListEvents",
    method: "GET",
    path: "/api/v1/egress/events",
    permission: "egress:read",
    summary: "What was sent where, newest first. No content.",
    input: z.object({ ...pageInput, workbenchId: z.string().optional(), runId: z.string().optional() }),
    output: page(EgressEvent),
    errors: [],
  }),
} as const;
