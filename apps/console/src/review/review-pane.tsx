import type { Change, Workbench } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { Columns2, FileDiff, FilePlus2, Maximize2, Minimize2, Rows3, X } from "lucide-react";
import { useMemo, useRef, useState } from "react";
import { failureOf } from "../api/client.ts";
import { query, refreshWorkbench } from "../api/queries.ts";
import { Button, IconButton } from "../components/button.tsx";
import { classes } from "../components/classes.ts";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatCount, formatNumber } from "../components/format.ts";
import { Markdown } from "../components/markdown.tsx";
import { ProgressBar } from "../components/progress-bar.tsx";
import { Segmented } from "../components/segmented.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useWidth } from "../components/use-width.ts";
import { useDenied } from "../identity/identity.ts";
import { ChangeList, filterChanges, orderChanges, useChangeFilter } from "./change-list.tsx";
import { ChangePanel, waysToShow, type ShownAs } from "./change-panel.tsx";
import { decisionOn, isAccepted, useDecisions } from "./decisions.ts";
import { DiscardDialog } from "./discard-dialog.tsx";
import type { ChangeHandle } from "./document/steps.ts";
import { NewFileDialog } from "./edit/new-file-dialog.tsx";
import { useLookedAt } from "./looked-at.ts";
import { PublishDialog } from "./publish-dialog.tsx";
import { RejectDialog, type Rejection } from "./reject-dialog.tsx";
import { useReviewKeys } from "./use-review-keys.ts";

const roomForList = 560;
const roomForSplit = 900;

