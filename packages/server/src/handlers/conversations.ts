import type { conversationOperations } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import type { Store } from "@benchtop/store";
import type { HandlersOf } from "../api/handler.ts";
import type { Services } from "./services.ts";

export function conversationHandlers({ store }: Services): HandlersOf<typeof conversationOperations> {
  return {
    "conversations.list": (input, { identity }) =>
      store.conversations.list({ ...input, workspaceId: identity.workspaceId }),
    "conversations.get": ({ sessionId }, { identity }) => find(store, identity.workspaceId, sessionId),
    "conversations.delete": async ({ sessionId }, { identity: { workspaceId } }) => {
      await find(store, workspaceId, sessionId);
      return await deleteRuns(store, { workspaceId, sessionId });
    },
  };
}

async function find({ conversations }: Store, workspaceId: string, sessionId: string) {
  const conversation = await conversations.get(workspaceId, sessionId);
  if (conversation !== undefined) return conversation;
  throw new BenchtopError("NOT_FOUND", "There is no such conversation.", { phase: "run" });
}

/** All or none as far as it can be known beforehand: a run that goes on is looked for before the first is deleted. */
async function deleteRuns(
  { ledger, retention }: Store,
  of: { readonly workspaceId: string; readonly sessionId: string },
): Promise<{ runs: number; events: number }> {
  const pending = await ledger.list({ ...of, status: "pending", limit: 1 });
  const [going] = pending.items;
  if (going !== undefined) {
    const message = `Run ${going.runId} of this conversation has not ended. Abort it, then delete the conversation.`;
    throw new BenchtopError("VALIDATION_FAILED", message, { phase: "run", runId: going.runId });
  }
  const runIds: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await ledger.list({ ...of, limit: 1000, cursor });
    runIds.push(...page.items.filter(({ status }) => status !== "replay").map(({ runId }) => runId));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  let events = 0;
  for (const runId of runIds) events += (await retention.delete(runId, { force: true })).events;
  return { runs: runIds.length, events };
}
