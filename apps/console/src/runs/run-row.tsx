import type { Run } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { query } from "../api/queries.ts";
import { classes } from "../components/classes.ts";
import { Elapsed } from "../components/elapsed.tsx";
import { formatCost, formatDuration, formatNumber } from "../components/format.ts";
import { RelativeTime } from "../components/relative-time.tsx";
import { RunStatus } from "../components/run-status.tsx";

/** One run as one line: state, what was asked, model, time, tokens, cost. */
export function RunRow(props: { readonly run: Run; readonly compact?: boolean }) {
  const { run, compact } = props;
  const workbenches = useQuery({ ...query("workbenches.list", { limit: 200 }), enabled: run.workbenchId !== null });
  const workbench = workbenches.data?.items.find(({ workbenchId }) => workbenchId === run.workbenchId);
  const wide = compact ? "hidden" : "";
  return (
    <Link
      to="/runs/$runId"
      params={{ runId: run.runId }}
      className="tabular flex h-10 items-center gap-3 border-b border-line px-4 text-sm hover:bg-hover focus-visible:-outline-offset-2"
    >
      <span className="w-26 shrink-0 max-sm:w-auto">
        <RunStatus status={run.suspension === null ? run.status : "waiting"} errorCode={run.errorCode} />
      </span>
      <span className="min-w-0 flex-1 truncate text-base">
        <span className="font-medium">{run.title === "" ? (kindNames[run.kind] ?? run.kind) : run.title}</span>
        {workbench !== undefined && <span className="ml-2 text-sm text-faint">{workbench.name}</span>}
      </span>
      <span className="w-18 shrink-0 text-muted max-md:hidden">{kindNames[run.kind] ?? run.kind}</span>
      <span className={classes("w-44 shrink-0 truncate text-muted max-lg:hidden", wide)}>
        {run.modelId === null ? "" : `${run.providerId}/${run.modelId}`}
      </span>
      <span className="w-18 shrink-0 text-right text-muted max-sm:hidden">
        {run.suspension !== null ? (
          ""
        ) : run.status === "pending" ? (
          <Elapsed since={run.startedAt} />
        ) : run.durationMs === null ? (
          ""
        ) : (
          formatDuration(run.durationMs)
        )}
      </span>
      <span className={classes("w-22 shrink-0 text-right text-muted max-md:hidden", wide)}>
        {run.inputTokens + run.outputTokens > 0 && `${formatNumber(run.inputTokens + run.outputTokens)} tok`}
      </span>
      <span className={classes("w-16 shrink-0 text-right text-muted max-md:hidden", wide)}>
        {run.costMicros !== null && formatCost(run.costMicros)}
      </span>
      <RelativeTime at={run.startedAt} className="w-20 shrink-0 text-right text-faint" />
    </Link>
  );
}

export const kindNames: Readonly<Record<string, string>> = {
  agent: "Agent",
  message: "Message",
  prompt: "Prompt",
  chat: "Chat",
  eval: "Eval",
  quantize: "Quantize",
  train: "Train",
  publish: "Publish",
  restore: "Restore",
  discard: "Discard",
  replay: "Replay",
  undo: "Undo",
  rewind: "Rewind",
  "switch-model": "Switch",
};
