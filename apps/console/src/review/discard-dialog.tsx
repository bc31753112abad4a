import type { Change, DraftState } from "@benchtop/operations";
import { useState } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { Button } from "../components/button.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { ChangeMark } from "../files/change-mark.tsx";
import { describeCounts } from "./publish-dialog.tsx";

/** Names what will be lost before it is. */
export function DiscardDialog(props: {
  readonly workbenchId: string;
  readonly draft: DraftState;
  readonly changes: readonly Change[];
  readonly onClose: () => void;
  readonly onDiscarded: () => void;
}) {
  const { workbenchId, draft, changes } = props;
  const [failure, setFailure] = useState<Failure>();
  const [busy, setBusy] = useState(false);
  const discard = async () => {
    setBusy(true);
    setFailure(undefined);
    try {
      await client.call("draft.discard", { workbenchId, ...(draft.draftId !== null && { draftId: draft.draftId }) });
      props.onDiscarded();
    } catch (thrown) {
      setFailure(failureOf(thrown));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={`Discard ${describeCounts(draft.counts)}?`}
      description="The published files stay as they are. These changes are lost and cannot be brought back:"
      footer={
        <>
          <Button onClick={props.onClose}>Keep the Draft</Button>
          <Button tone="danger" busy={busy} onClick={() => void discard()}>
            Discard
          </Button>
        </>
      }
    >
      <ul
        tabIndex={0}
        aria-label="Changes that will be lost"
        className="max-h-56 overflow-y-auto rounded-lg border border-line text-sm"
      >
        {changes.slice(0, 300).map((change) => (
          <li
            key={change.path}
            className="tabular flex items-center gap-2 border-b border-line px-3 py-1 last:border-b-0"
          >
            <ChangeMark change={change.change} />
            <span className="min-w-0 flex-1 truncate font-mono text-xs leading-5">{change.path}</span>
            {change.linesAdded !== null && <span className="text-good">+{change.linesAdded}</span>}
            {change.linesRemoved !== null && <span className="text-bad">−{change.linesRemoved}</span>}
          </li>
        ))}
        {changes.length > 300 && <li className="px-3 py-1 text-muted">and {changes.length - 300} more</li>}
      </ul>
      {failure !== undefined && (
        <div className="mt-3">
          <ErrorNotice failure={failure} handlers={{ retry: discard }} />
        </div>
      )}
    </Dialog>
  );
}
