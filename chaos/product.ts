import { setTimeout as wait } from "node:timers/promises";
import type { ProviderAdapter } from "@benchtop/harness";
import type { Providers, ResolvedModel } from "@benchtop/models";
import type { RunInit } from "@benchtop/protocol";
import { Runs, type Program } from "@benchtop/runs";
import { openStore, type Store } from "@benchtop/store";
import { Workbenches } from "@benchtop/workbench";
import { countingAgent } from "./counting-agent.ts";

/** Benchtop as a library: what the daemon is made of, below its transports. */
export interface Product extends AsyncDisposable {
  readonly store: Store;
  readonly runs: Runs;
  readonly workbenches: Workbenches;
}

/**
 * Opens a home and does what the daemon's start-up does: finishes or takes back what a crash left, resumes the runs that
 * it left open or closes them, and waits for their end. The model of its agents is a script, so that every process does the
 * same; a run that asks whether a call of unknown outcome should be repeated is told no.
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
  try {
    await workbenches.recover();
    const programOf = (init: RunInit) => programOfRun(home, init);
    await runs.recover((run) => workbenches.settle(run), programOf);
    await resumedToTheirEnd(product, programOf);
    return product;
  } catch (error) {
    await product[Symbol.asyncDispose]();
    throw error;
  }
}

/** The counting agent can go on; agents on a workbench cannot, so that what a crash leaves of their Draft is looked at as it is. */
async function programOfRun(home: string, init: RunInit): Promise<Program | undefined> {
  return init.kind === "agent" && init.workbenchId === undefined ? { body: countingAgent(home) } : undefined;
}

async function resumedToTheirEnd(
  { runs, store }: Product,
  programOf: (init: RunInit) => Promise<Program | undefined>,
): Promise<void> {
  for (;;) {
    while (runs.active().length > 0) await wait(1);
    const { items } = await store.ledger.list({ workspaceId: null, suspended: true });
    if (items.length === 0) return;
    for (const { runId, kind } of items) {
      const program = await programOf({ kind } as RunInit);
      if (program) await runs.resume(runId, program, { decision: "skip" });
    }
  }
}

export const scriptedModel = "script/one";

/** Workbenches ask their providers for nothing but `resolve`. */
function scriptedProviders(model: ProviderAdapter | undefined): Providers {
  const resolved: ResolvedModel = {
    workspaceId: "default",
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
