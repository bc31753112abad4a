import type { Checkpoint } from "@benchtop/operations";
import { useInfiniteQuery } from "@tanstack/react-query";
import { ArchiveRestore, History, Plus, Trash2, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { refreshWorkbench } from "../api/queries.ts";
import { Button, IconButton } from "../components/button.tsx";
import { classes } from "../components/classes.ts";
import { ConfirmDialog } from "../components/confirm-dialog.tsx";
import { CopyId } from "../components/copy-text.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatBytes, formatCount } from "../components/format.ts";
import { RelativeTime } from "../components/relative-time.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";

const reasons: Record<Checkpoint["reason"], string> = {
  publish: "Before publishing",
  "pre-restore": "Before restoring",
  manual: "Made by hand",
  "files-changed": "Before files changed",
};

/** Every kept state of the published files, newest first. */
export function CheckpointsPane(props: {
  readonly workbenchId: string;
  /** The one that was asked for. */
  readonly selected: string | undefined;
  readonly restoreGate: string | undefined;
  readonly mayChange: boolean;
  readonly onRestore: (checkpointId: string) => void;
  readonly onClose: () => void;
}) {
  const { workbenchId, selected } = props;
  const [removing, setRemoving] = useState<Checkpoint>();
  const [failure, setFailure] = useState<Failure>();
  const checkpoints = useInfiniteQuery({
    queryKey: ["checkpoints.list", { workbenchId }],
    queryFn: ({ pageParam }) =>
      client.call("checkpoints.list", { workbenchId, limit: 100, ...(pageParam !== null && { cursor: pageParam }) }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor,
  });
  const items = checkpoints.data?.pages.flatMap((page) => page.items) ?? [];
  const create = async () => {
    setFailure(undefined);
    try {
      await client.call("checkpoints.create", { workbenchId });
      await refreshWorkbench(workbenchId);
    } catch (thrown) {
      setFailure(failureOf(thrown));
    }
  };
  return (
    <section aria-label="Checkpoints" className="flex min-h-0 min-w-0 flex-1 flex-col">
      <header className="flex h-(--bar) shrink-0 items-center gap-2 border-b border-line pr-2 pl-3.5">
        <History size={15} aria-hidden className="text-muted" />
        <h2 className="flex-1 font-semibold">Checkpoints</h2>
        {props.mayChange && (
          <Button size="small" icon={<Plus size={13} aria-hidden />} onClick={() => void create()}>
            Keep the files as they are now
          </Button>
        )}
        <IconButton label="Close checkpoints" size="small" onClick={props.onClose}>
          <X size={14} aria-hidden />
        </IconButton>
      </header>
      <div className="min-h-0 flex-1 overflow-y-auto">
        {failure !== undefined && (
          <div className="p-3">
            <ErrorNotice failure={failure} handlers={{ retry: create }} />
          </div>
        )}
        {checkpoints.isPending && <SkeletonRows label="Loading checkpoints" />}
        {checkpoints.isError && (
          <div className="p-3">
            <ErrorNotice
              failure={failureOf(checkpoints.error)}
              handlers={{ retry: async () => void (await checkpoints.refetch()) }}
            />
          </div>
        )}
        {checkpoints.data !== undefined && items.length === 0 && (
          <EmptyState icon={<History size={18} aria-hidden />} title="No checkpoints yet">
            Publishing, restoring and changing files keep what was there before. It appears here and can be restored.
          </EmptyState>
        )}
        <ul>
          {items.map((checkpoint) => (
            <CheckpointRow
              key={checkpoint.checkpointId}
              checkpoint={checkpoint}
              selected={checkpoint.checkpointId === selected}
              restoreGate={props.restoreGate}
              {...(props.mayChange && {
                onRestore: () => props.onRestore(checkpoint.checkpointId),
                onRemove: () => setRemoving(checkpoint),
              })}
            />
          ))}
        </ul>
        {checkpoints.hasNextPage && (
          <div className="p-3 text-center">
            <Button size="small" busy={checkpoints.isFetchingNextPage} onClick={() => void checkpoints.fetchNextPage()}>
              Show older
            </Button>
          </div>
        )}
      </div>
      {removing !== undefined && (
        <ConfirmDialog
          title="Remove this checkpoint?"
          description={`The published files stay as they are. What this checkpoint alone kept of ${formatCount(removing.fileCount, "file")} (${formatBytes(removing.totalBytes)} in all) is removed from the disk after a while, and it cannot be restored any more.`}
          action="Remove for good"
          onClose={() => setRemoving(undefined)}
          onConfirm={async () => {
            await client.call("checkpoints.remove", { workbenchId, checkpointId: removing.checkpointId });
            await refreshWorkbench(workbenchId);
            setRemoving(undefined);
          }}
        />
      )}
    </section>
  );
}

function CheckpointRow(props: {
  readonly checkpoint: Checkpoint;
  readonly selected: boolean;
  readonly restoreGate: string | undefined;
  readonly onRestore?: () => void;
  readonly onRemove?: () => void;
}) {
  const { checkpoint, selected, onRestore, onRemove } = props;
  const row = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (selected) row.current?.scrollIntoView({ block: "nearest" });
  }, [selected]);
  return (
    <li
      ref={row}
      aria-current={selected ? "true" : undefined}
      className={classes(
        "tabular flex items-center gap-2 border-b border-l-2 border-b-line px-3.5 py-2",
        selected ? "border-l-accent bg-selected" : "border-l-transparent",
      )}
    >
      <div className="min-w-0 flex-1">
        <p className="truncate font-medium">{checkpoint.message ?? reasons[checkpoint.reason]}</p>
        <p className="flex flex-wrap gap-x-1.5 text-sm text-muted">
          {checkpoint.message !== null && <>{reasons[checkpoint.reason]} · </>}
          <RelativeTime at={checkpoint.createdAt} />· {formatCount(checkpoint.fileCount, "file")} ·{" "}
          {formatBytes(checkpoint.totalBytes)} · <CopyId id={checkpoint.checkpointId} label="checkpoint id" />
        </p>
      </div>
      {onRestore !== undefined && (
        <Button
          size="small"
          icon={<ArchiveRestore size={13} aria-hidden />}
          disabledReason={props.restoreGate}
          aria-label={`Restore the checkpoint of ${checkpoint.createdAt}`}
          onClick={onRestore}
        >
          Restore
        </Button>
      )}
      {onRemove !== undefined && (
        <IconButton label={`Remove the checkpoint of ${checkpoint.createdAt}`} size="small" onClick={onRemove}>
          <Trash2 size={13} aria-hidden />
        </IconButton>
      )}
    </li>
  );
}
