import type { ProviderAdapter } from "@benchtop/harness";
import type { ModelFacts } from "./catalogue/catalogue.ts";

/** What the models that are installed on this machine go by in references: `benchtop/NAME`. No provider can be added under it. */
export const machineProvider = "benchtop";

/** A model that is installed and that llama.cpp runs here. */
export interface MachineModel {
  readonly name: string;
  readonly facts: ModelFacts;
}

/** Where `Providers` finds the models of this machine. They need no address, no key and no consent, and belong to no workspace. */
export interface MachineModels {
  /** Those that answer; adapters, and models made to embed, do not. */
  list(): Promise<readonly MachineModel[]>;
  /** Loads nothing yet. Throws `PROVIDER_UNAVAILABLE` for a model that is not installed, naming what to do. */
  resolve(name: string): Promise<MachineModel & { adapter(): ProviderAdapter }>;
}
