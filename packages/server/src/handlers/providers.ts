import type { Identity, providerOperations } from "@benchtop/operations";
import { withPreset } from "@benchtop/models";
import { BenchtopError } from "@benchtop/protocol";
import type { HandlersOf } from "../api/handler.ts";
import type { Services } from "./services.ts";

export function providerHandlers({ providers, catalogue }: Services): HandlersOf<typeof providerOperations> {
  return {
    "providers.list": async (_, { identity }) => ({ items: await providers.list(identity.workspaceId) }),
    "providers.catalogue": async () => ({ items: [...(await catalogue()).providers] }),
    "providers.add": async (input, { identity }) => {
      const provider = withPreset(input, await catalogue());
      if (provider.local === true) requireHost(identity);
      return await providers.add(identity.workspaceId, provider);
    },
    "providers.test": ({ name }, { identity }) => providers.test(identity.workspaceId, name),
    "providers.remove": async ({ name }, { identity }) => {
      await providers.remove(identity.workspaceId, name);
      return {};
    },
    "models.list": (_, { identity }) => providers.models(identity.workspaceId),
  };
}

/** What listens on the daemon's own loopback is not a workspace's to reach: its admins are people elsewhere. */
function requireHost({ permissions }: Identity): void {
  if (permissions.includes("host:files")) return;
  throw new BenchtopError(
    "PERMISSION_DENIED",
    "A provider on the daemon's own machine is added by its operator (this needs the permission host:files).",
    { phase: "settings", detail: { permission: "host:files" } },
  );
}
