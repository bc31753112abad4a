import type { Caller } from "../../api/caller.ts";

/** What there is in a workbench, without the content of its files. */
export interface Overview {
  readonly workbenchId: string;
  readonly name: string;
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly mediaType: string }[];
  readonly moreFiles: boolean;
  readonly draft: {
    readonly exists: boolean;
    readonly added: number;
    readonly modified: number;
    readonly deleted: number;
  };
  /** The newest; absent for those who may not see runs. */
  readonly runs?: readonly {
    readonly runId: string;
    readonly kind: string;
    readonly title: string;
    readonly status: string;
    readonly errorCode: string | null;
    readonly startedAt: string;
  }[];
}

export async function readOverview(caller: Caller, ref: string, signal: AbortSignal): Promise<Overview> {
  const { workbenchId, name } = await caller.call("workbenches.open", { workbenchId: ref }, signal);
  const [files, draft, past] = await Promise.all([
    caller.call("files.list", { workbenchId, limit: 500 }, signal),
    caller.call("draft.getState", { workbenchId }, signal),
    caller.may("runs:read") ? caller.call("runs.list", { workbenchId, limit: 20 }, signal) : undefined,
  ]);
  return {
    workbenchId,
    name,
    files: files.items.map(({ path, bytes, mediaType }) => ({ path, bytes, mediaType })),
    moreFiles: files.nextCursor !== null,
    draft: { exists: draft.exists, ...draft.counts },
    ...(past && {
      runs: past.items.map(({ runId, kind, title, status, errorCode, startedAt }) => ({
        runId,
        kind,
        title,
        status,
        errorCode,
        startedAt,
      })),
    }),
  };
}
