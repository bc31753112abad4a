import { RunEvent, RunStatus } from "@benchtop/protocol";
import { z } from "zod";
import { operation } from "./define.ts";
import { Empty, page, pageInput } from "./pagination.ts";
import { ModelRef } from "./providers.ts";
import { runRequest } from "./runs.ts";
import { WorkbenchRef } from "./workbenches.ts";

const ref = { workbenchId: WorkbenchRef };

/** What one run says in the conversation of a workbench; a view of its journal. */
export const ConversationEntry = z.object({
  runId: z.string(),
  kind: z.enum(["agent", "publish", "restore", "discard", "other"]),
  status: RunStatus,
  startedAt: z.string(),
  task: z.string().nullable(),
  model: z.string().nullable(),
  /** Events without deltas: enough to draw the turn. A live run is followed with runs.events from the last `seq`. */
  events: z.array(RunEvent),
});
export type ConversationEntry = z.infer<typeof ConversationEntry>;

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
  /** The host that the bytes would go to. */
  host: z.string(),
});
export type ConsentStatus = z.infer<typeof ConsentStatus>;

export const EgressEvent = z.object({
  id: z.string(),
  at: z.string(),
  purpose: z.enum(["model-call", "provider-test", "model-list", "oidc"]),
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
});
export type EgressEvent = z.infer<typeof EgressEvent>;

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
