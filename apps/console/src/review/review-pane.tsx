import type { Change, Workbench } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { Columns2, FileDiff, Maximize2, Minimize2, Rows3, Trash2, X } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { query, refreshWorkbench } from "../api/queries.ts";
import { Button, IconButton } from "../components/button.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatCount } from "../components/format.ts";
import { Markdown } from "../components/markdown.tsx";
import { Segmented } from "../components/segmented.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useWidth } from "../components/use-width.ts";
import { isCovered, isTyping } from "../frame/frame-keys.ts";
import { useDenied } from "../identity/identity.ts";
import { ChangeList, orderChanges } from "./change-list.tsx";
import { ChangePanel } from "./change-panel.tsx";
import type { DiffHandle } from "./diff-view.tsx";
import { DiscardDialog } from "./discard-dialog.tsx";
import { PublishDialog } from "./publish-dialog.tsx";

const roomForList = 560;
const roomForSplit = 900;

/** What the Draft changes, file by file, and the decision: publish or discard. */
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
  const { workbench, running } = props;
  const { workbenchId } = workbench;
  const changeSet = useQuery(query("review.getChangeSet", { workbenchId }));
  const ordered = useMemo(() => orderChanges(changeSet.data?.changes ?? []), [changeSet.data]);
  const [pane, width] = useWidth();
  const view = props.view ?? (width >= roomForSplit ? "split" : "inline");
  const selected = ordered.find(({ path }) => path === props.path) ?? ordered[0];
  const [asking, setAsking] = useState<"publish" | "discard">();
  const [failure, setFailure] = useState<Failure>();
  const diff = useRef<DiffHandle>(null);
  const draft = changeSet.data?.draft;
  const unconfirmed = draft?.unconfirmedDeletions ?? [];
  const mayNotChange = useDenied("workbenches:write");
  const publishGate =
    mayNotChange ??
    (running
      ? "Wait until the run has ended, or stop it."
      : unconfirmed.length > 0
        ? `Confirm ${formatCount(unconfirmed.length, "deletion")} first.`
        : undefined);

  const confirm = async (paths: readonly string[]) => {
    setFailure(undefined);
    try {
      await client.call("draft.confirmDeletions", { workbenchId, paths: [...paths] });
      await refreshWorkbench(workbenchId);
    } catch (thrown) {
      setFailure(failureOf(thrown));
    }
  };
  useReviewKeys({
    file: (by) => {
      const index = ordered.findIndex(({ path }) => path === selected?.path);
      const next = ordered[Math.max(0, Math.min(ordered.length - 1, index + by))];
      if (next !== undefined) props.onPath(next.path);
    },
    change: (by) => diff.current?.step(by),
    toggleView: () => props.onView(view === "split" ? "inline" : "split"),
    confirm: () => {
      if (mayNotChange === undefined && selected?.change === "deleted" && selected.confirmed !== true) {
        void confirm([selected.path]);
      }
    },
    publish: () => {
      if (publishGate === undefined && draft?.exists) setAsking("publish");
    },
  });

  return (
    <section ref={pane} aria-label="Review" className="flex min-h-0 min-w-0 flex-1 flex-col">
      <header className="flex min-h-(--bar) shrink-0 flex-wrap items-center gap-x-2 gap-y-1 border-b border-line py-1.5 pr-2 pl-3.5">
        <h2 className="flex items-center gap-2 font-semibold">
          <FileDiff size={15} aria-hidden className="text-draft" />
          Review
        </h2>
        <Totals changes={ordered} />
        <span className="flex-1" />
        <div className="flex items-center gap-1">
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
        <EmptyState icon={<FileDiff size={18} aria-hidden />} title="No Draft">
          When the agent changes a file, the change appears here first. Nothing is real until you publish it.
        </EmptyState>
      )}
      {draft !== undefined && selected !== undefined && (
        <>
          <div className="flex min-h-0 flex-1 max-sm:flex-col">
            <div className="flex w-54 shrink-0 flex-col border-r border-line max-sm:max-h-40 max-sm:w-full max-sm:border-r-0 max-sm:border-b">
              <ChangeList changes={ordered} selected={selected.path} onSelect={props.onPath} />
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
              handle={diff}
              {...(mayNotChange === undefined && { onConfirm: () => confirm([selected.path]) })}
            />
          </div>
          {failure !== undefined && (
            <div className="border-t border-line p-2">
              <ErrorNotice failure={failure} />
            </div>
          )}
          <footer className="flex shrink-0 flex-wrap items-center gap-2 border-t border-line px-3 py-2">
            {mayNotChange === undefined && unconfirmed.length > 1 && (
              <Button size="small" icon={<Trash2 size={13} aria-hidden />} onClick={() => void confirm(unconfirmed)}>
                Confirm all {unconfirmed.length} deletions
              </Button>
            )}
            <p className="min-w-0 flex-1 text-sm text-muted">{publishGate}</p>
            {mayNotChange === undefined && (
              <>
                <Button
                  tone="quiet"
                  disabledReason={running ? "Wait until the run has ended, or stop it." : undefined}
                  onClick={() => setAsking("discard")}
                >
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
    </section>
  );
}

function Totals(props: { readonly changes: readonly Change[] }) {
  const added = props.changes.reduce((sum, { linesAdded }) => sum + (linesAdded ?? 0), 0);
  const removed = props.changes.reduce((sum, { linesRemoved }) => sum + (linesRemoved ?? 0), 0);
  if (props.changes.length === 0) return null;
  return (
    <span className="tabular flex gap-1.5 text-sm text-muted">
      {formatCount(props.changes.length, "file")}
      <span className="text-good">+{added}</span>
      <span className="text-bad">−{removed}</span>
    </span>
  );
}

interface ReviewKeys {
  readonly file: (by: 1 | -1) => void;
  readonly change: (by: 1 | -1) => void;
  readonly toggleView: () => void;
  readonly confirm: () => void;
  readonly publish: () => void;
}

function useReviewKeys(keys: ReviewKeys): void {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || isCovered()) return;
      const actions: Record<string, () => void> = {
        j: () => latest.current.file(1),
        k: () => latest.current.file(-1),
        n: () => latest.current.change(1),
        p: () => latest.current.change(-1),
        v: () => latest.current.toggleView(),
        y: () => latest.current.confirm(),
        ...(event.shiftKey && { Enter: () => latest.current.publish() }),
      };
      const action = actions[event.key];
      if (action === undefined) return;
      event.preventDefault();
      action();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
