import type { Workbench } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { Ellipsis, FilePen, FilePlus2, FolderOutput, FolderPlus, Upload, X } from "lucide-react";
import { useMemo, useRef, useState, type DragEvent } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { allFiles, query, refreshWorkbench } from "../api/queries.ts";
import { Button, IconButton } from "../components/button.tsx";
import { classes } from "../components/classes.ts";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatBytes, formatCount, formatNumber } from "../components/format.ts";
import { Menu } from "../components/menu.tsx";
import { ProgressBar } from "../components/progress-bar.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useDenied, useMay } from "../identity/identity.ts";
import { NewFileDialog } from "../review/edit/new-file-dialog.tsx";
import { collectChosen, collectDropped, type PickedFile } from "./collect.ts";
import { FileTree } from "./file-tree.tsx";
import type { FileChange, TreeRow } from "./tree.ts";
import { useUploads } from "./upload-files.ts";
import { WriteBackDialog } from "./write-back-dialog.tsx";

/** The files of a workbench: what the agent may see, with what the Draft changes marked. Files and folders can be dropped here. */
export function FilesPanel(props: {
  readonly workbench: Workbench;
  readonly selected: string | undefined;
  readonly onOpen: (path: string, change: FileChange | undefined) => void;
  readonly onReviewDraft: () => void;
}) {
  const { workbench, selected, onOpen, onReviewDraft } = props;
  const { workbenchId, hasDraft } = workbench;
  const files = useQuery(allFiles(workbenchId, hasDraft ? "draft" : "published"));
  const changeSet = useQuery({ ...query("review.getChangeSet", { workbenchId }), enabled: hasDraft });
  const changes = useMemo(
    () => new Map(hasDraft ? changeSet.data?.changes.map(({ path, change }) => [path, change] as const) : []),
    [hasDraft, changeSet.data],
  );
  const uploads = useUploads(workbenchId);
  const fileInput = useRef<HTMLInputElement>(null);
  const folderInput = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [taken, setTaken] = useState<{ files: readonly PickedFile[]; paths: ReadonlySet<string> }>();
  const [removing, setRemoving] = useState<TreeRow>();
  const [asking, setAsking] = useState<"new-file" | "write-back">();
  const mayTouchHost = useMay("host:files");
  const mayNotChange = useDenied("workbenches:write");
  const mayChange = mayNotChange === undefined;
  const gate =
    mayNotChange ?? (hasDraft ? "Publish or discard the Draft first: files are locked while one exists." : undefined);

  const add = (picked: readonly PickedFile[]) => {
    const known = new Set(files.data?.map(({ path }) => path));
    const paths = new Set(picked.map(({ path }) => path).filter((path) => known.has(path)));
    if (paths.size > 0) setTaken({ files: picked, paths });
    else void uploads.start(picked, false);
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    if (gate === undefined) void collectDropped(event.dataTransfer).then(add);
  };

  return (
    <section
      aria-label="Files"
      className="relative flex min-h-0 flex-1 flex-col"
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={drop}
    >
      <header className="flex h-9 shrink-0 items-center gap-1 pr-1.5 pl-3.5">
        <h2 className="text-sm font-semibold text-muted">Files</h2>
        <span className="tabular ml-1 flex-1 text-xs text-faint">
          {formatNumber(files.data?.length ?? workbench.fileCount)}
        </span>
        {mayChange && (
          <>
            <IconButton label="Add files" size="small" disabledReason={gate} onClick={() => fileInput.current?.click()}>
              <FilePlus2 size={14} aria-hidden />
            </IconButton>
            <IconButton
              label="Add a folder"
              size="small"
              disabledReason={gate}
              onClick={() => folderInput.current?.click()}
            >
              <FolderPlus size={14} aria-hidden />
            </IconButton>
            <Menu
              trigger={
                <IconButton label="More for files" size="small">
                  <Ellipsis size={14} aria-hidden />
                </IconButton>
              }
              items={[
                {
                  label: "New file…",
                  icon: <FilePen size={13} aria-hidden />,
                  onSelect: () => setAsking("new-file"),
                },
                ...(mayTouchHost
                  ? [
                      {
                        label: "Write back…",
                        icon: <FolderOutput size={13} aria-hidden />,
                        onSelect: () => setAsking("write-back"),
                        disabledReason: hasDraft ? "Publish or discard the Draft first." : undefined,
                      },
                    ]
                  : []),
              ]}
            />
          </>
        )}
        <input
          ref={fileInput}
          type="file"
          multiple
          hidden
          data-testid="file-input"
          onChange={(event) => {
            add(collectChosen(event.target.files));
            event.target.value = "";
          }}
        />
        <input
          ref={(input) => {
            folderInput.current = input;
            input?.setAttribute("webkitdirectory", "");
          }}
          type="file"
          multiple
          hidden
          onChange={(event) => {
            add(collectChosen(event.target.files));
            event.target.value = "";
          }}
        />
      </header>
      {files.isPending && <SkeletonRows count={5} label="Loading files" />}
      {files.isError && (
        <div className="p-2">
          <ErrorNotice
            failure={failureOf(files.error)}
            handlers={{ retry: async () => void (await files.refetch()) }}
          />
        </div>
      )}
      {files.data !== undefined && files.data.length + changes.size === 0 && uploads.progress === undefined && (
        <div className="m-2.5 flex flex-1 flex-col items-center justify-center rounded-lg border border-dashed border-line-strong px-5 py-10 text-center max-h-72">
          <Upload size={20} aria-hidden className="mb-2.5 text-faint" />
          {mayChange ? (
            <>
              <p className="font-semibold">Drop files or folders here</p>
              <p className="mt-0.5 text-sm text-muted">They are copied in. The originals are never touched.</p>
              <Button size="small" tone="primary" className="mt-3.5" onClick={() => fileInput.current?.click()}>
                Choose files
              </Button>
            </>
          ) : (
            <p className="font-semibold">No files yet</p>
          )}
        </div>
      )}
      {files.data !== undefined && files.data.length + changes.size > 0 && (
        <FileTree
          entries={files.data}
          changes={changes}
          selected={selected}
          onOpen={(row) => onOpen(row.path, row.change)}
          {...(mayChange && { onRemove: setRemoving })}
          removeGate={gate}
        />
      )}
      <UploadStatus uploads={uploads} onReviewDraft={onReviewDraft} />
      {over && (
        <div
          className={classes(
            "pointer-events-none absolute inset-1.5 flex flex-col items-center justify-center rounded-lg border-2 border-dashed p-4 text-center",
            gate === undefined
              ? "border-accent bg-accent-soft text-accent-ink"
              : "border-draft-line bg-draft-soft text-draft",
          )}
        >
          <Upload size={20} aria-hidden />
          <p className="mt-2 font-semibold">{gate ?? "Drop to copy into this workbench"}</p>
        </div>
      )}
      {taken !== undefined && (
        <TakenDialog
          taken={taken}
          onClose={() => setTaken(undefined)}
          onChoose={(picked, replace) => {
            setTaken(undefined);
            void uploads.start(picked, replace);
          }}
        />
      )}
      {asking === "new-file" && (
        <NewFileDialog
          workbenchId={workbenchId}
          onClose={() => setAsking(undefined)}
          onCreated={(path) => {
            setAsking(undefined);
            onOpen(path, "added");
          }}
        />
      )}
      {asking === "write-back" && <WriteBackDialog workbench={workbench} onClose={() => setAsking(undefined)} />}
      {removing !== undefined && (
        <RemoveDialog workbenchId={workbenchId} row={removing} onClose={() => setRemoving(undefined)} />
      )}
    </section>
  );
}

