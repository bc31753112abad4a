import { BenchtopError } from "@benchtop/protocol";

interface ActiveAgent {
  readonly runId: string;
  readonly ended: Promise<void>;
}

/**
 * Which agent run works on which workbench now: one at a time, because two would write the same Draft without knowing of each
 * other. While it works, Published stands still, so that what it reads is what its consent was given for.
 */
export class Agents {
  readonly #active = new Map<string, ActiveAgent>();

  /** Claims a workbench for a run; the returned function gives it back. Throws while another run has it. */
  claim(workbenchId: string, runId: string): () => void {
    const other = this.#active.get(workbenchId);
    if (other) throw busy(workbenchId, other.runId, "An agent is working on this workbench already");
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#active.set(workbenchId, { runId, ended: promise });
    return () => {
      this.#active.delete(workbenchId);
      resolve();
    };
  }

  active(workbenchId: string): ActiveAgent | undefined {
    return this.#active.get(workbenchId);
  }

  refuseWhileActive(workbenchId: string): void {
    const agent = this.#active.get(workbenchId);
    if (agent) throw busy(workbenchId, agent.runId, "An agent is still working on this workbench");
  }
}

function busy(workbenchId: string, runId: string, what: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `${what} (run ${runId}). Wait until it has finished, or abort it.`, {
    phase: "workshop",
    subphase: "agent_active",
    retryable: true,
    actions: ["retry"],
    workbenchId,
    detail: { active_run_id: runId },
  });
}
