import type { ProviderAdapter } from "@benchtop/harness";
import type { Providers, ResolvedModel } from "@benchtop/models";
import { Runs } from "@benchtop/runs";
import { openStore, type Store } from "@benchtop/store";
import { Workbenches } from "@benchtop/workbench";

/** Benchtop as a library: what the daemon is made of, below its transports. */
export interface Product extends AsyncDisposable {
  readonly store: Store;
  readonly runs: Runs;
  readonly workbenches: Workbenches;
}

/**
 * Opens a home and does what the daemon's start-up does: finishes or takes back what a crash left, closes the runs that
 * it left open. The model of its agents is a script, so that every process does the same.
 */
export async function startUp(home: string, model?: ProviderAdapter): Promise<Product> {
  const store = await openStore({ home, soleOwner: true });
  const runs = new Runs({ store });
  const workbenches = new Workbenches({ store, runs, home, providers: scriptedProviders(model) });
  const product = {
    store,
    runs,
    workbenches,
    async [Symbol.asyncDispose]() {
      await runs.shutdown();
      await workbenches.close();
      await store.close();
    },
  };
  await workbenches.recover();
  await runs.recover((run) => workbenches.settle(run));
  return product;
}

export const scriptedModel = "script/one";

/** Workbenches ask their providers for nothing but `resolve`. */
function scriptedProviders(model: ProviderAdapter | undefined): Providers {
  const resolved: ResolvedModel = {
    providerId: "script",
    modelId: "one",
    local: true,
    host: "127.0.0.1",
    prices: null,
    adapter: () => {
      if (!model) throw new Error("this process has no model");
      return model;
    },
  };
  return { resolve: () => Promise.resolve(resolved) } as unknown as Providers;
}