function UploadStatus(props: { readonly uploads: ReturnType<typeof useUploads>; readonly onReviewDraft: () => void }) {
  const { progress, failure, retry, cancel, dismiss } = props.uploads;
  if (progress !== undefined) {
    return (
      <div role="status" className="tabular border-t border-line p-3">
        <div className="mb-1.5 flex items-center gap-2 text-sm">
          <span className="min-w-0 flex-1 truncate">
            {progress.adding
              ? `Adding ${formatCount(progress.files, "file")}…`
              : `${formatNumber(progress.filesDone)} of ${formatCount(progress.files, "file")} · ${formatBytes(progress.bytesDone)} of ${formatBytes(progress.bytes)}`}
          </span>
          {!progress.adding && (
            <IconButton label="Cancel the upload" size="small" onClick={cancel}>
              <X size={13} aria-hidden />
            </IconButton>
          )}
        </div>
        <ProgressBar label="Upload" done={progress.bytesDone} total={Math.max(1, progress.bytes)} />
      </div>
    );
  }
  if (failure === undefined) return null;
  return (
    <div className="border-t border-line p-2">
      <ErrorNotice failure={failure} title="Nothing was added." handlers={{ retry, review_draft: props.onReviewDraft }}>
        <Button size="small" tone="quiet" className="mt-1.5" onClick={dismiss}>
          Dismiss
        </Button>
      </ErrorNotice>
    </div>
  );
}

