import { BenchtopError, type ReplayPoint } from "@benchtop/protocol";

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

export function noSuchEvent(runId: string, seq: number): BenchtopError {
  return new BenchtopError("NOT_FOUND", `Run ${runId} has no event ${seq}.`, { runId });
}

export function journalDeleted(runId: string, at: string): BenchtopError {
  return new BenchtopError("NOT_FOUND", `The journal of run ${runId} was deleted at ${at}; its ledger row is left.`, {
    runId,
  });
}

export function otherHistory({ runId, seq }: ReplayPoint): BenchtopError {
  return new BenchtopError("REPLAY_DIVERGED", `The journal of run ${runId} is not the one this token was made of.`, {
    runId,
    detail: { seq },
  });
}
