import type { Catalogue, EgressExceptions, EgressLog, LocalModels, Providers, Secrets } from "@benchtop/models";
import type { Runs } from "@benchtop/runs";
import type { Store } from "@benchtop/store";
import type { Workbenches } from "@benchtop/workbench";
import type { TraceExport } from "../trace/trace-export.ts";
import type { OidcSignIn } from "../oidc/oidc.ts";
import type { Identities } from "../identity/identities.ts";

/** What the handlers work with; made once by `startDaemon`. */
export interface Services {
  readonly home: string;
  /** Through which model providers are reached; undefined for none. */
  readonly proxy: string | undefined;
  readonly databaseUrl: string | undefined;
  readonly startedAt: Date;
  /** Where the daemon listens. */
  readonly url: () => string;
  /** The first address under which the operator says that others reach it. */
  readonly publicUrl: () => string | undefined;
  readonly store: Store;
  readonly runs: Runs;
  readonly secrets: Secrets;
  readonly providers: Providers;
  /** Those of this machine. */
  readonly localModels: LocalModels;
  /** What is known of inference providers; read when first asked for. */
  readonly catalogue: () => Promise<Catalogue>;
  readonly workbenches: Workbenches;
  readonly identities: Identities;
  readonly oidc: OidcSignIn;
  readonly egressLog: EgressLog;
  readonly egressExceptions: EgressExceptions;
  /** How the exports of traces fare. */
  readonly traces: () => readonly TraceExport["state"][];
  /** What an operator should not forget: shown with the status until it is over. */
  readonly warnings: readonly string[];
  readonly maxUploadBytes: number;
}
