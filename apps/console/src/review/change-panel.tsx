import type { Change } from "@benchtop/operations";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import {
  Binary,
  Check,
  CircleCheck,
  Download,
  Ellipsis,
  File as FileGlyph,
  FileText,
  Image as ImageIcon,
  Pencil,
  Presentation,
  Replace,
  Rows3,
  Sheet,
  Trash2,
  Undo2,
  X,
} from "lucide-react";
import { lazy, Suspense, useRef, useState, type ReactNode, type Ref } from "react";
import { failureOf } from "../api/client.ts";
import { query } from "../api/queries.ts";
import { Button, IconButton } from "../components/button.tsx";
import { Chip } from "../components/chip.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatBytes } from "../components/format.ts";
import { Menu } from "../components/menu.tsx";
import { ProgressBar } from "../components/progress-bar.tsx";
import { Segmented } from "../components/segmented.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { isAccepted } from "./decisions.ts";
import type { StretchHead } from "./diff-rows.ts";
import { DiffView, type StretchDecision } from "./diff-view.tsx";
import { contentAddress } from "./document/image-view.tsx";
import type { ChangeHandle } from "./document/steps.ts";
import { longestEdited } from "./edit/edit-file.tsx";
import { useReplace } from "./edit/use-replace.ts";
import { WarningList } from "./warning-list.tsx";

const DocumentView = lazy(async () => ({ default: (await import("./document/document-view.tsx")).DocumentView }));
const EditFile = lazy(async () => ({ default: (await import("./edit/edit-file.tsx")).EditFile }));

/** Smaller files are asked for whole, so that folds open at once and colours are right from the first line. */
const wholeBelowBytes = 300_000;
const wholeContext = 100_000;

/** What a file can be shown as: what it is, its lines, or its bytes. */
export type ShownAs = "document" | "lines" | "bytes";

export function waysToShow(change: Change): readonly ShownAs[] {
  const ways: ShownAs[] = [];
  if (change.document !== null && change.document !== "bytes") ways.push("document");
  if (change.view === "text") ways.push("lines");
  else ways.push("bytes");
  return ways;
}

const documentLabels: Record<NonNullable<Change["document"]>, { readonly label: string; readonly icon: ReactNode }> = {
  document: { label: "Document", icon: <FileText size={12} aria-hidden /> },
  sheets: { label: "Grid", icon: <Sheet size={12} aria-hidden /> },
  slides: { label: "Slides", icon: <Presentation size={12} aria-hidden /> },
  pages: { label: "Pages", icon: <FileGlyph size={12} aria-hidden /> },
  image: { label: "Picture", icon: <ImageIcon size={12} aria-hidden /> },
  bytes: { label: "Bytes", icon: <Binary size={12} aria-hidden /> },
};

