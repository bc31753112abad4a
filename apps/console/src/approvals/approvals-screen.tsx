import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ShieldCheck } from "lucide-react";
import { failureOf } from "../api/client.ts";
import { query, queryClient, waitingRuns } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { Screen } from "../components/screen.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { DecisionCard } from "./decision-card.tsx";

/** Everything that waits for a person, oldest first: who asked longest is answered first. */
export function ApprovalsScreen() {
  const waiting = useQuery(waitingRuns);
  const workbenches = useQuery(query("workbenches.list", { limit: 200 }));
  const runs = (waiting.data ?? []).toReversed();
  return (
    <Screen title="Approvals">
      {waiting.isPending && <SkeletonRows count={4} label="Loading what waits for you" />}
      {waiting.isError && (
        <div className="p-4">
          <ErrorNotice
            failure={failureOf(waiting.error)}
            handlers={{ retry: async () => void (await waiting.refetch()) }}
          />
        </div>
      )}
      {waiting.data !== undefined && runs.length === 0 && (
        <EmptyState
          icon={<ShieldCheck size={18} aria-hidden />}
          title="Nothing waits for you"
          action={
            <Link to="/runs">
              <Button>All runs</Button>
            </Link>
          }
        >
          When a gate asks before a tool call, or a crash leaves a call whose outcome nobody knows, the run stops here
          and waits. Gates are set in config.json.
        </EmptyState>
      )}
      <ol className="mx-auto flex w-full max-w-180 flex-col gap-4 p-4">
        {runs.map((run) => {
          const workbench = workbenches.data?.items.find(({ workbenchId }) => workbenchId === run.workbenchId);
          return (
            run.suspension !== null && (
              <li key={run.runId} className="flex flex-col gap-1.5">
                <p className="flex flex-wrap items-baseline gap-x-2">
                  <Link
                    to="/runs/$runId"
                    params={{ runId: run.runId }}
                    className="min-w-0 truncate rounded-sm font-semibold underline-offset-2 hover:underline"
                  >
                    {run.title === "" ? run.kind : run.title}
                  </Link>
                  {workbench !== undefined && <span className="text-sm text-faint">{workbench.name}</span>}
                  {run.modelId !== null && (
                    <span className="text-sm text-faint">
                      {run.providerId}/{run.modelId}
                    </span>
                  )}
                </p>
                <DecisionCard
                  runId={run.runId}
                  suspension={run.suspension}
                  onDecided={() => void queryClient.invalidateQueries({ queryKey: waitingRuns.queryKey })}
                />
              </li>
            )
          );
        })}
      </ol>
    </Screen>
  );
}
