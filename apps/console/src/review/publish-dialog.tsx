import type { DraftState } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import { EyeOff } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { useRunFeed } from "../api/run-feed.ts";
import { Button } from "../components/button.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatCount, formatNumber } from "../components/format.ts";
import { ProgressBar } from "../components/progress-bar.tsx";
import { PhaseList } from "../conversation/phase-list.tsx";
import { TurnReader } from "../conversation/turn.ts";

/** Asks once, then shows the phases of the publish run as they are committed. */
export function PublishDialog(props: {
  readonly workbenchId: string;
  readonly draft: DraftState;
  /** How many files a person has accepted. */
  readonly accepted: number;
  /** Paths that nobody accepted or looked at here. */
  readonly notSeen: readonly string[];
  readonly onClose: () => void;
  readonly onPublished: () => void;
  readonly onShowCheckpoints: () => void;
}) {
  const { workbenchId, draft } = props;
  const [runId, setRunId] = useState<string>();
  const [failure, setFailure] = useState<Failure>();
  const [busy, setBusy] = useState(false);
  const publish = async () => {
    setBusy(true);
    setFailure(undefined);
    setRunId(undefined);
    try {
      const started = await client.call("draft.publish", {
        workbenchId,
        wait: false,
        ...(draft.draftId !== null && { draftId: draft.draftId, revision: draft.revision }),
      });
      setRunId(started.runId);
    } catch (thrown) {
      setFailure(failureOf(thrown));
      setBusy(false);
    }
  };
  const handlers = {
    retry: publish,
    review_draft: props.onClose,
    restore_checkpoint: props.onShowCheckpoints,
  };
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={runId === undefined ? `Publish ${describeCounts(draft.counts)}?` : "Publishing"}
      {...(runId === undefined && {
        description: "The changes become the real files, all at once. A checkpoint of what is there now is made first.",
      })}
      footer={
        runId === undefined && (
          <>
            <Button onClick={props.onClose}>Not yet</Button>
            <Button tone="primary" autoFocus busy={busy} onClick={() => void publish()}>
              Publish
            </Button>
          </>
        )
      }
    >
      {runId === undefined && <Decided {...props} />}
      {runId !== undefined && (
        <TransitionProgress
          runId={runId}
          onSuccess={props.onPublished}
          onFailure={(failed) => {
            setFailure(failed);
            setBusy(false);
          }}
        />
      )}
      {failure !== undefined && (
        <div className="mt-3">
          <ErrorNotice failure={failure} handlers={handlers} title="Published is unchanged and the Draft is kept." />
        </div>
      )}
    </Dialog>
  );
}

const named = 5;

/** What was accepted and what nobody looked at; it forbids nothing. */
function Decided(props: {
  readonly draft: DraftState;
  readonly accepted: number;
  readonly notSeen: readonly string[];
}) {
  const { accepted, notSeen } = props;
  const { added, modified, deleted } = props.draft.counts;
  const total = added + modified + deleted;
  return (
    <div className="tabular grid gap-2">
      <p className="flex items-center gap-3">
        <span className="whitespace-nowrap">
          {formatNumber(accepted)} of {formatNumber(total)} accepted
        </span>
        <ProgressBar label="Accepted files" done={accepted} total={total} />
      </p>
      {notSeen.length > 0 && (
        <div className="rounded-md border border-draft-line bg-draft-soft px-3 py-2 text-sm">
          <p className="flex items-center gap-1.5 font-medium text-draft">
            <EyeOff size={13} aria-hidden />
            {formatCount(notSeen.length, "file")} {notSeen.length === 1 ? "was" : "were"} not looked at
          </p>
          <ul className="mt-0.5 font-mono">
            {notSeen.slice(0, named).map((path) => (
              <li key={path} className="truncate" title={path}>
                {path}
              </li>
            ))}
            {notSeen.length > named && (
              <li className="font-sans text-muted">and {formatCount(notSeen.length - named, "more file")}</li>
            )}
          </ul>
        </div>
      )}
    </div>
  );
}

/** The phases of a publish or restore run, live. */
export function TransitionProgress(props: {
  readonly runId: string;
  readonly onSuccess: () => void;
  readonly onFailure: (failure: Failure) => void;
}) {
  const { runId, onSuccess, onFailure } = props;
  const feed = useRunFeed(runId);
  const [reader] = useState(() => new TurnReader());
  const turn = useMemo(() => reader.read(feed.events), [reader, feed]);
  const { status } = turn;
  const phases = turn.blocks.find((block) => block.kind === "phases")?.phases ?? [];
  const failed = turn.blocks.find((block) => block.kind === "error")?.failure ?? feed.failure;
  useEffect(() => {
    if (status === "success") {
      // The last phase stays readable for a moment.
      const timer = setTimeout(onSuccess, 700);
      return () => clearTimeout(timer);
    }
    if (failed !== undefined) onFailure(failed);
    else if (status === "error") onFailure(failureOf(new BenchtopError("INTERNAL", "The run ended without a reason.")));
    return undefined;
    // The callbacks are of the render that saw the end; they must not run twice.
  }, [status, failed]);
  return <PhaseList phases={phases} failed={status === "error"} />;
}

export function describeCounts(counts: DraftState["counts"]): string {
  const parts = [
    counts.added > 0 && `${counts.added} added`,
    counts.modified > 0 && `${counts.modified} modified`,
    counts.deleted > 0 && `${counts.deleted} deleted`,
  ].filter((part) => part !== false);
  const total = counts.added + counts.modified + counts.deleted;
  return parts.length === 1
    ? `${formatCount(total, "file")} (${parts[0]})`
    : `${formatCount(total, "file")}: ${parts.join(", ")}`;
}
