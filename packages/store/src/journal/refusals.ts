import { BenchtopError } from "@benchtop/protocol";

export function idTaken(runId: string): BenchtopError {
  return new BenchtopError("RUN_REPLAYED", `There is a run ${runId} already. Choose another run id, or leave it out.`, {
    runId,
  });
}

export function leaseLost(runId: string): BenchtopError {
  return new BenchtopError(
    "RUN_INTERRUPTED",
    `Another worker has taken over run ${runId}; nothing more is written here.`,
    {
      runId,
    },
  );
}

export function leaseHeld(runId: string): BenchtopError {
  return new BenchtopError("RUN_INTERRUPTED", `Run ${runId} is being executed by another worker.`, { runId });
}

export function runEnded(runId: string): BenchtopError {
  return new BenchtopError("RUN_INTERRUPTED", `Run ${runId} has ended; its journal takes no more events.`, { runId });
}

export function noSuchRun(runId: string): BenchtopError {
  return new BenchtopError("NOT_FOUND", `There is no run ${runId}.`, { runId });
}
