import type { Identity, workshopOperations } from "@benchtop/operations";
import type { HandlersOf } from "../api/handler.ts";
import { recordAccess } from "../identity/access-log.ts";
import type { Database } from "../identity/lookup.ts";
import { downloadOf } from "./download.ts";
import type { Services } from "./services.ts";

export function workshopHandlers({
  workbenches,
  egressLog,
  egressExceptions,
}: Services): HandlersOf<typeof workshopOperations> {
  return {
    "workshop.runAgent": (input, { identity }) => workbenches.runAgent({ ...input, userId: identity.userId }),
    "workshop.sendUserMessage": (input, { identity }) =>
      workbenches.sendUserMessage({ ...input, userId: identity.userId }),
    "workshop.regenerate": (input, { identity }) => workbenches.regenerate({ ...input, userId: identity.userId }),
    "workshop.undoToMessage": (input, { identity }) => workbenches.undoToMessage({ ...input, userId: identity.userId }),
    "workshop.switchModel": (input, { identity }) => workbenches.switchModel({ ...input, userId: identity.userId }),
    "workshop.context": (input) => workbenches.contextUse(input),
    "workshop.exportConversation": async (input) => {
      const { name, content } = await workbenches.exportConversation(input);
      return downloadOf(`${name}.jsonl`, "application/jsonl", content);
    },
    "workshop.conversation": (input) => workbenches.conversation(input),
    "egress.consentStatus": async (input) => ({ workshop: await workbenches.consentStatus(input) }),
    "egress.grantConsent": async (input, { identity }) => {
      await workbenches.grantConsent({ ...input, userId: identity.userId });
      return {};
    },
    "egress.revokeConsent": async (input) => {
      await workbenches.revokeConsent(input);
      return {};
    },
    "egressExceptions.list": async (_, { identity }) => ({ items: await egressExceptions.list(identity.workspaceId) }),
    "egressExceptions.approve": (input, { identity }) =>
      egressExceptions.approve(
        identity.workspaceId,
        { ...input, userId: identity.userId },
        inAudit("egress.approved", identity),
      ),
    "egressExceptions.revoke": async ({ host }, { identity }) => {
      await egressExceptions.revoke(identity.workspaceId, host, inAudit("egress.revoked", identity));
      return {};
    },
    "egress.listEvents": (input, { identity }) => egressLog.list({ ...input, workspaceId: identity.workspaceId }),
  };
}

/** What the operator opens and closes is told in the audit, with the change. */
function inAudit(
  event: "egress.approved" | "egress.revoked",
  { workspaceId, userId: actorId }: Identity,
): (db: Database, host: string) => Promise<void> {
  return (db, host) => recordAccess(db, { event, workspaceId, actorId, subjectId: host, subjectName: host });
}