function TakenDialog(props: {
  readonly taken: { readonly files: readonly PickedFile[]; readonly paths: ReadonlySet<string> };
  readonly onClose: () => void;
  readonly onChoose: (files: readonly PickedFile[], replace: boolean) => void;
}) {
  const { files, paths } = props.taken;
  const fresh = files.filter(({ path }) => !paths.has(path));
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={`${formatCount(paths.size, "file")} with the same ${paths.size === 1 ? "path is" : "paths are"} there already`}
      description="Replacing makes a checkpoint first, so that the old content can be restored."
      footer={
        <>
          <Button onClick={props.onClose}>Cancel</Button>
          <Button
            disabledReason={fresh.length === 0 ? "Every file is there already." : undefined}
            onClick={() => props.onChoose(fresh, false)}
          >
            Add only the new ones
          </Button>
          <Button tone="primary" onClick={() => props.onChoose(files, true)}>
            Replace
          </Button>
        </>
      }
    >
      <ul className="max-h-48 overflow-y-auto font-mono text-sm">
        {[...paths].slice(0, 100).map((path) => (
          <li key={path} className="truncate">
            {path}
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

function RemoveDialog(props: { readonly workbenchId: string; readonly row: TreeRow; readonly onClose: () => void }) {
  const { workbenchId, row, onClose } = props;
  const [failure, setFailure] = useState<Failure>();
  const [busy, setBusy] = useState(false);
  const remove = async () => {
    setBusy(true);
    setFailure(undefined);
    try {
      const { removeResults } = await client.call("files.remove", { workbenchId, workbenchPaths: [row.path] });
      await refreshWorkbench(workbenchId);
      const refused = removeResults.find(({ outcome }) => outcome === "refused");
      if (refused === undefined) onClose();
      else
        setFailure({
          ...failureOf(new Error("refused")),
          message: refused.reason ?? `${refused.path} was not removed.`,
          actions: [],
        });
    } catch (thrown) {
      setFailure(failureOf(thrown));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={row.kind === "file" ? `Remove ${row.name}?` : `Remove the folder ${row.name}?`}
      description={`${row.kind === "file" ? formatBytes(row.bytes) : `${formatCount(row.files, "file")}, ${formatBytes(row.bytes)}`}. A checkpoint is made first, so that it can be restored.`}
      footer={
        <>
          <Button onClick={onClose}>Keep</Button>
          <Button tone="danger" busy={busy} onClick={() => void remove()}>
            Remove
          </Button>
        </>
      }
    >
      <p className="font-mono text-sm break-all text-muted">{row.path}</p>
      {failure !== undefined && (
        <div className="mt-3">
          <ErrorNotice failure={failure} handlers={{ retry: remove }} />
        </div>
      )}
    </Dialog>
  );
}
