import { useQuery } from "@tanstack/react-query";
import { query, refreshWorkbench } from "../api/queries.ts";
import { DiscardDialog } from "../review/discard-dialog.tsx";

/** The window that discards the Draft, from wherever on the workbench it is asked for: an error, a reminder. */
export function DraftDiscard(props: { readonly workbenchId: string; readonly onClose: () => void }) {
  const { workbenchId, onClose } = props;
  const changeSet = useQuery(query("review.getChangeSet", { workbenchId })).data;
  if (changeSet === undefined) return null;
  return (
    <DiscardDialog
      workbenchId={workbenchId}
      draft={changeSet.draft}
      changes={changeSet.changes}
      onClose={onClose}
      onDiscarded={() => {
        onClose();
        void refreshWorkbench(workbenchId);
      }}
    />
  );
}
