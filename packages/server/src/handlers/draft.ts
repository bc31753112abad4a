import type { draftOperations } from "@benchtop/operations";
import type { HandlersOf, Progress } from "../api/handler.ts";
import type { Services } from "./services.ts";

export function draftHandlers({ workbenches, store }: Services): HandlersOf<typeof draftOperations> {
  return {
    "draft.getState": (input) => workbenches.draftState(input),
    "review.getChangeSet": (input) => workbenches.changeSet(input),
    "review.getTextDiff": (input) => workbenches.textDiff(input),
    "review.getDocumentDiff": (input) => workbenches.documentDiff(input),
    "review.getPage": (input) => workbenches.documentPage(input),
    "draft.decide": (input, { identity }) => workbenches.decide({ ...input, userId: identity.userId }),
    "draft.edit": (input) => workbenches.editDraft(input),
    "draft.confirmDeletions": (input) => workbenches.confirmDeletions(input),
    "draft.publish": (input, { identity, progress }) =>
      tellingPhases(store, progress, (onStarted) =>
        workbenches.publish({ ...input, userId: identity.userId, onStarted }),
      ),
    "draft.discard": (input, { identity }) => workbenches.discard({ ...input, userId: identity.userId }),
    "checkpoints.list": (input) => workbenches.checkpoints(input),
    "checkpoints.create": (input) => workbenches.createCheckpoint(input),
    "checkpoints.remove": (input) => workbenches.removeCheckpoint(input),
    "checkpoints.restore": (input, { identity, progress }) =>
      tellingPhases(store, progress, (onStarted) =>
        workbenches.restore({ ...input, userId: identity.userId, onStarted }),
      ),
  };
}

/** Does it, and tells its phases to a caller who waits, the last one before the answer. */
async function tellingPhases<Output>(
  { journal }: Pick<Services["store"], "journal">,
  progress: ((progress: Progress) => void) | undefined,
  start: (onStarted: ((runId: string) => void) | undefined) => Promise<Output>,
): Promise<Output> {
  if (progress === undefined) return await start(undefined);
  const over = new AbortController();
  let told: Promise<void> | undefined;
  try {
    return await start((runId) => {
      told = tellPhases(journal, runId, progress, over.signal);
    });
  } finally {
    // A journal that broke has no end to wait for.
    const timer = setTimeout(() => over.abort(), 200);
    await told;
    clearTimeout(timer);
  }
}

async function tellPhases(
  journal: Services["store"]["journal"],
  runId: string,
  progress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const event of journal.follow(runId, {}, signal)) {
      if (event.type !== "PhaseChanged") continue;
      const { phase, done, total } = event;
      progress({ runId, phase, ...(done !== undefined && { done }), ...(total !== undefined && { total }) });
    }
  } catch {
    // A journal that cannot be read fails the run itself, and so the call.
  }
}
