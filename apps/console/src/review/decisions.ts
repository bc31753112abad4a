import type { Change, InputOf, Operations, OutputOf } from "@benchtop/operations";
import { useState } from "react";
import { client, failureOf, isCode, type Failure } from "../api/client.ts";
import { query, queryClient, refreshWorkbench } from "../api/queries.ts";

export type Decision = InputOf<Operations["draft.decide"]>["decisions"][number];

/** A deletion is accepted by confirming it. */
export function isAccepted(change: Change): boolean {
  return change.accepted || (change.change === "deleted" && change.confirmed === true);
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
  /** False when it failed; why is in `failure`. */
  readonly decide: (decisions: readonly Decision[]) => Promise<boolean>;
  readonly dismiss: () => void;
}

/** Sends what a person decides on files and stretches of files, and shows what came of it. */
export function useDecisions(workbenchId: string, draftId: string | null | undefined): Decisions {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const [outdated, setOutdated] = useState(false);
  const decide = async (decisions: readonly Decision[]): Promise<boolean> => {
    if (decisions.length === 0) return true;
    setBusy(true);
    setFailure(undefined);
    setOutdated(false);
    try {
      const answer = await client.call("draft.decide", {
        workbenchId,
        decisions: [...decisions],
        ...(draftId != null && { draftId }),
      });
      await showDecided(workbenchId, answer, new Set(decisions.map(({ path }) => path)));
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

/** The answer of a decision is the new list: nothing has to be asked again before it is seen. */
async function showDecided(
  workbenchId: string,
  answer: OutputOf<Operations["draft.decide"]>,
  paths: ReadonlySet<string>,
): Promise<void> {
  if (answer.draft.exists) {
    queryClient.setQueryData(query("review.getChangeSet", { workbenchId }).queryKey, (before) => ({
      ...before,
      ...answer,
    }));
  }
  await Promise.all([
    queryClient.invalidateQueries({
      predicate: ({ queryKey: [id, input] }) =>
        id === "review.getTextDiff" &&
        typeof input === "object" &&
        input !== null &&
        "path" in input &&
        paths.has(String(input.path)),
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