/** One changed file: its name, what is said of it, the decision on it, and its differences as what it is. */
export function ChangePanel(props: {
  readonly workbenchId: string;
  readonly change: Change;
  /** Of the Draft; another one asks again. */
  readonly revision: number;
  readonly view: "split" | "inline";
  readonly shownAs: ShownAs;
  readonly onShownAs: (as: ShownAs) => void;
  readonly editing: boolean;
  readonly onEditing: (editing: boolean) => void;
  readonly handle: Ref<ChangeHandle>;
  /** Why nothing can be decided or edited now. */
  readonly gate: string | undefined;
  /** Absent for those who may not change anything. */
  readonly actions?:
    | {
        readonly busy: boolean;
        readonly accept: () => void;
        readonly reject: () => void;
        readonly decideStretch: (head: StretchHead, decision: StretchDecision) => void;
      }
    | undefined;
}) {
  const { workbenchId, change, view, shownAs, gate, actions } = props;
  const accepted = isAccepted(change);
  const ways = waysToShow(change);
  const editable = change.view === "text" && change.change !== "deleted";
  const picked = useRef<HTMLInputElement>(null);
  const replace = useReplace(workbenchId, change.path, change.sha256After);
  const version = (change.sha256After ?? change.sha256Before ?? "").slice(0, 12);
  const editGate =
    gate ??
    ((change.bytesAfter ?? 0) > longestEdited ? "Too long to edit here: put another file in its place." : undefined);
  return (
    <div className="flex min-h-0 min-w-0 flex-1 flex-col">
      <div className="tabular flex min-h-9 shrink-0 flex-wrap items-center gap-x-2 gap-y-1 border-b border-line px-3 py-1">
        <h3 className="min-w-24 flex-1 truncate font-mono text-sm" title={change.path}>
          {change.path}
        </h3>
        {ways.length > 1 && !props.editing && (
          <Segmented
            label="What the file is shown as"
            value={shownAs}
            onChange={props.onShownAs}
            options={ways.map((way) =>
              way === "lines"
                ? { value: way, label: "Lines", icon: <Rows3 size={12} aria-hidden /> }
                : way === "bytes"
                  ? { value: way, label: "Bytes", icon: <Binary size={12} aria-hidden /> }
                  : { value: way, ...documentLabels[change.document ?? "bytes"] },
            )}
          />
        )}
        {accepted && (
          <Chip tone="good" icon={<CircleCheck size={12} aria-hidden />}>
            {change.change === "deleted" ? "Deletion confirmed" : "Accepted"}
          </Chip>
        )}
        {change.change === "deleted" && !accepted && actions === undefined && (
          <Chip tone="draft">Deletion not confirmed</Chip>
        )}
        {actions !== undefined && !props.editing && (
          <span className="flex items-center gap-1">
            {editable && (
              <Button
                size="small"
                tone="quiet"
                icon={<Pencil size={13} aria-hidden />}
                tip="e"
                disabledReason={editGate}
                onClick={() => props.onEditing(true)}
              >
                Edit
              </Button>
            )}
            {/* One button in both states, so that whoever pressed it stays where they are. */}
            {!(accepted && change.change === "deleted") && (
              <Button
                size="small"
                busy={actions.busy}
                tone={change.change === "deleted" ? "danger" : "default"}
                icon={
                  accepted ? (
                    <Undo2 size={13} aria-hidden />
                  ) : change.change === "deleted" ? (
                    <Trash2 size={13} aria-hidden />
                  ) : (
                    <Check size={13} aria-hidden />
                  )
                }
                tip={change.change === "deleted" ? "a or y" : "a"}
                disabledReason={gate}
                onClick={actions.accept}
              >
                {accepted ? "Undo" : change.change === "deleted" ? "Confirm deletion" : "Accept"}
              </Button>
            )}
            <Button
              size="small"
              icon={<X size={13} aria-hidden />}
              tip="x"
              disabledReason={gate}
              onClick={actions.reject}
            >
              {change.change === "deleted" ? "Keep the file" : "Reject…"}
            </Button>
          </span>
        )}
        <Menu
          trigger={
            <IconButton label={`More for ${change.path}`} size="small">
              <Ellipsis size={14} aria-hidden />
            </IconButton>
          }
          items={[
            ...(actions !== undefined && change.change !== "deleted"
              ? [
                  {
                    label: "Replace with a file…",
                    icon: <Replace size={13} aria-hidden />,
                    onSelect: () => picked.current?.click(),
                    disabledReason: gate,
                  },
                ]
              : []),
            ...(["published", "draft"] as const)
              .filter((side) => (side === "published" ? change.bytesBefore : change.bytesAfter) !== null)
              .map((side) => ({
                label: `Download what is ${side === "published" ? "published" : "in the Draft"}`,
                note: formatBytes((side === "published" ? change.bytesBefore : change.bytesAfter) ?? 0),
                icon: <Download size={13} aria-hidden />,
                onSelect: () => download(contentAddress(workbenchId, change.path, side, version), change.path),
              })),
          ]}
        />
        <input
          ref={picked}
          type="file"
          hidden
          data-testid="replace-input"
          onChange={(event) => {
            const file = event.target.files?.[0];
            event.target.value = "";
            if (file !== undefined) void replace.start(file);
          }}
        />
      </div>
      {change.summary !== null && change.summary !== "" && (
        <p className="shrink-0 border-b border-line px-3 py-1 text-sm text-muted">
          <span className="font-medium">The agent:</span> {change.summary}
        </p>
      )}
      {replace.progress !== undefined && (
        <div role="status" className="tabular flex items-center gap-3 border-b border-line px-3 py-1.5 text-sm">
          <span className="min-w-0 flex-1 truncate">
            {replace.progress.name}: {formatBytes(replace.progress.sent)} of {formatBytes(replace.progress.bytes)}
          </span>
          <span className="w-32">
            <ProgressBar label="Upload" done={replace.progress.sent} total={Math.max(1, replace.progress.bytes)} />
          </span>
          <IconButton label="Cancel the upload" size="small" onClick={replace.cancel}>
            <X size={13} aria-hidden />
          </IconButton>
        </div>
      )}
      {replace.failure !== undefined && (
        <div className="border-b border-line p-2">
          <ErrorNotice failure={replace.failure} title="The file was not replaced." handlers={{ retry: replace.retry }}>
            <Button size="small" tone="quiet" className="mt-1.5" onClick={replace.dismiss}>
              Dismiss
            </Button>
          </ErrorNotice>
        </div>
      )}
      {props.editing && editable && change.sha256After !== null ? (
        <Suspense fallback={<SkeletonRows count={12} label={`Opening ${change.path}`} />}>
          <EditFile
            workbenchId={workbenchId}
            path={change.path}
            side="draft"
            sha256={change.sha256After}
            onClose={() => props.onEditing(false)}
          />
        </Suspense>
      ) : shownAs === "lines" ? (
        <Lines
          workbenchId={workbenchId}
          change={change}
          revision={props.revision}
          view={view}
          handle={props.handle}
          onDecide={
            actions === undefined || gate !== undefined || change.change !== "modified"
              ? undefined
              : actions.decideStretch
          }
        />
      ) : (
        <AsDocument
          key={shownAs}
          workbenchId={workbenchId}
          change={change}
          bytes={shownAs === "bytes"}
          revision={props.revision}
          view={view}
          handle={props.handle}
        />
      )}
    </div>
  );
}

