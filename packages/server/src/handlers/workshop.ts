import type { workshopOperations } from "@benchtop/operations";
import type { HandlersOf } from "../api/handler.ts";
import type { Services } from "./services.ts";

export function workshopHandlers({ workbenches, egressLog }: Services): HandlersOf<typeof workshopOperations> {
  return {
    "workshop.runAgent": (input, { identity }) => workbenches.runAgent({ ...input, userId: identity.userId }),
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
    "egress.listEvents": (input, { identity }) => egressLog.list({ ...input, workspaceId: identity.workspaceId }),
  };
}
