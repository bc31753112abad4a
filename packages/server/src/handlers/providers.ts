import type { providerOperations } from "@benchtop/operations";
import { withPreset } from "@benchtop/models";
import type { HandlersOf } from "../api/handler.ts";
import type { Services } from "./services.ts";

export function providerHandlers({ providers, catalogue }: Services): HandlersOf<typeof providerOperations> {
  return {
    "providers.list": async (_, { identity }) => ({ items: await providers.list(identity.workspaceId) }),
    "providers.catalogue": async () => ({ items: [...(await catalogue()).providers] }),
    "providers.add": async (input, { identity }) =>
      providers.add(identity.workspaceId, withPreset(input, await catalogue())),
    "providers.test": ({ name }, { identity }) => providers.test(identity.workspaceId, name),
    "providers.remove": async ({ name }, { identity }) => {
      await providers.remove(identity.workspaceId, name);
      return {};
    },
    "models.list": (_, { identity }) => providers.models(identity.workspaceId),
  };
}
