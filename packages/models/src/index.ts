export { openCatalogue, type Catalogue, type ModelFacts } from "./catalogue/catalogue.ts";
export type { CatalogueModel, CatalogueProvider } from "./catalogue/entry.ts";
export { withPreset, type AskedProvider } from "./catalogue/preset.ts";
export { EgressExceptions, type EgressException } from "./egress-exceptions.ts";
export { EgressLog, type CountedTokens, type EgressEvent, type EgressEventPage } from "./egress-log.ts";
export { downloadGate, type DownloadGate } from "./downloads/download-gate.ts";
export type { Download } from "./downloads/download.ts";
export { LocalModels, type LocalModelsOptions } from "./local-models.ts";
export { machineProvider, type MachineModel, type MachineModels } from "./machine-models.ts";
export type { LocalModel } from "./registry/descriptor.ts";
export { parseModelRequest, sourceText, type ModelRequest } from "./registry/source-text.ts";
export type { ServerKind, ServerStatus } from "./provider-runtimes.ts";
export type { ModelRuntime, RuntimeModel } from "./runtimes/runtime.ts";
export {
  providerKinds,
  Providers,
  type Model,
  type ModelList,
  type NewProvider,
  type Provider,
  type ProviderKind,
  type ResolvedModel,
  type WireKind,
} from "./providers.ts";
export { Secret } from "./secret.ts";
export { openSecrets, type Secrets } from "./secrets.ts";
