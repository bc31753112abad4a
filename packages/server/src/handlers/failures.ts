import { FailureReport, type failureOperations } from "@benchtop/operations";
import type { FailureRecord } from "@benchtop/store";
import type { HandlersOf } from "../api/handler.ts";
import type { Services } from "./services.ts";

export function failureHandlers({ store }: Services): HandlersOf<typeof failureOperations> {
  return {
    "failures.list": async (input, { identity }) => {
      const { items, nextCursor } = await store.failures.list({ ...input, workspaceId: identity.workspaceId });
      return { items: items.map(reportOf), nextCursor };
    },
    "failures.get": async ({ failureId }, { identity }) =>
      reportOf(await store.failures.get(identity.workspaceId, failureId)),
  };
}

/** A report is what was recorded, with what the rows say; an older Benchtop's may know less. */
function reportOf({ id, at, errorCode, phase, operation, runId, workbenchId, report }: FailureRecord): FailureReport {
  return FailureReport.parse({
    subphase: null,
    message: "",
    retryable: false,
    actions: [],
    runKind: null,
    providerId: null,
    modelId: null,
    detail: {},
    stack: [],
    lastEvents: [],
    version: "",
    platform: "",
    ...report,
    failureId: id,
    at,
    errorCode,
    phase,
    operation,
    runId,
    workbenchId,
  });
}
