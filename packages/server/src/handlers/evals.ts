import type { evalOperations } from "@benchtop/operations";
import type { HandlersOf } from "../api/handler.ts";
import { whoseOf } from "../identity/whose.ts";
import type { Services } from "./services.ts";

export function evalHandlers({ workbenches, store }: Services): HandlersOf<typeof evalOperations> {
  const { evals } = workbenches;
  return {
    "evals.run": (input, { identity }) => evals.run({ ...input, ...whoseOf(identity) }),
    "evals.list": (input, { identity }) => evals.list({ ...input, workspaceId: identity.workspaceId }),
    "evals.get": ({ runId }) => evals.get(runId),
    "evals.compare": ({ runId, otherRunId, ...models }) => evals.compare(runId, otherRunId, models),
    "evals.report": async ({ runId, format }) => {
      const { sha256, bytes, mediaType } = await evals.reportBlob(runId, format);
      const fileName = `${runId}.${format}`;
      return { fileName, mediaType, sha256, bytes, content: store.blobs.stream(sha256) };
    },
  };
}
