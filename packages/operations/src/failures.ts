import { errorActions, errorCodes, phases } from "@benchtop/protocol";
import { z } from "zod";
import { operation } from "./define.ts";
import { page, pageInput } from "./pagination.ts";

/** Something that went wrong, kept on this machine. It holds no prompt, no file content and no secret. */
export const FailureReport = z.object({
  failureId: z.string(),
  at: z.string(),
  errorCode: z.enum(errorCodes),
  phase: z.enum(phases),
  subphase: z.string().nullable(),
  /** In words of ours. */
  message: z.string(),
  retryable: z.boolean(),
  actions: z.array(z.enum(errorActions)),
  /** The operation that failed, where it was one and no run. */
  operation: z.string().nullable(),
  runId: z.string().nullable(),
  runKind: z.string().nullable(),
  workbenchId: z.string().nullable(),
  providerId: z.string().nullable(),
  modelId: z.string().nullable(),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())])),
  /** Where in Benchtop it came from, for defects: functions and lines, without values. */
  stack: z.array(z.string()),
  /** What the run did last: types and times of its events. */
  lastEvents: z.array(z.object({ type: z.string(), at: z.string() })),
  version: z.string(),
  platform: z.string(),
});
export type FailureReport = z.infer<typeof FailureReport>;

export const failureOperations = {
  "failures.list": operation({
    id: "failures.list",
    rpc: "FailuresList",
    method: "GET",
    path: "/api/v1/failures",
    permission: "runs:read",
    summary: "What went wrong in this workspace, newest first. No content.",
    input: z.object({
      ...pageInput,
      workbenchId: z.string().max(100).optional(),
      runId: z.string().max(130).optional(),
    }),
    output: page(FailureReport),
    errors: [],
  }),
  "failures.get": operation({
    id: "failures.get",
    rpc: "FailuresGet",
    method: "GET",
    path: "/api/v1/failures/{failureId}",
    permission: "runs:read",
    summary: "One failure: `detail_ref` of an error.",
    input: z.object({ failureId: z.string().min(1).max(100) }),
    output: FailureReport,
    errors: ["NOT_FOUND"],
  }),
} as const;
