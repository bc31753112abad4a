import type { Change } from "@benchtop/operations";
import { useQuery, keepPreviousData } from "@tanstack/react-query";
import { CircleCheck, FileQuestion, Trash2 } from "lucide-react";
import { useState, type Ref } from "react";
import { failureOf } from "../api/client.ts";
import { query } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Chip } from "../components/chip.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatBytes, shortId } from "../components/format.ts";
import { SkeletonRows } from "../components/skeleton.tsx";
import { DiffView, type DiffHandle } from "./diff-view.tsx";

/** Smaller files are asked for whole, so that folds open at once and colours are right from the first line. */
const wholeBelowBytes = 300_000;
const wholeContext = 100_000;

/** One changed file: its name, and its differences in the way its type can be shown. */
export function ChangePanel(props: {
  readonly workbenchId: string;
  readonly change: Change;
  /** Of the Draft; another one asks again. */
  readonly revision: number;
  readonly view: "split" | "inline";
  readonly handle: Ref<DiffHandle>;
  readonly onConfirm?: () => Promise<void>;
}) {
  const { workbenchId, change, revision } = props;
  const small = Math.max(change.bytesBefore ?? 0, change.bytesAfter ?? 0) < wholeBelowBytes;
  const [whole, setWhole] = useState(small);
  const [confirming, setConfirming] = useState(false);
  const request = query("review.getTextDiff", {
    workbenchId,
    path: change.path,
    contextLines: whole ? wholeContext : 3,
  });
  const diff = useQuery({
    ...request,
    queryKey: [...request.queryKey, revision],
    enabled: change.view === "text",
    placeholderData: keepPreviousData,
  });
  return (
    <div className="flex min-h-0 min-w-0 flex-1 flex-col">
      <div className="tabular flex min-h-9 shrink-0 items-center gap-2 border-b border-line px-3 py-1">
        <span className="min-w-0 flex-1 truncate font-mono text-sm" title={change.path}>
          {change.path}
        </span>
        {change.change === "deleted" &&
          (change.confirmed ? (
            <Chip tone="good" icon={<CircleCheck size={12} aria-hidden />}>
              Deletion confirmed
            </Chip>
          ) : props.onConfirm === undefined ? (
            <Chip tone="draft">Deletion not confirmed</Chip>
          ) : (
            <Button
              size="small"
              tone="danger"
              busy={confirming}
              icon={<Trash2 size={13} aria-hidden />}
              tip="y"
              onClick={() => {
                setConfirming(true);
                void props.onConfirm?.().finally(() => setConfirming(false));
              }}
            >
              Confirm deletion
            </Button>
          ))}
      </div>
      {change.view !== "text" && <Opaque workbenchId={workbenchId} change={change} />}
      {change.view === "text" && diff.isPending && <SkeletonRows count={12} label="Loading the diff" />}
      {diff.isError && (
        <div className="p-3">
          <ErrorNotice failure={failureOf(diff.error)} handlers={{ retry: async () => void (await diff.refetch()) }} />
        </div>
      )}
      {change.view === "text" && diff.data !== undefined && (
        <>
          {diff.data.hunks.length === 0 && (
            <p className="p-6 text-center text-muted">
              No line differs: the file is empty on both sides, or only its bytes changed.
            </p>
          )}
          <DiffView diff={diff.data} view={props.view} handle={props.handle} onNeedWhole={() => setWhole(true)} />
          {diff.data.truncated && (
            <p className="border-t border-line bg-draft-soft px-3 py-1.5 text-sm text-draft">
              This file is long: the diff stops here. The counts speak of what is shown.
            </p>
          )}
        </>
      )}
    </div>
  );
}

function Opaque(props: { readonly workbenchId: string; readonly change: Change }) {
  const { workbenchId, change } = props;
  const sides = [
    { title: "Before", side: "published", bytes: change.bytesBefore, sha256: change.sha256Before },
    { title: "After", side: "draft", bytes: change.bytesAfter, sha256: change.sha256After },
  ] as const;
  const isImage = /^image\/(png|jpeg|gif|webp|avif)$/.test(change.mediaType);
  return (
    <div className="min-h-0 flex-1 overflow-y-auto p-4">
      <p className="mb-3 flex items-center gap-2 text-muted">
        <FileQuestion size={15} aria-hidden />
        {change.view === "too-large"
          ? "Too large to compare line by line."
          : `Not text (${change.mediaType}): it can be compared by size and content hash only.`}
      </p>
      <div className="grid gap-3 sm:grid-cols-2">
        {sides.map(({ title, side, bytes, sha256 }) => (
          <div key={title} className="rounded-lg border border-line p-3">
            <h3 className="text-sm font-semibold text-muted">{title}</h3>
            {bytes === null ? (
              <p className="text-faint">Does not exist</p>
            ) : (
              <p className="tabular">
                {formatBytes(bytes)}{" "}
                <span className="font-mono text-xs text-faint">{sha256 !== null && shortId(sha256)}</span>
              </p>
            )}
            {isImage && bytes !== null && (
              <img
                alt={`${change.path}, ${title.toLowerCase()}`}
                className="mt-2 max-h-96 rounded-md border border-line"
                src={`/api/v1/workbenches/${encodeURIComponent(workbenchId)}/files/content?${new URLSearchParams({ path: change.path, side }).toString()}`}
              />
            )}
          </div>
        ))}
      </div>
    </div>
  );
}
