import type { Reference } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import type { Store } from "@benchtop/store";
import type { Workbenches } from "@benchtop/workbench";

/**
 * Whose things are whose. Every call of every transport passes here before its handler, so that no handler ever sees
 * the id of a thing of another workspace; such a thing is as good as none (`NOT_FOUND`).
 */
export class References {
  readonly #workbenches: Pick<Workbenches, "idOf">;
  readonly #store: Store;

  constructor(parts: { readonly workbenches: Pick<Workbenches, "idOf">; readonly store: Store }) {
    this.#workbenches = parts.workbenches;
    this.#store = parts.store;
  }

  async resolve(kind: Reference["kind"], value: string, workspaceId: string): Promise<string> {
    return kind === "run" ? await this.#run(value, workspaceId) : await this.#workbenches.idOf(value, workspaceId);
  }

  async #run(runId: string, workspaceId: string): Promise<string> {
    const run = await this.#store.ledger.get(runId);
    if (run?.workspaceId === workspaceId) return runId;
    throw new BenchtopError("NOT_FOUND", `There is no run ${runId}.`, { runId });
  }
}
