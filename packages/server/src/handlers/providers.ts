import type { providerOperations } from "@benchtop/operations";
import type { HandlersOf } from "../api/handler.ts";
import type { Services } from "./services.ts";

export function providerHandlers({ providers }: Services): HandlersOf<typeof providerOperations> {
  return {
    "providers.list": async () => ({ items: await providers.list() }),
    "providers.add": (input) => providers.add(input),
    "providers.test": ({ name }) => providers.test(name),
    "providers.remove": async ({ name }) => {
      await providers.remove(name);
      return {};
    },
    "models.list": () => providers.models(),
  };
}
