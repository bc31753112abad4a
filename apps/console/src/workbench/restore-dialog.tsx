import { useState } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { refreshWorkbench } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { TransitionProgress } from "../review/publish-dialog.tsx";

/** Puts the published files back to a checkpoint; what is there now becomes a checkpoint first. */
export function RestoreDialog(props: {
  readonly workbenchId: string;
  readonly checkpointId: string;
  readonly onClose: () => void;
  readonly onReview: () => void;
}) {
  const { workbenchId, checkpointId, onClose } = props;
  const [runId, setRunId] = useState<string>();
  const [failure, setFailure] = useState<Failure>();
  const [busy, setBusy] = useState(false);
  const restore = async () => {
    setBusy(true);
    setFailure(undefined);
    setRunId(undefined);
    try {
      setRunId((await client.call("checkpoints.restore", { workbenchId, checkpointId, wait: false })).runId);
    } catch (thrown) {
      setFailure(failureOf(thrown));
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title="Restore this checkpoint?"
      description="The published files become what they were then. What is there now becomes a checkpoint first, so that you can come back."
      footer={
        runId === undefined && (
          <>
            <Button onClick={onClose}>Cancel</Button>
            <Button tone="primary" autoFocus busy={busy} onClick={() => void restore()}>
              Restore
            </Button>
          </>
        )
      }
    >
      {runId !== undefined && (
        <TransitionProgress
          runId={runId}
          onSuccess={() => {
            void refreshWorkbench(workbenchId);
            onClose();
          }}
          onFailure={(failed) => {
            setFailure(failed);
            setBusy(false);
          }}
        />
      )}
      {failure !== undefined && (
        <ErrorNotice
          failure={failure}
          title="Nothing was restored."
          handlers={{ retry: restore, review_draft: props.onReview }}
        />
      )}
    </Dialog>
  );
}
