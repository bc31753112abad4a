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
    "runs.prune": ({ before, dryRun, keepPerSession, kinds, force }, { signal }) =>
      retention.prune({
        before: new Date(before).toISOString(),
        dryRun,
        ...(keepPerSession !== undefined && { keepPerSession }),
        ...(kinds && { kinds }),
        ...(force !== undefined && { force }),
        signal,
      }),
  };
}