function download(address: string, path: string): void {
  const link = document.createElement("a");
  link.href = address;
  link.download = path.slice(path.lastIndexOf("/") + 1);
  link.click();
}

function Lines(props: {
  readonly workbenchId: string;
  readonly change: Change;
  readonly revision: number;
  readonly view: "split" | "inline";
  readonly handle: Ref<ChangeHandle>;
  readonly onDecide: ((head: StretchHead, decision: StretchDecision) => void) | undefined;
}) {
  const { workbenchId, change, revision } = props;
  const small = Math.max(change.bytesBefore ?? 0, change.bytesAfter ?? 0) < wholeBelowBytes;
  const [whole, setWhole] = useState(small);
  const request = query("review.getTextDiff", {
    workbenchId,
    path: change.path,
    contextLines: whole ? wholeContext : 3,
  });
  const diff = useQuery({
    ...request,
    queryKey: [...request.queryKey, revision],
    placeholderData: keepPreviousData,
  });
  return (
    <>
      <WarningList warnings={[...change.warnings, ...(diff.data?.warnings ?? [])]} />
      {diff.isPending && <SkeletonRows count={12} label="Loading the diff" />}
      {diff.isError && (
        <div className="p-3">
          <ErrorNotice failure={failureOf(diff.error)} handlers={{ retry: async () => void (await diff.refetch()) }} />
        </div>
      )}
      {diff.data !== undefined && (
        <>
          {diff.data.hunks.length === 0 && (
            <p className="p-6 text-center text-muted">
              No line differs: the file is empty on both sides, or only its bytes changed.
            </p>
          )}
          <DiffView
            diff={diff.data}
            view={props.view}
            handle={props.handle}
            onNeedWhole={() => setWhole(true)}
            onDecide={diff.isPlaceholderData ? undefined : props.onDecide}
          />
          {diff.data.truncated && (
            <p className="border-t border-line bg-draft-soft px-3 py-1.5 text-sm text-draft">
              This file is long: the diff stops here. The counts speak of what is shown.
            </p>
          )}
        </>
      )}
    </>
  );
}

function AsDocument(props: {
  readonly workbenchId: string;
  readonly change: Change;
  readonly bytes: boolean;
  readonly revision: number;
  readonly view: "split" | "inline";
  readonly handle: Ref<ChangeHandle>;
}) {
  const { workbenchId, change, bytes, revision } = props;
  const [offset, setOffset] = useState(0);
  const request = query("review.getDocumentDiff", { workbenchId, path: change.path, bytes, offset });
  const diff = useQuery({
    ...request,
    queryKey: [...request.queryKey, revision],
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
  });
  // A damaged document comes as bytes, though it was asked for as what it claims to be.
  const fellBack = diff.data?.kind === "bytes" && !bytes && change.document !== "bytes" && change.document !== null;
  return (
    <>
      <WarningList warnings={[...change.warnings, ...(diff.data?.warnings ?? [])]} />
      {change.view === "too-large" && (
        <p className="border-b border-line bg-draft-soft px-3 py-1.5 text-sm text-draft">
          Too large to compare line by line.
        </p>
      )}
      {fellBack && (
        <p className="border-b border-line bg-draft-soft px-3 py-1.5 text-sm text-draft">
          It cannot be shown as what its name says: these are its bytes.
        </p>
      )}
      {diff.isPending && <SkeletonRows count={12} label="Comparing" />}
      {diff.isError && (
        <div className="p-3">
          <ErrorNotice failure={failureOf(diff.error)} handlers={{ retry: async () => void (await diff.refetch()) }} />
        </div>
      )}
      {diff.data !== undefined && (
        <>
          <Suspense fallback={<SkeletonRows count={12} label="Comparing" />}>
            <DocumentView
              workbenchId={workbenchId}
              diff={diff.data}
              view={props.view}
              handle={props.handle}
              busy={diff.isFetching}
              onOffset={setOffset}
            />
          </Suspense>
          {diff.data.truncated && diff.data.kind !== "bytes" && (
            <p className="border-t border-line bg-draft-soft px-3 py-1.5 text-sm text-draft">
              This file is long: the comparison stops here, and there is more in the file.
            </p>
          )}
        </>
      )}
    </>
  );
}
