import type { ConsentStatus, FileEntry } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { Globe } from "lucide-react";
import { allFiles } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { CopyId } from "../components/copy-text.tsx";
import { Dialog } from "../components/dialog.tsx";
import { formatBytes, formatCount } from "../components/format.ts";

/** Before the first byte goes to another machine: what, how much, to whom. */
export function ConsentDialog(props: {
  readonly workbenchId: string;
  readonly status: ConsentStatus;
  readonly onChoose: (mode: "once" | "always") => void;
  readonly onClose: () => void;
}) {
  const { workbenchId, status } = props;
  const files = useQuery(allFiles(workbenchId, "published")).data;
  return (
    <Dialog
      open
      onClose={props.onClose}
      wide
      title={
        <span className="flex items-center gap-2">
          <Globe size={16} aria-hidden className="text-accent-ink" />
          Send these files to {status.host}?
        </span>
      }
      description="The model runs on another machine. While it works, the agent may read any file below and send it there."
      footer={
        <>
          <Button onClick={props.onClose} className="sm:mr-auto">
            Cancel
          </Button>
          <Button onClick={() => props.onChoose("always")}>Always for this workbench and model</Button>
          <Button tone="primary" autoFocus onClick={() => props.onChoose("once")}>
            Allow once
          </Button>
        </>
      }
    >
      <dl className="tabular grid grid-cols-[auto_1fr] gap-x-6 gap-y-1.5 rounded-lg border border-line bg-sunken px-3.5 py-3">
        <dt className="text-muted">Provider</dt>
        <dd className="font-medium">{status.providerId}</dd>
        <dt className="text-muted">Model</dt>
        <dd className="font-medium break-all">{status.modelId}</dd>
        <dt className="text-muted">Host</dt>
        <dd className="font-mono text-sm break-all">{status.host}</dd>
        <dt className="text-muted">Scope</dt>
        <dd>
          {formatCount(status.fileCount, "file")}, {formatBytes(status.totalBytes)}
          {status.memories > 0 && `, and ${formatCount(status.memories, "remembered text")}`}{" "}
          <CopyId id={status.scopeHash} label="scope hash" className="ml-1" />
        </dd>
      </dl>
      {files !== undefined && files.length > 0 && <ScopeList files={files} />}
      <p className="mt-3 text-sm text-muted">
        “Always” lasts until you take it back in Egress; files that are added later ask again.
      </p>
    </Dialog>
  );
}

function ScopeList(props: { readonly files: readonly FileEntry[] }) {
  const largest = [...props.files].sort((a, b) => b.bytes - a.bytes).slice(0, 200);
  return (
    <ul
      tabIndex={0}
      aria-label="Files in scope, largest first"
      className="tabular mt-3 max-h-44 overflow-y-auto rounded-lg border border-line text-sm"
    >
      {largest.map((file) => (
        <li key={file.fileId} className="flex gap-3 border-b border-line px-3 py-1 last:border-b-0">
          <span className="min-w-0 flex-1 truncate font-mono text-xs leading-5">{file.path}</span>
          {file.opaque && <span className="text-faint">not readable by a model</span>}
          <span className="text-muted">{formatBytes(file.bytes)}</span>
        </li>
      ))}
      {props.files.length > largest.length && (
        <li className="px-3 py-1 text-muted">and {formatCount(props.files.length - largest.length, "smaller file")}</li>
      )}
    </ul>
  );
}
