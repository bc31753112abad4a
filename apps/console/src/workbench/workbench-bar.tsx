import type { Workbench } from "@benchtop/operations";
import { Link, useNavigate } from "@tanstack/react-router";
import {
  BookText,
  Brain,
  ChevronRight,
  Download,
  Ellipsis,
  FileDiff,
  Folder,
  FolderOutput,
  Globe,
  History,
  MessagesSquare,
  Pencil,
  ShieldOff,
  SquareActivity,
  Trash2,
} from "lucide-react";
import { useState, type FormEvent, type ReactNode } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { queryClient, refreshWorkbench } from "../api/queries.ts";
import { saveConversation } from "../api/save.ts";
import { Button, IconButton } from "../components/button.tsx";
import { classes } from "../components/classes.ts";
import { ConfirmDialog } from "../components/confirm-dialog.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { TextField } from "../components/field.tsx";
import { formatBytes, formatCount } from "../components/format.ts";
import { Menu } from "../components/menu.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { useMay } from "../identity/identity.ts";
import type { WorkbenchSearch } from "../search.ts";
import { ExtractDialog } from "./extract-dialog.tsx";
import { MemoryDialog } from "./memory-dialog.tsx";

/** Name, state, and what can be done with the workbench as a whole. */
export function WorkbenchBar(props: {
  readonly workbench: Workbench;
  readonly chips: ReactNode;
  readonly onCheckpoints: () => void;
  readonly onContextItems: () => void;
}) {
  const { workbench } = props;
  const { workbenchId } = workbench;
  const navigate = useNavigate();
  const [open, setOpen] = useState<"rename" | "memory" | "delete" | "revoke" | "export" | "extract">();
  const mayChange = useMay("workbenches:write");
  const mayConsent = useMay("egress:write");
  const mayUseHost = useMay("host:files");
  const draftGate = workbench.hasDraft ? "Publish or discard the Draft first." : undefined;
  return (
    <>
      <nav aria-label="Place" className="flex min-w-0 items-center gap-1 max-sm:flex-1">
        <Link to="/workbenches" className="rounded-sm text-muted hover:text-ink max-md:hidden">
          Workbenches
        </Link>
        <ChevronRight size={13} aria-hidden className="text-faint max-md:hidden" />
        <h1 className="min-w-0 truncate font-semibold">{workbench.name}</h1>
      </nav>
      <div className="ml-2 min-w-0 flex-1 max-md:hidden">{props.chips}</div>
      <IconButton label="Checkpoints" onClick={props.onCheckpoints} className="ml-auto">
        <History size={15} aria-hidden />
      </IconButton>
      <Menu
        trigger={
          <button
            type="button"
            aria-label="More about this workbench"
            className="inline-flex size-7.5 items-center justify-center rounded-md text-muted hover:bg-hover hover:text-ink"
          >
            <Ellipsis size={15} aria-hidden />
          </button>
        }
        items={[
          ...(mayChange
            ? [{ label: "Rename…", icon: <Pencil size={14} aria-hidden />, onSelect: () => setOpen("rename") }]
            : []),
          {
            label: "Its runs",
            icon: <SquareActivity size={14} aria-hidden />,
            onSelect: () => void navigate({ to: "/runs", search: { workbenchId } }),
          },
          ...(mayUseHost
            ? [
                {
                  label: "Copy the files out…",
                  icon: <FolderOutput size={14} aria-hidden />,
                  onSelect: () => setOpen("extract"),
                  disabledReason: draftGate,
                },
              ]
            : []),
          {
            label: "Export the conversation",
            icon: <Download size={14} aria-hidden />,
            onSelect: () => setOpen("export"),
          },
          {
            label: "What left this machine",
            icon: <Globe size={14} aria-hidden />,
            onSelect: () => void navigate({ to: "/egress", search: { workbenchId } }),
          },
          {
            label: "Context items…",
            icon: <BookText size={14} aria-hidden />,
            onSelect: props.onContextItems,
          },
          {
            label: "What its agents remember…",
            icon: <Brain size={14} aria-hidden />,
            onSelect: () => setOpen("memory"),
          },
          ...(mayConsent
            ? [
                {
                  label: "Take back consent…",
                  icon: <ShieldOff size={14} aria-hidden />,
                  onSelect: () => setOpen("revoke"),
                },
              ]
            : []),
          ...(mayChange
            ? [
                {
                  label: "Delete…",
                  icon: <Trash2 size={14} aria-hidden />,
                  danger: true,
                  onSelect: () => setOpen("delete"),
                  disabledReason: draftGate,
                },
              ]
            : []),
        ]}
      />
      {open === "rename" && <RenameDialog workbench={workbench} onClose={() => setOpen(undefined)} />}
      {open === "extract" && <ExtractDialog workbench={workbench} onClose={() => setOpen(undefined)} />}
      {open === "export" && <ExportDialog workbench={workbench} onClose={() => setOpen(undefined)} />}
      {open === "memory" && <MemoryDialog workbench={workbench} onClose={() => setOpen(undefined)} />}
      {open === "delete" && (
        <ConfirmDialog
          title={`Delete ${workbench.name}?`}
          description={`Its ${formatCount(workbench.fileCount, "file")} (${formatBytes(workbench.totalBytes)}) and checkpoints are removed from ${workbench.publishedDir}. This cannot be undone. The files that you added them from are not touched.`}
          action="Delete for good"
          onClose={() => setOpen(undefined)}
          onConfirm={async () => {
            await client.call("workbenches.delete", { workbenchId });
            await queryClient.invalidateQueries({ queryKey: ["workbenches.list"] });
            await navigate({ to: "/workbenches" });
          }}
        />
      )}
      {open === "revoke" && (
        <ConfirmDialog
          title="Take back every consent of this workbench?"
          description="Every model on another machine asks again before anything is sent. What was sent cannot be brought back."
          action="Take back"
          onClose={() => setOpen(undefined)}
          onConfirm={async () => {
            await client.call("egress.revokeConsent", { workbenchId });
            await refreshWorkbench(workbenchId);
            setOpen(undefined);
          }}
        />
      )}
    </>
  );
}

