import type { CheckpointStore, ReplayPoint, RunCheckpoint } from "@benchtop/protocol";
import { checkCheckpointName, existingCheckpoint } from "@benchtop/protocol/run-checkpoints";

/** The named points of the journals in memory. */
export class MemoryCheckpoints implements CheckpointStore {
  readonly #pointAt: (runId: string, seq: number) => ReplayPoint;
  readonly #points = new Map<string, RunCheckpoint[]>();

  /** `pointAt` throws `NOT_FOUND` when there is no such event. */
  constructor(pointAt: (runId: string, seq: number) => ReplayPoint) {
    this.#pointAt = pointAt;
  }

  async save({ runId, seq, name, userId }: Parameters<CheckpointStore["save"]>[0]): Promise<RunCheckpoint> {
    checkCheckpointName(name);
    const point = this.#pointAt(runId, seq);
    const points = this.#points.get(runId) ?? [];
    const existing = existingCheckpoint(points, { runId, name, seq });
    if (existing) return existing;
    const checkpoint = { ...point, name, userId, createdAt: new Date().toISOString() };
    this.#points.set(
      runId,
      [...points, checkpoint].sort((a, b) => a.seq - b.seq),
    );
    return checkpoint;
  }

  async list(runId: string): Promise<readonly RunCheckpoint[]> {
    return this.#points.get(runId) ?? [];
  }

  async remove(runId: string, name: string): Promise<boolean> {
    const points = this.#points.get(runId) ?? [];
    const left = points.filter((point) => point.name !== name);
    this.#points.set(runId, left);
    return left.length < points.length;
  }

  forget(runId: string): void {
    this.#points.delete(runId);
  }
}
