import type { ProviderAdapter, ProviderPart, ProviderRequest } from "@benchtop/harness";
import { BenchtopError } from "@benchtop/protocol";
import { checkAsked, type RuntimeCall } from "../runtime.ts";
import { chatRequestOf, providerPartsOf } from "./chat.ts";
import type { Fleet } from "./fleet.ts";

/** One model of the fleet as a provider. */
export function fleetAdapter(fleet: Pick<Fleet, "id" | "chat">, model: string, call: RuntimeCall): ProviderAdapter {
  return { id: fleet.id, stream: (request, signal) => answer(fleet, model, call, request, signal) };
}

async function* answer(
  fleet: Pick<Fleet, "id" | "chat">,
  model: string,
  { grammar, load }: RuntimeCall,
  request: ProviderRequest,
  signal: AbortSignal,
): AsyncGenerator<readonly ProviderPart[]> {
  const place = { providerId: fleet.id, modelId: request.modelId };
  checkAsked(fleet.id, model, request.modelId);
  let isWhole = false;
  try {
    for await (const parts of fleet.chat(model, chatRequestOf(request, grammar), signal, load)) {
      const said = providerPartsOf(parts);
      isWhole ||= said.some(({ type }) => type === "finish");
      yield said;
    }
  } catch (thrown) {
    if (signal.aborted) throw new BenchtopError("USER_CANCELED", "The request was canceled.", place);
    throw BenchtopError.from(thrown).at(place);
  }
  if (!isWhole) throw new BenchtopError("PROVIDER_UNAVAILABLE", `${model} ended its answer early.`, place);
}
