import { closeHostFile, listHost, openHostFile } from "../files/host.ts";
import { lookAtPlaces, writeBack } from "../files/place.ts";
import { writeOut } from "../files/write-out.ts";
import { scan } from "../published/scan.ts";
import { build, missingBlobs, move, presence, recordStamps, remove, removeOld, syncNext } from "../published/tree.ts";
import { compareTexts } from "../review/compare.ts";
import { countLines } from "../review/count-lines.ts";
import { putBack } from "../review/put-back.ts";
import { searchTexts } from "../workshop/tools/search.ts";

/** What a thread can be asked to do: synchronous functions of one plain value. */
export const jobs = {
  scan,
  build,
  syncNext,
  missingBlobs,
  move,
  presence,
  remove,
  removeOld,
  recordStamps,
  listHost,
  openHostFile,
  closeHostFile,
  writeOut,
  lookAtPlaces,
  writeBack,
  compareTexts,
  countLines,
  putBack,
  searchTexts,
} as const;

export type Jobs = typeof jobs;

/** Functions of one plain value, by name; they may take their time. */
export type JobTable = Readonly<Record<string, (input: never) => unknown>>;

export interface JobRequest {
  readonly id: number;
  readonly name: string;
  readonly input: unknown;
}

/** Errors do not survive the way between threads with their class and codes, so they travel as data. */
export type JobReply =
  /** The job is no longer waiting for others; its time runs. */
  | { readonly id: number; readonly began: true }
  | { readonly id: number; readonly output: unknown }
  | { readonly id: number; readonly failure: JobFailure };

export interface JobFailure {
  readonly message: string;
  readonly code?: string;
  readonly path?: string;
  readonly stack?: string;
  /** Set for an error of the taxonomy. */
  readonly benchtop?: { readonly code: string; readonly phase: string };
}
