import type { ConsentStatus } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { BookText, Brain, Globe, Network } from "lucide-react";
import { query } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Chip } from "../components/chip.tsx";
import { CopyId } from "../components/copy-text.tsx";
import { Dialog } from "../components/dialog.tsx";
import { formatBytes, formatCount } from "../components/format.ts";
import { placeNames, placeOf } from "../egress/places.ts";
import { useMay } from "../identity/identity.ts";

/** Before the first byte goes to another machine: what, how much, to whom. */
export function ConsentDialog(props: {
  readonly status: ConsentStatus;
  /** Consent without a question that waits for it: it cannot be for one question alone. */
  readonly standing?: boolean;
  readonly onChoose: (mode: "once" | "always") => void;
  readonly onClose: () => void;
}) {
  const { status } = props;
  const mayRead = useMay("egress:read");
  const approved = useQuery({ ...query("egressExceptions.list", {}), enabled: mayRead }).data?.items ?? [];
  const place = placeOf(
    status.host,
    approved.map(({ host }) => host),
  );
  const Icon = place === "internet" ? Globe : Network;
  return (
    <Dialog
      open
      onClose={props.onClose}
      wide
      title={
        <span className="flex items-center gap-2">
          <Icon size={16} aria-hidden className="shrink-0 text-accent-ink" />
          <span className="min-w-0 break-words">Send these files to {status.host}?</span>
        </span>
      }
      description="The model runs on another machine. While it works, it may be sent anything below. Nothing has been sent yet."
      footer={
        <>
          <Button onClick={props.onClose} className="sm:mr-auto">
            Cancel
          </Button>
          <Button onClick={() => props.onChoose("always")}>Always for this workbench and model</Button>
          <Button tone="primary" autoFocus onClick={() => props.onChoose("once")}>
            {props.standing === true ? "Allow until Benchtop stops" : "Allow once"}
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
        <dd className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <span className="font-mono text-sm break-all">{status.host}</span>
          <Chip tone={place === "internet" ? "accent" : "neutral"} icon={<Icon size={12} aria-hidden />}>
            {placeNames[place]}
          </Chip>
        </dd>
        <dt className="text-muted">Scope</dt>
        <dd>
          {formatCount(status.fileCount, "file")}, {formatBytes(status.totalBytes)}{" "}
          <CopyId id={status.scopeHash} label="scope hash" className="ml-1" />
        </dd>
      </dl>
      {(status.contextItems > 0 || status.memories > 0) && (
        <ul className="mt-3 flex flex-col gap-1 text-sm">
          {status.contextItems > 0 && (
            <li className="flex items-center gap-2">
              <BookText size={13} aria-hidden className="text-faint" />
              {formatCount(status.contextItems, "context item")}, sent with every question
            </li>
          )}
          {status.memories > 0 && (
            <li className="flex items-center gap-2">
              <Brain size={13} aria-hidden className="text-faint" />
              {formatCount(status.memories, "remembered text")}, where they fit the question
            </li>
          )}
        </ul>
      )}
      <ScopeList status={status} />
      <p className="mt-3 text-sm text-muted">
        {props.standing === true ? "" : "“Once” is for this question alone. "}“Always” lasts until you take it back in
        the menu of the workbench. Files that are added and context items that change later ask again.
      </p>
    </Dialog>
  );
}

function ScopeList(props: { readonly status: ConsentStatus }) {
  const { files, fileCount } = props.status;
  if (files.length === 0) return null;
  const more = fileCount - files.length;
  return (
    <ul
      tabIndex={0}
      aria-label={more > 0 ? "Files in scope, largest first" : "Files in scope"}
      className="tabular mt-3 max-h-44 overflow-y-auto rounded-lg border border-line text-sm"
    >
      {files.map((file) => (
        <li key={file.path} className="flex gap-3 border-b border-line px-3 py-1 last:border-b-0">
          <span className="min-w-0 flex-1 truncate font-mono text-xs leading-5">{file.path}</span>
          <span className="text-muted">{formatBytes(file.bytes)}</span>
        </li>
      ))}
      {more > 0 && <li className="px-3 py-1 text-muted">and {formatCount(more, "more file")}, each smaller</li>}
    </ul>
  );
}
