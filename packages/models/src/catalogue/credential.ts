import type { ProviderKind } from "../providers.ts";
import type { CatalogueProvider } from "./entry.ts";

/**
 * How a key is shown: as the protocol has it (`apiKey`), or in the header that the provider wants instead. What an entry says
 * counts for its own family of protocols alone: some providers speak two, and want the key differently in each.
 */
export function credentialOf(
  kind: ProviderKind,
  entry: CatalogueProvider | undefined,
  apiKey: string | undefined,
): { readonly apiKey?: string; readonly headers?: Readonly<Record<string, string>> } {
  if (apiKey === undefined) return {};
  if (entry === undefined || usualHeader(entry.kind) !== usualHeader(kind)) return { apiKey };
  const { scheme, header } = entry.auth;
  if (scheme === "header" && header !== undefined && header !== usualHeader(kind))
    return { headers: { [header]: apiKey } };
  if (scheme === "bearer" && usualHeader(kind) !== "authorization") {
    return { headers: { authorization: `Bearer ${apiKey}` } };
  }
  return { apiKey };
}

function usualHeader(kind: ProviderKind): string {
  return kind === "anthropic-messages" ? "x-api-key" : "authorization";
}
