import { BenchtopError } from "./errors.ts";
import type { RunCheckpoint } from "./ports.ts";

/** The rules of `CheckpointStore`, the same wherever the points are kept. */

export const maxCheckpointName = 100;
export const maxCheckpointsOfRun = 1000;

/** Throws `VALIDATION_FAILED` for a name that is no name: empty, too long, or with control characters. */
export function checkCheckpointName(name: string): void {
  if (name.trim() === "" || name.length > maxCheckpointName || /\p{Cc}/u.test(name)) {
    throw new BenchtopError("VALIDATION_FAILED", `A checkpoint needs a name of 1 to ${maxCheckpointName} characters.`);
  }
}

/** The point that a run has under this name, if it is the same one; throws `VALIDATION_FAILED` where another has the name, or there are too many. */
export function existingCheckpoint(
  points: readonly RunCheckpoint[],
  wanted: { readonly runId: string; readonly name: string; readonly seq: number },
): RunCheckpoint | undefined {
  const { runId, name, seq } = wanted;
  const existing = points.find((point) => point.name === name);
  if (existing && existing.seq !== seq) {
    throw new BenchtopError(
      "VALIDATION_FAILED",
      `This run has a checkpoint of that name at event ${existing.seq}. Remove it, or choose another name.`,
      { runId, detail: { seq: existing.seq } },
    );
  }
  if (!existing && points.length >= maxCheckpointsOfRun) {
    throw new BenchtopError("VALIDATION_FAILED", `A run has ${maxCheckpointsOfRun} checkpoints at most.`, { runId });
  }
  return existing;
}
