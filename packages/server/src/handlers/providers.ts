import type { providerOperations } from "@benchtop/operations";
import { withPreset } from "@benchtop/models";
import type { HandlersOf } from "../api/handler.ts";
import type { Services } from "./services.ts";

export function providerHandlers({ providers, catalogue }: Services): HandlersOf<typeof providerOperations> {
  return {
    "providers.list": async () => ({ items: await providers.list() }),
    "providers.catalogue": async () => ({ items: [...(await catalogue()).providers] }),
    "providers.add": async (input) => providers.add(withPreset(input, await catalogue())),
    "providers.test": ({ name }) => providers.test(name),
    "providers.remove": async ({ name }) => {
      await providers.remove(name);
      return {};
    },
    "models.list": () => providers.models(),
  };
}
