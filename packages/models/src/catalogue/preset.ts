import { BenchtopError } from "@benchtop/protocol";
import type { NewProvider, ProviderKind } from "../providers.ts";
import { isHostOf, type Catalogue } from "./catalogue.ts";

/** A provider to add, of which a preset may say the rest. */
export interface AskedProvider extends Omit<NewProvider, "name" | "kind" | "baseUrl"> {
  /** That of the preset when absent. */
  readonly name?: string | undefined;
  /** An id of the catalogue. */
  readonly preset?: string | undefined;
  readonly kind?: ProviderKind | undefined;
  readonly baseUrl?: string | undefined;
}

/**
 * Fills in what the preset says. What is given wins, but a preset's key never goes to a host that is not the provider's
 * (`EGRESS_BLOCKED_BY_POLICY`). Throws `VALIDATION_FAILED` for an unknown preset and for what nobody has said.
 */
export function withPreset({ preset, ...asked }: AskedProvider, catalogue: Catalogue): NewProvider {
  const entry = preset === undefined ? undefined : catalogue.providers.find(({ id }) => id === preset);
  if (preset !== undefined && !entry) {
    const known = catalogue.providers.map(({ id }) => id).join(", ");
    throw invalid(`There is no preset “${preset}”. There are: ${known}.`);
  }
  const baseUrl = asked.baseUrl ?? entry?.baseUrl;
  const name = asked.name ?? entry?.id;
  const kind = asked.kind ?? entry?.kind;
  if (name === undefined) throw invalid("A provider needs a name.");
  if (kind === undefined || baseUrl === undefined) {
    throw invalid("A provider needs a kind and a base URL, or a preset that says them.");
  }
  if (baseUrl.includes("{")) {
    throw invalid(`The address of ${entry?.displayName ?? name} is your own. Give it as the base URL: ${baseUrl}`);
  }
  const local = asked.local ?? entry?.local ?? false;
  if (entry && !local && asked.baseUrl !== undefined && !isHostOf(entry, asked.baseUrl)) {
    throw new BenchtopError(
      "EGRESS_BLOCKED_BY_POLICY",
      `${URL.parse(asked.baseUrl)?.host ?? "That address"} is no host of ${entry.displayName} (${entry.egressHosts.join(", ")}). ` +
        "Add it without the preset if you mean it.",
      { phase: "settings", subphase: "egress" },
    );
  }
  if (entry && entry.auth.scheme !== "none" && !local && asked.apiKey === undefined) {
    throw invalid(
      `${entry.displayName} wants an API key${entry.auth.keyUrl === undefined ? "" : `: ${entry.auth.keyUrl}`}.`,
    );
  }
  return { ...asked, name, kind, baseUrl, local };
}

function invalid(message: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, { phase: "settings" });
}