/** What the Draft changes, file by file, and the decisions: on each file and change, and on all of it. */
export function ReviewPane(props: {
  readonly workbench: Workbench;
  readonly running: boolean;
  readonly path: string | undefined;
  readonly view: "split" | "inline" | undefined;
  readonly full: boolean;
  readonly onPath: (path: string) => void;
  readonly onView: (view: "split" | "inline") => void;
  readonly onFull: (full: boolean) => void;
  readonly onClose: () => void;
  readonly onShowCheckpoints: () => void;
}) {
  const { workbench, running, onPath } = props;
  const { workbenchId } = workbench;
  const changeSet = useQuery({
    ...query("review.getChangeSet", { workbenchId }),
    // Lines of long lists are counted after the first answer.
    refetchInterval: ({ state }) => (state.data?.changes.some(isUncounted) === true ? 1000 : false),
  });
  const ordered = useMemo(() => orderChanges(changeSet.data?.changes ?? []), [changeSet.data]);
  const { filter, setFilter } = useChangeFilter();
  const [pane, width] = useWidth();
  const selected = ordered.find(({ path }) => path === props.path) ?? ordered[0];
  const [asking, setAsking] = useState<"publish" | "discard" | "new">();
  const [rejecting, setRejecting] = useState<Rejection>();
  const [editing, setEditing] = useState<string>();
  const [preferred, setPreferred] = useState<ShownAs>();
  const handle = useRef<ChangeHandle>(null);
  const draft = changeSet.data?.draft;
  const decisions = useDecisions(workbenchId, draft?.draftId);
  const wasSeen = useLookedAt(draft?.draftId, selected);
  const unconfirmed = draft?.unconfirmedDeletions ?? [];
  const accepted = ordered.filter(isAccepted).length;
  const mayNotChange = useDenied("workbenches:write");
  const mayChange = mayNotChange === undefined;
  const runningGate = running ? "Wait until the run has ended, or stop it." : undefined;
  const publishGate =
    mayNotChange ??
    runningGate ??
    (selected !== undefined && editing === selected.path ? "Close the file that you are editing first." : undefined) ??
    (unconfirmed.length > 0 ? `Confirm ${formatCount(unconfirmed.length, "deletion")} first.` : undefined);
  const ways = selected === undefined ? [] : waysToShow(selected);
  const shownAs = ways.find((way) => way === preferred) ?? ways[0] ?? "lines";
  const kind = shownAs === "document" ? selected?.document : undefined;
  // A document is read as one text with its changes in it, unless somebody wants its sides.
  const view = props.view ?? (width >= roomForSplit && kind !== "document" && kind !== "slides" ? "split" : "inline");
  const hasViews = shownAs === "lines" || kind === "document" || kind === "slides";

  const accept = (changes: readonly Change[]) => {
    const open = changes.filter((change) => !isAccepted(change));
    void decisions.decide(
      open.map((each) => decisionOn(each, "accept")),
      open.filter(({ change }) => change === "deleted").map(({ path }) => path),
    );
  };
  /** Accepts a file, or takes that back. A deletion that was confirmed is taken back by keeping the file. */
  const toggle = (change: Change) => {
    if (!isAccepted(change)) accept([change]);
    else if (change.change !== "deleted") void decisions.decide([decisionOn(change, "undecide")]);
  };
  const reject = (change: Change) => {
    // The file stays: nothing is lost that would have to be named.
    if (change.change === "deleted") void takeOut(change);
    else setRejecting({ change });
  };
  /** Rejects a file or one change of it; where the file leaves the list, its neighbour is shown. */
  const takeOut = async (change: Change, stretchId?: string) => {
    const listed = filterChanges(ordered, filter);
    const index = listed.findIndex(({ path }) => path === change.path);
    const neighbour = listed[index + 1] ?? listed[index - 1];
    const done = await decisions.decide([
      decisionOn(change, "reject", stretchId === undefined ? undefined : [stretchId]),
    ]);
    if (done && stretchId === undefined && neighbour !== undefined) onPath(neighbour.path);
  };
  useReviewKeys({
    file: (by) => {
      const listed = filterChanges(ordered, filter);
      const index = listed.findIndex(({ path }) => path === selected?.path);
      const next = listed[Math.max(0, Math.min(listed.length - 1, index + by))];
      if (next !== undefined) onPath(next.path);
    },
    change: (by) => handle.current?.step(by),
    toggleView: () => hasViews && props.onView(view === "split" ? "inline" : "split"),
    toggleShownAs: () => setPreferred(ways[(ways.indexOf(shownAs) + 1) % Math.max(1, ways.length)]),
    accept: () => {
      if (mayChange && !running && selected !== undefined) toggle(selected);
    },
    reject: () => {
      if (mayChange && !running && selected !== undefined) reject(selected);
    },
    decideChange: (decision) => handle.current?.decide?.(decision),
    confirm: () => {
      if (mayChange && !running && selected?.change === "deleted" && !isAccepted(selected)) accept([selected]);
    },
    edit: () => {
      if (mayChange && !running && selected?.view === "text" && selected.change !== "deleted") {
        setEditing(selected.path);
      }
    },
    publish: () => {
      if (publishGate === undefined && draft?.exists) setAsking("publish");
    },
  });
  const { failure } = decisions;

  return (
    <section ref={pane} aria-label="Review" className="flex min-h-0 min-w-0 flex-1 flex-col">
      <header className="flex min-h-(--bar) shrink-0 flex-wrap items-center gap-x-2 gap-y-1 border-b border-line py-1.5 pr-2 pl-3.5">
        <h2 className="flex items-center gap-2 font-semibold">
          <FileDiff size={15} aria-hidden className="text-draft" />
          Review
        </h2>
        <Totals changes={ordered} />
        {ordered.length > 0 && (
          <span className="tabular flex items-center gap-2 text-sm text-muted">
            <span className="w-16 max-sm:hidden">
              <ProgressBar label="Accepted files" done={accepted} total={ordered.length} />
            </span>
            {formatNumber(accepted)} of {formatNumber(ordered.length)} accepted
          </span>
        )}
        <span className="flex-1" />
        <div className="flex items-center gap-1">
          {hasViews && (
            <Segmented
              label="How changes are shown"
              value={view}
              onChange={props.onView}
              options={[
                {
                  value: "split",
                  label: width >= roomForList ? "Side by side" : "Split",
                  icon: <Columns2 size={12} aria-hidden />,
                },
                { value: "inline", label: "Inline", icon: <Rows3 size={12} aria-hidden /> },
              ]}
            />
          )}
          {mayChange && (
            <IconButton
              label="New file in the Draft"
              size="small"
              disabledReason={runningGate}
              onClick={() => setAsking("new")}
            >
              <FilePlus2 size={13} aria-hidden />
            </IconButton>
          )}
          <IconButton
            label={props.full ? "Show the conversation beside" : "Full width"}
            size="small"
            className="max-md:hidden"
            onClick={() => props.onFull(!props.full)}
          >
            {props.full ? <Minimize2 size={13} aria-hidden /> : <Maximize2 size={13} aria-hidden />}
          </IconButton>
          <IconButton label="Close Review" keys="r" size="small" onClick={props.onClose}>
            <X size={14} aria-hidden />
          </IconButton>
        </div>
      </header>
      {changeSet.isPending && <SkeletonRows label="Loading the changes" />}
      {changeSet.isError && (
        <div className="p-3">
          <ErrorNotice
            failure={failureOf(changeSet.error)}
            handlers={{ retry: async () => void (await changeSet.refetch()) }}
          />
        </div>
      )}
      {draft !== undefined && ordered.length === 0 && (
        <EmptyState
          icon={<FileDiff size={18} aria-hidden />}
          title="No Draft"
          {...(mayChange && { action: <Button onClick={() => setAsking("new")}>New file…</Button> })}
        >
          When the agent changes a file, the change appears here first. Nothing is real until you publish it.
        </EmptyState>
      )}
      {draft !== undefined && selected !== undefined && (
        <>
          <div className="flex min-h-0 flex-1 max-sm:flex-col">
            <div
              className={classes(
                "flex shrink-0 flex-col border-r border-line max-sm:max-h-40 max-sm:w-full max-sm:border-r-0 max-sm:border-b",
                width >= 1100 ? "w-68" : "w-56",
              )}
            >
              <ChangeList
                changes={ordered}
                filter={filter}
                onFilter={setFilter}
                selected={selected.path}
                onSelect={onPath}
                {...(mayChange && !running && { onAccept: accept })}
              />
              {changeSet.data?.draftSummary != null && changeSet.data.draftSummary !== "" && width >= roomForList && (
                <details className="max-h-2/5 shrink-0 overflow-y-auto border-t border-line px-3.5 py-2.5 text-sm" open>
                  <summary className="mb-1 text-xs font-semibold text-muted">Summary by the agent</summary>
                  <Markdown text={changeSet.data.draftSummary} />
                </details>
              )}
            </div>
            <ChangePanel
              key={selected.path}
              workbenchId={workbenchId}
              change={selected}
              revision={draft.revision}
              view={view}
              shownAs={shownAs}
              onShownAs={setPreferred}
              editing={editing === selected.path}
              onEditing={(is) => setEditing(is ? selected.path : undefined)}
              handle={handle}
              gate={runningGate}
              {...(mayChange && {
                actions: {
                  busy: decisions.busy,
                  accept: () => toggle(selected),
                  reject: () => reject(selected),
                  decideStretch: (head, decision) => {
                    if (decision === "reject") {
                      setRejecting({ change: selected, stretch: { id: head.stretch.id, lines: head.lines } });
                    } else void decisions.decide([decisionOn(selected, decision, [head.stretch.id])]);
                  },
                },
              })}
            />
          </div>
          {failure !== undefined && (
            <div className="border-t border-line p-2">
              <ErrorNotice
                failure={failure}
                {...(decisions.outdated && {
                  title: "The file has changed since you looked. What is shown is what it is now.",
                })}
              >
                <Button size="small" tone="quiet" className="mt-1.5" onClick={decisions.dismiss}>
                  Dismiss
                </Button>
              </ErrorNotice>
            </div>
          )}
          <footer className="flex shrink-0 flex-wrap items-center gap-2 border-t border-line px-3 py-2">
            {mayChange && !running && unconfirmed.length > 1 && (
              <Button size="small" onClick={() => accept(ordered.filter(({ change }) => change === "deleted"))}>
                Confirm all {unconfirmed.length} deletions
              </Button>
            )}
            <p className="min-w-0 flex-1 text-sm text-muted">{publishGate}</p>
            {mayChange && (
              <>
                <Button tone="quiet" disabledReason={runningGate} onClick={() => setAsking("discard")}>
                  Discard…
                </Button>
                <Button
                  tone="primary"
                  disabledReason={publishGate}
                  tip="Shift Enter"
                  onClick={() => setAsking("publish")}
                >
                  Publish {formatCount(ordered.length, "file")}
                </Button>
              </>
            )}
          </footer>
          {asking === "publish" && (
            <PublishDialog
              workbenchId={workbenchId}
              draft={draft}
              accepted={accepted}
              notSeen={ordered.filter((change) => !isAccepted(change) && !wasSeen(change)).map(({ path }) => path)}
              onClose={() => {
                setAsking(undefined);
                void refreshWorkbench(workbenchId);
              }}
              onPublished={() => {
                setAsking(undefined);
                void refreshWorkbench(workbenchId);
              }}
              onShowCheckpoints={props.onShowCheckpoints}
            />
          )}
          {asking === "discard" && (
            <DiscardDialog
              workbenchId={workbenchId}
              draft={draft}
              changes={ordered}
              onClose={() => setAsking(undefined)}
              onDiscarded={() => {
                setAsking(undefined);
                void refreshWorkbench(workbenchId);
              }}
            />
          )}
        </>
      )}
      {rejecting !== undefined && (
        <RejectDialog
          rejection={rejecting}
          onClose={() => setRejecting(undefined)}
          onConfirm={async () => {
            await takeOut(rejecting.change, rejecting.stretch?.id);
            setRejecting(undefined);
          }}
        />
      )}
      {asking === "new" && (
        <NewFileDialog
          workbenchId={workbenchId}
          onClose={() => setAsking(undefined)}
          onCreated={(path) => {
            setAsking(undefined);
            onPath(path);
          }}
        />
      )}
    </section>
  );
}

function isUncounted({ view, linesAdded }: Change): boolean {
  return view === "text" && linesAdded === null;
}

function Totals(props: { readonly changes: readonly Change[] }) {
  const added = props.changes.reduce((sum, { linesAdded }) => sum + (linesAdded ?? 0), 0);
  const removed = props.changes.reduce((sum, { linesRemoved }) => sum + (linesRemoved ?? 0), 0);
  if (props.changes.length === 0) return null;
  return (
    <span className="tabular flex gap-1.5 text-sm text-muted">
      {formatCount(props.changes.length, "file")}
      {added + removed > 0 && (
        <>
          <span className="text-good">+{formatNumber(added)}</span>
          <span className="text-bad">−{formatNumber(removed)}</span>
        </>
      )}
    </span>
  );
}
