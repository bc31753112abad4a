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
    switch (kind) {
      case "workbench":
        return await this.#workbenches.idOf(value, workspaceId);
      case "run":
        return await this.#run(value, workspaceId);
      case "session":
        return await this.#session(value, workspaceId);
    }
  }

  async #run(runId: string, workspaceId: string): Promise<string> {
    const run = await this.#store.ledger.get(runId);
    if (run?.workspaceId === workspaceId) return runId;
    throw new BenchtopError("NOT_FOUND", `There is no run ${runId}.`, { runId });
  }

  /** A conversation that nobody has used is free to begin; one of another workspace is not there. */
  async #session(sessionId: string, workspaceId: string): Promise<string> {
    const row = await this.#store.db
      .selectFrom("workbench_runs")
      .select("workspace_id")
      .where("session_id", "=", sessionId)
      .where((where) => where.or([where("workspace_id", "is", null), where("workspace_id", "!=", workspaceId)]))
      .limit(1)
      .executeTakeFirst();
    const conversation = await this.#store.db
      .selectFrom("conversations")
      .select("workspace_id")
      .where("id", "=", sessionId)
      .executeTakeFirst();
    const isOurs = row === undefined && (conversation === undefined || conversation.workspace_id === workspaceId);
    if (isOurs) return sessionId;
    throw new BenchtopError("NOT_FOUND", "There is no such conversation.", { phase: "run" });
  }
}
