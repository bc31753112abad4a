import { join } from "node:path";
import type { Runs } from "@benchtop/runs";
import type { Store } from "@benchtop/store";
import type { Manifests } from "./files/manifest.ts";
import type { Limits } from "./limits.ts";
import type { Locks } from "./published/locks.ts";
import type { DocumentJobs } from "./review/document-jobs.ts";
import type { Thread } from "./threads/thread.ts";

export type Database = Store["db"];
/** A transaction of the store's database; the same queries as `Database`. */
export type Transaction = Parameters<Parameters<ReturnType<Database["transaction"]>["execute"]>[0]>[0];

/** What every capability of the workbench is built on. */
export interface Environment {
  readonly store: Store;
  readonly runs: Runs;
  /** `$BENCHTOP_HOME`. */
  readonly home: string;
  readonly limits: Limits;
  readonly manifests: Manifests;
  /** One change at a time for each workbench. */
  readonly locks: Locks;
  /** Everything that touches trees of files. Jobs run in order. */
  readonly disk: Thread;
  /** Diffs and searches: jobs that change nothing and may be killed. */
  readonly compute: Thread;
  /** Reads documents that nobody vouches for. Its jobs change nothing; one that takes too long or too much is killed. */
  readonly documents: Thread<DocumentJobs>;
}

/** The folder of a workbench; `published/` is in it. */
export function folderOf(environment: Pick<Environment, "home">, workbenchId: string): string {
  return join(environment.home, "workbenches", workbenchId);
}

/** ISO 8601 UTC with milliseconds, as all times in the database. */
export function now(): string {
  return new Date().toISOString();
}
