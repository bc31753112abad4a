import type { Run } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Square } from "lucide-react";
import { client } from "../api/client.ts";
import { activeRuns, queryClient } from "../api/queries.ts";
import { IconButton } from "../components/button.tsx";
import { classes } from "../components/classes.ts";
import { Elapsed } from "../components/elapsed.tsx";
import { formatCost } from "../components/format.ts";
import { Tooltip } from "../components/tooltip.tsx";
import { useMay } from "../identity/identity.ts";

/** What runs now, visible from everywhere: what, how long, what it has cost, and stop. Nothing runs: nothing is shown. */
export function RunningRuns(props: { readonly compact?: boolean; readonly className?: string }) {
  const runs = useQuery({ ...activeRuns, enabled: useMay("runs:read") }).data ?? [];
  const mayStop = useMay("runs:write");
  const [first] = runs;
  if (first === undefined) return null;
  if (props.compact) {
    return (
      <Tooltip side="right" content={`${runs.length} running: ${first.title}`}>
        <Link
          to={placeOf(first)}
          params={{ runId: first.runId }}
          aria-label={`${runs.length} running: ${first.title}`}
          className={classes(
            "tabular mx-auto flex w-10 flex-col items-center gap-1 rounded-md py-1.5 text-xs text-accent-ink hover:bg-hover",
            props.className,
          )}
        >
          <span className="pulse size-2 rounded-full bg-accent" />
          <Elapsed since={first.startedAt} />
        </Link>
      </Tooltip>
    );
  }
  return (
    <section aria-label="Running now" className={classes("flex flex-col gap-1", props.className)}>
      {runs.slice(0, 3).map((run) => (
        <div
          key={run.runId}
          className="flex items-center gap-2 rounded-md border border-line bg-surface py-1 pr-1 pl-2"
        >
          <span className="pulse size-2 shrink-0 rounded-full bg-accent" aria-hidden />
          <Link to={placeOf(run)} params={{ runId: run.runId }} className="min-w-0 flex-1 rounded-sm leading-4">
            <span className="block truncate text-sm font-medium">{run.title === "" ? run.kind : run.title}</span>
            <span className="tabular block truncate text-xs text-muted">
              <Elapsed since={run.startedAt} />
              {run.costMicros !== null && ` · ${formatCost(run.costMicros)}`}
            </span>
          </Link>
          {mayStop && (
            <IconButton label={`Stop ${run.title}`} size="small" onClick={() => void stop(run.runId)}>
              <Square size={12} aria-hidden fill="currentColor" />
            </IconButton>
          )}
        </div>
      ))}
      {runs.length > 3 && (
        <Link to="/runs" search={{ status: "pending" }} className="px-2 text-xs text-muted hover:text-ink">
          {runs.length - 3} more running
        </Link>
      )}
    </section>
  );
}

/** Where it is followed best: a job that makes a model has curves. */
function placeOf({ kind }: Run) {
  return kind === "quantize" || kind === "train" ? "/models/jobs/$runId" : "/runs/$runId";
}

async function stop(runId: string): Promise<void> {
  await client.call("runs.abort", { runId, reason: "Stopped in the console." });
  await queryClient.invalidateQueries({ queryKey: ["runs.list"] });
}
