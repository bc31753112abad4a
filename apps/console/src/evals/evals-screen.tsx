import type { EvalRun } from "@benchtop/operations";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { FlaskConical, GitCompareArrows } from "lucide-react";
import { useState } from "react";
import { client, failureOf } from "../api/client.ts";
import { Button } from "../components/button.tsx";
import { Chip } from "../components/chip.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatCost, formatCount, formatDuration } from "../components/format.ts";
import { ProgressBar } from "../components/progress-bar.tsx";
import { RelativeTime } from "../components/relative-time.tsx";
import { Screen } from "../components/screen.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { formatRate, stateOf } from "./outcomes.ts";
import { RateBar } from "./rate-bar.tsx";

/** Every run of a suite, newest first; two of them can be compared. */
export function EvalsScreen() {
  const navigate = useNavigate();
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const evals = useInfiniteQuery({
    queryKey: ["evals.list", { paged: true }],
    queryFn: ({ pageParam }) =>
      client.call("evals.list", { limit: 50, ...(pageParam !== null && { cursor: pageParam }) }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor,
    refetchInterval: (query) =>
      query.state.data?.pages[0]?.items.some(({ status }) => status === "pending") === true ? 2_000 : false,
  });
  const items = evals.data?.pages.flatMap((page) => page.items) ?? [];
  const toggle = (runId: string) =>
    setChosen((before) =>
      before.includes(runId) ? before.filter((id) => id !== runId) : [...before, runId].slice(-2),
    );
  const compare = () => {
    const [later, earlier] = items.filter(({ runId }) => chosen.includes(runId));
    if (later === undefined || earlier === undefined) return;
    void navigate({ to: "/evals/$runId", params: { runId: later.runId }, search: { against: earlier.runId } });
  };
  return (
    <Screen
      title="Evals"
      actions={
        items.length > 1 && (
          <Button
            size="small"
            icon={<GitCompareArrows size={13} aria-hidden />}
            disabledReason={chosen.length === 2 ? undefined : "Choose two evaluations in the list."}
            onClick={compare}
          >
            Compare two
          </Button>
        )
      }
    >
      {evals.isPending && <SkeletonRows count={8} label="Loading evaluations" />}
      {evals.isError && (
        <div className="p-4">
          <ErrorNotice
            failure={failureOf(evals.error)}
            handlers={{ retry: async () => void (await evals.refetch()) }}
          />
        </div>
      )}
      {evals.data !== undefined && items.length === 0 && (
        <EmptyState icon={<FlaskConical size={18} aria-hidden />} title="Nothing was evaluated yet">
          A suite asks models a list of cases and judges the answers. Write one as a file and start it from a terminal:{" "}
          <code className="mt-2 block rounded-md border border-line bg-sunken px-2 py-1 text-left font-mono text-xs text-ink">
            benchtop eval run suite.yaml
          </code>
        </EmptyState>
      )}
      {items.length > 0 && (
        <ul aria-label="Evaluations">
          {items.map((run) => (
            <EvalRow key={run.runId} run={run} chosen={chosen.includes(run.runId)} onToggle={() => toggle(run.runId)} />
          ))}
        </ul>
      )}
      {evals.hasNextPage && (
        <div className="p-3 text-center">
          <Button size="small" busy={evals.isFetchingNextPage} onClick={() => void evals.fetchNextPage()}>
            Show older
          </Button>
        </div>
      )}
    </Screen>
  );
}

const shownModels = 3;

function EvalRow(props: { readonly run: EvalRun; readonly chosen: boolean; readonly onToggle: () => void }) {
  const { run } = props;
  const { label, tone } = stateOf(run);
  const comparable = run.summary !== null;
  const required = new Map(
    (run.summary?.thresholds ?? []).flatMap((result) =>
      result.threshold === "passRate" ? [[result.model, result.required]] : [],
    ),
  );
  return (
    <li className="flex items-stretch border-b border-line hover:bg-hover">
      <label className="flex items-center pr-1 pl-4 max-sm:hidden">
        <input
          type="checkbox"
          className="size-3.5 accent-(--accent) disabled:opacity-40"
          checked={props.chosen}
          disabled={!comparable}
          onChange={props.onToggle}
          aria-label={`Compare ${run.name}, ${run.startedAt}`}
        />
      </label>
      <Link
        to="/evals/$runId"
        params={{ runId: run.runId }}
        className="tabular flex min-w-0 flex-1 items-center gap-x-4 gap-y-1 px-3 py-2 focus-visible:-outline-offset-2 max-sm:flex-wrap max-sm:px-4"
      >
        <span className="w-30 shrink-0 max-sm:w-auto">
          <Chip tone={tone}>{label}</Chip>
        </span>
        <span className="min-w-0 flex-1">
          <span className="block truncate font-medium">{run.name}</span>
          <span className="block truncate text-sm text-muted">
            {formatCount(run.cases, "case")}
            {run.repeat > 1 && ` × ${run.repeat}`} · {run.models.join(", ")}
          </span>
        </span>
        <span className="flex w-74 shrink-0 flex-col gap-1 max-sm:w-full">
          {run.summary === null
            ? run.status === "pending" && <RowProgress run={run} />
            : run.summary.models.slice(0, shownModels).map((model) => (
                <span key={model.model} className="flex items-center gap-2 text-sm">
                  <RateBar
                    rate={model.passRate}
                    interval={model.interval}
                    threshold={required.get(model.model)}
                    className="flex-1"
                  />
                  <span className="w-14 text-right font-medium">{formatRate(model.passRate)}</span>
                  <span className="w-20 text-right text-faint">
                    {model.passed} of {model.samples - model.notRun}
                  </span>
                </span>
              ))}
          {run.summary !== null && run.summary.models.length > shownModels && (
            <span className="text-right text-xs text-faint">
              and {run.summary.models.length - shownModels} more models
            </span>
          )}
        </span>
        <span className="w-18 shrink-0 text-right text-sm text-muted max-lg:hidden">
          {run.summary !== null && run.summary.spent.costMicros !== null && formatCost(run.summary.spent.costMicros)}
        </span>
        <span className="w-16 shrink-0 text-right text-sm text-muted max-md:hidden">
          {run.durationMs !== null && formatDuration(run.durationMs)}
        </span>
        <RelativeTime at={run.startedAt} className="w-22 shrink-0 text-right text-sm text-faint max-sm:hidden" />
      </Link>
    </li>
  );
}

function RowProgress(props: { readonly run: EvalRun }) {
  const { done, total } = props.run.progress;
  return (
    <span className="flex items-center gap-2 text-sm">
      <span className="flex-1">
        <ProgressBar label={`Answers of ${props.run.name}`} done={done} total={total} />
      </span>
      <span className="w-36 text-right text-muted">
        {done} of {total} answers
      </span>
    </span>
  );
}
