import { BenchtopError, type ErrorCode } from "@benchtop/protocol";
import type { ModelDownloadsTable } from "@benchtop/store";
import { requestText } from "../registry/source-text.ts";
import { bytesOf, type Offer } from "./offer.ts";
import { Speed } from "./speed.ts";

export type DownloadStatus = ModelDownloadsTable["state"];

/** A model on its way, or that ended. Sizes and speed are those of this moment. */
export interface Download {
  readonly id: string;
  /** What the model is called once it is installed. */
  readonly name: string;
  /** In words that `parseModelRequest` takes. */
  readonly source: string;
  readonly state: DownloadStatus;
  readonly files: readonly { readonly path: string; readonly bytes: number | null; readonly bytesDone: number }[];
  readonly bytesDone: number;
  /** Null until the source has told. */
  readonly bytesTotal: number | null;
  /** Of the last seconds; null when nothing is coming. */
  readonly bytesPerSecond: number | null;
  /** The source did not answer and is asked again then. */
  readonly retryAt: string | null;
  readonly error: { readonly code: ErrorCode; readonly message: string } | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly workspaceId: string;
  readonly userId: string | null;
}

/** What a download does, as its row keeps it: everything that was decided when it was asked for. */
export interface DownloadPlan {
  readonly offer: Offer;
  readonly replace: boolean;
}

/** States from which nothing happens by itself any more. */
export const endedStates: ReadonlySet<DownloadStatus> = new Set(["failed", "done", "canceled"]);
/** States in which a download still takes, or will take, room. */
export const unfinishedStates: ReadonlySet<DownloadStatus> = new Set(["queued", "running", "paused", "verifying"]);

/** One download in this process: its row, and what is only known while it runs. */
export class DownloadEntry {
  readonly plan: DownloadPlan;
  readonly speed = new Speed();
  row: ModelDownloadsTable;
  /** Bytes of each file that have come. */
  readonly done: number[];
  readonly totals: (number | null)[];
  retryAt: Date | undefined;
  /** Set while it runs. Aborting says why it stops. */
  running: AbortController | undefined;
  task: Promise<void> = Promise.resolve();

  constructor(row: ModelDownloadsTable) {
    this.row = row;
    this.plan = JSON.parse(row.plan) as DownloadPlan;
    const { files } = this.plan.offer;
    const isDone = row.state === "done";
    this.done = files.map(({ bytes }) => (isDone ? (bytes ?? 0) : 0));
    this.totals = files.map(({ bytes }) => bytes);
  }

  get bytesDone(): number {
    return this.row.state === "done" ? this.row.bytes_done : this.done.reduce((sum, bytes) => sum + bytes, 0);
  }

  get bytesTotal(): number | null {
    return this.row.state === "done" ? this.row.bytes_total : bytesOf(this.totals.map((bytes) => ({ bytes })));
  }

  get isUnfinished(): boolean {
    return unfinishedStates.has(this.row.state);
  }

  toDownload(): Download {
    const { row } = this;
    return {
      id: row.id,
      name: row.name,
      source: requestText(this.plan.offer.request),
      state: row.state,
      files: this.plan.offer.files.map(({ name }, index) => ({
        path: name,
        bytes: this.totals[index] ?? null,
        bytesDone: this.done[index] ?? 0,
      })),
      bytesDone: this.bytesDone,
      bytesTotal: this.bytesTotal,
      bytesPerSecond: row.state === "running" ? this.speed.bytesPerSecond() : null,
      retryAt: row.state === "running" ? (this.retryAt?.toISOString() ?? null) : null,
      error: row.error === null ? null : (JSON.parse(row.error) as Download["error"]),
      createdAt: row.created_at,
      updatedAt: row.updated_at,
      workspaceId: row.workspace_id,
      userId: row.user_id,
    };
  }
}

/** What a row keeps of a failure. Messages are for people and hold no content. */
export function errorText(thrown: unknown): string {
  const { code, message } = BenchtopError.from(thrown, "INTERNAL");
  return JSON.stringify({ code, message });
}