/** Where there is room for one part only: which one. The state stays in view above it. */
export function WorkbenchTabs(props: {
  readonly search: WorkbenchSearch;
  readonly hasDraft: boolean;
  readonly onGo: (search: WorkbenchSearch) => void;
  readonly onClosePane: () => void;
}) {
  const { search, onGo } = props;
  const current = search.pane ?? search.tab ?? "conversation";
  const leave = (tab: "files" | "conversation") => {
    props.onClosePane();
    onGo({ tab });
  };
  const tabs = [
    { id: "files", label: "Files", icon: Folder, go: () => leave("files") },
    { id: "conversation", label: "Conversation", icon: MessagesSquare, go: () => leave("conversation") },
    { id: "review", label: props.hasDraft ? "Review" : "No Draft", icon: FileDiff, go: () => onGo({ pane: "review" }) },
  ] as const;
  return (
    <nav aria-label="Parts of the workbench" className="flex shrink-0 border-b border-line px-2">
      {tabs.map(({ id, label, icon: Icon, go }) => (
        <button
          key={id}
          type="button"
          aria-current={current === id ? "page" : undefined}
          onClick={go}
          className={classes(
            "flex h-9 flex-1 items-center justify-center gap-1.5 border-b-2 text-sm font-medium",
            current === id ? "border-accent text-ink" : "border-transparent text-muted",
          )}
        >
          <Icon size={13} aria-hidden className={id === "review" && props.hasDraft ? "text-draft" : undefined} />
          {label}
        </button>
      ))}
    </nav>
  );
}

/** A conversation leaves the workbench as a file of the person's: what is in it is said before. */
function ExportDialog(props: { readonly workbench: Workbench; readonly onClose: () => void }) {
  const { workbench, onClose } = props;
  const { busy, failure, attempt } = useAttempt();
  const save = () =>
    attempt(async () => {
      await saveConversation(workbench.workbenchId, workbench.name);
      onClose();
    });
  return (
    <Dialog
      open
      onClose={onClose}
      title="Export the conversation"
      description="One file of JSON Lines, oldest first: each turn with what was asked, answered and changed, and what was done in between. It holds what was said, with the text of files that the model read."
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button tone="primary" autoFocus busy={busy} onClick={() => void save()}>
            Download
          </Button>
        </>
      }
    >
      {failure !== undefined && <ErrorNotice failure={failure} handlers={{ retry: save }} />}
    </Dialog>
  );
}

function RenameDialog(props: { readonly workbench: Workbench; readonly onClose: () => void }) {
  const { workbench, onClose } = props;
  const [name, setName] = useState(workbench.name);
  const [failure, setFailure] = useState<Failure>();
  const rename = async (event: FormEvent) => {
    event.preventDefault();
    try {
      await client.call("workbenches.rename", { workbenchId: workbench.workbenchId, name: name.trim() });
      await refreshWorkbench(workbench.workbenchId);
      onClose();
    } catch (thrown) {
      setFailure(failureOf(thrown));
    }
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title="Rename the workbench"
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            tone="primary"
            type="submit"
            form="rename-workbench"
            disabledReason={name.trim() === "" ? "It needs a name." : undefined}
          >
            Rename
          </Button>
        </>
      }
    >
      <form id="rename-workbench" onSubmit={(event) => void rename(event)}>
        <TextField
          label="Name"
          value={name}
          maxLength={100}
          autoFocus
          onChange={(event) => setName(event.target.value)}
          error={failure?.message}
        />
      </form>
    </Dialog>
  );
}
