import type { ModelDownload } from "@benchtop/operations";
import { Pause, Play, RotateCcw, X } from "lucide-react";
import { client } from "../api/client.ts";
import { Button, IconButton } from "../components/button.tsx";
import { Chip, type Tone } from "../components/chip.tsx";
import { FailureLine } from "./failure-line.tsx";
import { formatBytes, formatDuration } from "../components/format.ts";
import { ProgressBar } from "../components/progress-bar.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { useMay } from "../identity/identity.ts";
import { Rows } from "../settings/section.tsx";
import { refreshModels, useDownloads } from "./queries.ts";

const states: Record<ModelDownload["state"], { readonly label: string; readonly tone: Tone }> = {
  queued: { label: "Queued", tone: "neutral" },
  running: { label: "Downloading", tone: "accent" },
  verifying: { label: "Checking", tone: "accent" },
  paused: { label: "Paused", tone: "draft" },
  failed: { label: "Failed", tone: "bad" },
  done: { label: "Installed", tone: "good" },
  canceled: { label: "Canceled", tone: "neutral" },
};

/** Models on their way, with their numbers; what has arrived or was given up is not here any more. */
export function Downloads() {
  const shown = (useDownloads().data?.items ?? []).filter(({ state }) => state !== "done" && state !== "canceled");
  if (shown.length === 0) return null;
  return (
    <section>
      <h2 className="mb-2 font-semibold">On their way</h2>
      <Rows label="Downloads">
        {shown.map((download) => (
          <DownloadRow key={download.downloadId} download={download} />
        ))}
      </Rows>
    </section>
  );
}

function DownloadRow({ download }: { readonly download: ModelDownload }) {
  const { downloadId, name, source, state, bytesDone, bytesTotal, bytesPerSecond, error } = download;
  const mayChange = useMay("models:write");
  const { busy, failure, attempt } = useAttempt();
  const act = (what: "pause" | "resume" | "cancel") =>
    void attempt(async () => {
      await client.call(`modelDownloads.${what}`, { downloadId });
      await refreshModels();
    });
  const left =
    bytesTotal === null || bytesPerSecond === null || bytesPerSecond === 0
      ? undefined
      : (1000 * (bytesTotal - bytesDone)) / bytesPerSecond;
  return (
    <li className="tabular flex flex-col gap-2 border-b border-line px-3.5 py-3 last:border-b-0">
      <div className="flex items-center gap-3">
        <div className="min-w-0 flex-1">
          <p className="truncate font-medium">{name}</p>
          <p className="truncate font-mono text-xs text-muted">{source}</p>
        </div>
        <Chip tone={states[state].tone}>{states[state].label}</Chip>
        {mayChange && (
          <span className="flex items-center gap-1">
            {(state === "running" || state === "queued") && (
              <IconButton label={`Pause ${name}`} size="small" onClick={() => act("pause")}>
                <Pause size={14} aria-hidden />
              </IconButton>
            )}
            {state === "paused" && (
              <IconButton label={`Resume ${name}`} size="small" onClick={() => act("resume")}>
                <Play size={14} aria-hidden />
              </IconButton>
            )}
            {state === "failed" && (
              <Button
                size="small"
                busy={busy}
                icon={<RotateCcw size={12} aria-hidden />}
                aria-label={`Try ${name} again`}
                onClick={() => act("resume")}
              >
                Try again
              </Button>
            )}
            <IconButton label={`Cancel ${name}`} size="small" onClick={() => act("cancel")}>
              <X size={14} aria-hidden />
            </IconButton>
          </span>
        )}
      </div>
      <div className="flex items-center gap-4 text-sm max-sm:flex-col max-sm:items-stretch max-sm:gap-1.5">
        <div className="flex-1">
          <ProgressBar label={`Bytes of ${name}`} done={bytesDone} total={bytesTotal ?? 0} />
        </div>
        <p className="flex gap-x-3 text-muted max-sm:justify-between sm:min-w-72 sm:justify-end">
          <span>
            {formatBytes(bytesDone)}
            {bytesTotal !== null && ` of ${formatBytes(bytesTotal)}`}
          </span>
          {state === "running" && bytesPerSecond !== null && <span>{formatBytes(bytesPerSecond)}/s</span>}
          {state === "running" && left !== undefined && <span>{formatDuration(Math.max(1000, left))} left</span>}
        </p>
      </div>
      {error !== null && <FailureLine code={error.code} message={error.message} />}
      {failure !== undefined && <FailureLine code={failure.error_code} message={failure.message} />}
    </li>
  );
}
