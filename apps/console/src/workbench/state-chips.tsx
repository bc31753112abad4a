import type { Workbench } from "@benchtop/operations";
import { FileDiff, FileLock2, Globe, HardDrive, Layers, Plug } from "lucide-react";
import { Chip } from "../components/chip.tsx";
import { formatBytes, formatCount } from "../components/format.ts";
import { Tooltip } from "../components/tooltip.tsx";

/** The three things that must always be plain: what the AI may see, where it goes, and what is not real yet. */
export function StateChips(props: {
  readonly workbench: Workbench;
  readonly model: string | undefined;
  readonly local: boolean | undefined;
  readonly contextItems: number;
  /** Nobody has touched the Draft for so long. */
  readonly untouched: string | undefined;
  readonly onReview: () => void;
}) {
  const { workbench, model, local, contextItems, untouched } = props;
  return (
    <div className="flex min-w-0 flex-wrap items-center gap-1.5" aria-label="State of this workbench" role="group">
      <Tooltip
        content={
          contextItems === 0
            ? "What the agent may read: the published files of this workbench, and nothing else."
            : "What the agent may read: the published files of this workbench and its context items, and nothing else."
        }
      >
        <span className="inline-flex" tabIndex={0}>
          <Chip icon={<Layers size={12} aria-hidden />}>
            <span className="sr-only">Scope: </span>
            {formatCount(workbench.fileCount, "file")} · {formatBytes(workbench.totalBytes)}
            {contextItems > 0 && ` · ${formatCount(contextItems, "context item")}`}
          </Chip>
        </span>
      </Tooltip>
      {model === undefined ? (
        <Chip icon={<Plug size={12} aria-hidden />}>No model</Chip>
      ) : (
        <Chip className="shrink! overflow-hidden" icon={<Plug size={12} aria-hidden className="shrink-0" />}>
          <span className="truncate">{model.replace("/", " · ")}</span>
        </Chip>
      )}
      {local !== undefined && (
        <Tooltip
          content={
            local
              ? "The model runs on this machine: nothing leaves it."
              : "The model runs on another machine: what it is shown leaves this one, with your consent."
          }
        >
          <span className="inline-flex" tabIndex={0}>
            <Chip
              tone={local ? "good" : "accent"}
              icon={local ? <HardDrive size={12} aria-hidden /> : <Globe size={12} aria-hidden />}
            >
              {local ? "Local" : "Remote"}
            </Chip>
          </span>
        </Tooltip>
      )}
      {workbench.hasDraft ? (
        <button
          type="button"
          onClick={props.onReview}
          className="rounded-full"
          aria-label={`Draft exists${untouched === undefined ? "" : `, untouched for ${untouched}`}: open Review`}
        >
          <Chip tone="draft" icon={<FileDiff size={12} aria-hidden />}>
            {untouched === undefined ? "Draft, not published" : `Draft, untouched for ${untouched}`}
          </Chip>
        </button>
      ) : (
        <Chip icon={<FileLock2 size={12} aria-hidden />}>No Draft</Chip>
      )}
    </div>
  );
}
