import type { EvalReport } from "@benchtop/protocol";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { ChevronRight, Compass, Download, RotateCcw, Square } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { client, failureOf, isCode } from "../api/client.ts";
import { query, queryClient } from "../api/queries.ts";
import { useRunFeed } from "../api/run-feed.ts";
import { Button } from "../components/button.tsx";
import { Chip } from "../components/chip.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { Menu } from "../components/menu.tsx";
import { Screen } from "../components/screen.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { CompareWith, ComparisonBand } from "./comparison.tsx";
import { LiveAnswers } from "./live-answers.tsx";
import { stateOf } from "./outcomes.ts";
import { ReportNumbers } from "./report-numbers.tsx";
import { useMay } from "../identity/identity.ts";
import { RunAgainDialog } from "./run-again-dialog.tsx";
import { saveReport } from "./save-report.ts";
import { SampleTable } from "./sample-table.tsx";

const route = getRouteApi("/evals/$runId");

export function EvalScreen() {
  const { runId } = route.useParams();
  return <EvalView key={runId} runId={runId} />;
}

/** One evaluation: its numbers, and every answer; while it runs, the answers as they are judged. */
function EvalView(props: { readonly runId: string }) {
  const { runId } = props;
  const { against } = route.useSearch();
  const navigate = route.useNavigate();
  const mayDrive = useMay("runs:write");
  const [runsAgain, setRunsAgain] = useState(false);
  const scroller = useRef<HTMLDivElement>(null);
  const evaluation = useQuery({ ...query("evals.get", { runId }), retry: false });
  const data = evaluation.data;
  const running = data?.status === "pending";
  const report = useQuery({
    queryKey: ["evals.report", { runId }],
    queryFn: async (): Promise<EvalReport> => {
      const file = await client.downloadReport({ runId });
      return JSON.parse(new TextDecoder().decode(await file.arrayBuffer())) as EvalReport;
    },
    enabled: data !== undefined && data.summary !== null,
    // A report is written once.
    staleTime: Number.POSITIVE_INFINITY,
  });
  const comparison = useQuery({
    ...query("evals.compare", { runId: against ?? "", otherRunId: runId }),
    enabled: against !== undefined && data !== undefined && data.summary !== null,
    retry: false,
  });
  const changes = useMemo(() => {
    const models = comparison.data?.models ?? [];
    return new Map(
      models.flatMap((model) =>
        model.cases.map((item) => [`${model.afterModel} ${item.caseId}`, item.change] as const),
      ),
    );
  }, [comparison.data]);

  if (data === undefined) {
    return (
      <Screen title="Evaluation">
        {evaluation.isPending && <SkeletonRows label="Loading the evaluation" />}
        {isCode(evaluation.error, "NOT_FOUND") ? (
          <EmptyState
            icon={<Compass size={18} aria-hidden />}
            title="This evaluation does not exist"
            action={
              <Link to="/evals">
                <Button>All evaluations</Button>
              </Link>
            }
          >
            It may have been removed by retention.
          </EmptyState>
        ) : (
          evaluation.isError && (
            <div className="p-4">
              <ErrorNotice
                failure={failureOf(evaluation.error)}
                handlers={{ retry: async () => void (await evaluation.refetch()) }}
              />
            </div>
          )
        )}
      </Screen>
    );
  }
  const { label, tone } = stateOf(data);
  const compareWith = (other: string | undefined) =>
    void navigate({
      search: ({ against: _against, ...rest }) => ({ ...rest, ...(other !== undefined && { against: other }) }),
    });
  return (
    <Screen
      title={data.name}
      scroll={false}
      bar={
        <nav aria-label="Place" className="flex min-w-0 items-center gap-1">
          <Link to="/evals" className="rounded-sm text-muted hover:text-ink max-sm:hidden">
            Evals
          </Link>
          <ChevronRight size={13} aria-hidden className="shrink-0 text-faint max-sm:hidden" />
          <h1 className="min-w-0 truncate font-semibold">{data.name}</h1>
          <Chip tone={tone} className="ml-2 max-sm:hidden">
            {label}
          </Chip>
        </nav>
      }
      actions={
        running ? (
          mayDrive && (
            <Button
              size="small"
              tone="danger"
              icon={<Square size={11} aria-hidden fill="currentColor" />}
              onClick={() => void client.call("runs.abort", { runId, reason: "Stopped in the console." })}
            >
              Stop
            </Button>
          )
        ) : (
          <>
            {data.summary !== null && (
              <>
                <CompareWith run={data} against={against} onChange={compareWith} />
                <Menu
                  align="end"
                  trigger={
                    <Button size="small" icon={<Download size={13} aria-hidden />} aria-label="Download the report">
                      <span className="max-md:hidden">Report</span>
                    </Button>
                  }
                  items={[
                    { label: "One HTML file", onSelect: () => void saveReport(runId, data.name, "html") },
                    { label: "JSON", onSelect: () => void saveReport(runId, data.name, "json") },
                  ]}
                />
              </>
            )}
            {mayDrive && (
              <Button
                size="small"
                icon={<RotateCcw size={13} aria-hidden />}
                aria-label="Run again"
                onClick={() => setRunsAgain(true)}
              >
                <span className="max-md:hidden">Run again</span>
              </Button>
            )}
          </>
        )
      }
    >
      {runsAgain && <RunAgainDialog evaluation={data} onClose={() => setRunsAgain(false)} />}
      <div ref={scroller} tabIndex={-1} className="relative min-h-0 flex-1 overflow-y-auto outline-none!">
        <div className="mx-auto flex max-w-320 flex-col gap-5 px-4 py-4">
          <p className="-mb-2 sm:hidden">
            <Chip tone={tone}>{label}</Chip>
          </p>
          {!running && data.summary === null && <EndedEarly runId={runId} />}
          {running && <Live runId={runId} total={data.progress.total} onEnd={() => void evaluation.refetch()} />}
          {data.summary !== null && <ReportNumbers evaluation={data} summary={data.summary} />}
          {comparison.isError && (
            <ErrorNotice title="These two cannot be compared" failure={failureOf(comparison.error)} />
          )}
          {comparison.data !== undefined && (
            <ComparisonBand comparison={comparison.data} onClose={() => compareWith(undefined)} />
          )}
          {report.isError && (
            <ErrorNotice
              failure={failureOf(report.error)}
              handlers={{ retry: async () => void (await report.refetch()) }}
            />
          )}
          {report.isLoading && <SkeletonRows label="Loading the answers" />}
          {report.data !== undefined && <SampleTable report={report.data} changes={changes} scroller={scroller} />}
        </div>
      </div>
    </Screen>
  );
}

function Live(props: { readonly runId: string; readonly total: number; readonly onEnd: () => void }) {
  const feed = useRunFeed(props.runId);
  const ended = feed.state === "ended";
  const { onEnd } = props;
  useEffect(() => {
    if (!ended) return;
    void queryClient.invalidateQueries({ queryKey: ["evals.list"] });
    onEnd();
    // Once, when it ends: `onEnd` is a new function with every drawing.
  }, [ended]);
  return (
    <>
      {feed.failure !== undefined && <ErrorNotice failure={feed.failure} />}
      <LiveAnswers feed={feed} total={props.total} />
    </>
  );
}

/** It ended before there was a report: its journal says why. */
function EndedEarly(props: { readonly runId: string }) {
  const feed = useRunFeed(props.runId);
  const last = feed.events.at(-1);
  if (last?.type !== "Error") return <SkeletonRows count={2} label="Loading the reason" />;
  return <ErrorNotice title="Nothing was evaluated" failure={last.error} />;
}
