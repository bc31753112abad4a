export { openCatalogue, type Catalogue, type ModelFacts } from "./catalogue/catalogue.ts";
export type { CatalogueModel, CatalogueProvider } from "./catalogue/entry.ts";
export { withPreset, type AskedProvider } from "./catalogue/preset.ts";
export { EgressExceptions, type EgressException } from "./egress-exceptions.ts";
export { EgressLog, type CountedTokens, type EgressEvent, type EgressEventPage } from "./egress-log.ts";
export {
  providerKinds,
  Providers,
  type Model,
  type ModelList,
  type NewProvider,
  type Provider,
  type ProviderKind,
  type ResolvedModel,
} from "./providers.ts";
export { Secret } from "./secret.ts";
export { openSecrets, type Secrets } from "./secrets.ts";
