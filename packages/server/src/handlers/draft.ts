import type { draftOperations } from "@benchtop/operations";
import type { HandlersOf } from "../api/handler.ts";
import type { Services } from "./services.ts";

export function draftHandlers({ workbenches }: Services): HandlersOf<typeof draftOperations> {
  return {
    "draft.getState": (input) => workbenches.draftState(input),
    "review.getChangeSet": (input) => workbenches.changeSet(input),
    "review.getTextDiff": (input) => workbenches.textDiff(input),
    "draft.confirmDeletions": (input) => workbenches.confirmDeletions(input),
    "draft.publish": (input, { identity }) => workbenches.publish({ ...input, userId: identity.userId }),
    "draft.discard": (input, { identity }) => workbenches.discard({ ...input, userId: identity.userId }),
    "checkpoints.list": (input) => workbenches.checkpoints(input),
    "checkpoints.create": (input) => workbenches.createCheckpoint(input),
    "checkpoints.restore": (input, { identity }) => workbenches.restore({ ...input, userId: identity.userId }),
  };
}
