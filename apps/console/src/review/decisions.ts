import type { Change, InputOf, Operations, OutputOf } from "@benchtop/operations";
import { useState } from "react";
import { client, failureOf, isCode, type Failure } from "../api/client.ts";
import { query, queryClient, refreshWorkbench } from "../api/queries.ts";

export type Decision = InputOf<Operations["draft.decide"]>["decisions"][number];

/** A deletion is accepted by confirming it, which publishing needs. */
export function isAccepted(change: Change): boolean {
  return change.change === "deleted" ? change.confirmed === true : change.accepted;
}

/** The decision on a whole file, as it is now. */
export function decisionOn(change: Change, decision: Decision["decision"], hunks?: string[]): Decision {
  return { path: change.path, sha256: change.sha256After, decision, ...(hunks !== undefined && { hunks }) };
}

export interface Decisions {
  readonly busy: boolean;
  readonly failure: Failure | undefined;
  /** The file was not any more what the person had seen; what is shown is new. */
  readonly outdated: boolean;
  /** `confirmed`: deletions that are confirmed with it. False when it failed; why is in `failure`. */
  readonly decide: (decisions: readonly Decision[], confirmed?: readonly string[]) => Promise<boolean>;
  readonly dismiss: () => void;
}

/** Sends what a person decides on files and stretches of files, and shows what came of it. */
export function useDecisions(workbenchId: string, draftId: string | null | undefined): Decisions {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const [outdated, setOutdated] = useState(false);
  const decide = async (decisions: readonly Decision[], confirmed: readonly string[] = []): Promise<boolean> => {
    if (decisions.length === 0) return true;
    setBusy(true);
    setFailure(undefined);
    setOutdated(false);
    try {
      if (confirmed.length > 0) await client.call("draft.confirmDeletions", { workbenchId, paths: [...confirmed] });
      const answer = await client.call("draft.decide", {
        workbenchId,
        decisions: [...decisions],
        ...(draftId != null && { draftId }),
      });
      await showDecided(workbenchId, new Set(decisions.map(({ path }) => path)), answer);
      return true;
    } catch (thrown) {
      setFailure(failureOf(thrown));
      setOutdated(isCode(thrown, "CONFLICT_PUBLISHED_CHANGED"));
      await refreshReview(workbenchId);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, failure, outdated, decide, dismiss: () => setFailure(undefined) };
}

/** The answer tells of the decided files what the Draft still changes: they are shown so before all is asked again. */
async function showDecided(
  workbenchId: string,
  decided: ReadonlySet<string>,
  { draft, changes }: OutputOf<Operations["draft.decide"]>,
): Promise<void> {
  if (draft.exists) {
    const still = new Map(changes.map((change) => [change.path, change]));
    queryClient.setQueryData(query("review.getChangeSet", { workbenchId }).queryKey, (before) =>
      before === undefined
        ? undefined
        : {
            ...before,
            draft,
            changes: before.changes.flatMap((change) => {
              const now = still.get(change.path);
              return now !== undefined ? [now] : decided.has(change.path) ? [] : [change];
            }),
          },
    );
  }
  await Promise.all([
    queryClient.invalidateQueries({
      predicate: ({ queryKey: [id, input] }) =>
        id === "review.getTextDiff" &&
        typeof input === "object" &&
        input !== null &&
        "path" in input &&
        decided.has(String(input.path)),
    }),
    refreshWorkbench(workbenchId),
  ]);
}

/** Everything of Review is asked again, what is shown of single files too. */
export async function refreshReview(workbenchId: string): Promise<void> {
  await Promise.all([
    queryClient.invalidateQueries({
      predicate: ({ queryKey: [id, input] }) =>
        (id === "review.getTextDiff" || id === "review.getDocumentDiff") &&
        typeof input === "object" &&
        input !== null &&
        "workbenchId" in input &&
        input.workbenchId === workbenchId,
    }),
    refreshWorkbench(workbenchId),
  ]);
}
