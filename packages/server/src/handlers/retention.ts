import type { retentionOperations } from "@benchtop/operations";
import type { HandlersOf } from "../api/handler.ts";
import type { Services } from "./services.ts";

export function retentionHandlers({ store }: Services): HandlersOf<typeof retentionOperations> {
  const { retention } = store;
  return {
    "runs.delete": async ({ runId, force }) => ({
      runId,
      ...(await retention.delete(runId, force === undefined ? {} : { force })),
    }),
    "runs.prune": async ({ before, dryRun, keepPerSession, kinds, force }, { identity, signal }) => {
      const report = await retention.prune({
        workspaceId: identity.workspaceId,
        before: new Date(before).toISOString(),
        dryRun,
        ...(keepPerSession !== undefined && { keepPerSession }),
        ...(kinds && { kinds }),
        ...(force !== undefined && { force }),
        signal,
      });
      // Stored content is the whole installation's, and how much of it nobody needed says something of other workspaces.
      return identity.permissions.includes("system:read") ? report : { ...report, blobs: null, bytes: null };
    },
  };
}
