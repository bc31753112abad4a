import type { Run } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { ChevronRight, Compass, Square, SquareActivity } from "lucide-react";
import { useEffect, useMemo, useState, type ReactNode } from "react";
import { client, failureOf, isCode } from "../api/client.ts";
import { query, queryClient } from "../api/queries.ts";
import { useRunFeed } from "../api/run-feed.ts";
import { Button } from "../components/button.tsx";
import { classes } from "../components/classes.ts";
import { Elapsed } from "../components/elapsed.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatBytes, formatDuration, formatNumber } from "../components/format.ts";
import { RelativeTime } from "../components/relative-time.tsx";
import { RunStatus } from "../components/run-status.tsx";
import { Screen } from "../components/screen.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useMay } from "../identity/identity.ts";
import { JobCharts } from "./job-charts.tsx";
import { JobOutcome } from "./job-outcome.tsx";
import { JobPhases } from "./job-phases.tsx";
import { formatParameters } from "./model-words.ts";
import { refreshModels } from "./queries.ts";
import { factsOf, JobReader, numberIn, textIn, type Job } from "./read-job.ts";

const route = getRouteApi("/models/jobs/$runId");

export function JobScreen() {
  const { runId } = route.useParams();
  return <JobView key={runId} runId={runId} />;
}

/** One model being made: how far it is, its curves as they grow, and what came of it. */
function JobView(props: { readonly runId: string }) {
  const { runId } = props;
  const run = useQuery({ ...query("runs.get", { runId }), retry: false });
  const data = run.data;
  if (data !== undefined && (data.kind === "quantize" || data.kind === "train")) {
    return <JobOf run={data} onEnd={() => void run.refetch()} />;
  }
  return (
    <Screen title="Job">
      {run.isPending && <SkeletonRows label="Loading the job" />}
      {data !== undefined || isCode(run.error, "NOT_FOUND") ? (
        <EmptyState
          icon={<Compass size={18} aria-hidden />}
          title="This job does not exist"
          action={
            <Link to="/models/jobs">
              <Button>All jobs</Button>
            </Link>
          }
        >
          It may have been removed by retention.
        </EmptyState>
      ) : (
        run.isError && (
          <div className="p-4">
            <ErrorNotice failure={failureOf(run.error)} handlers={{ retry: async () => void (await run.refetch()) }} />
          </div>
        )
      )}
    </Screen>
  );
}

function JobOf(props: { readonly run: Run; readonly onEnd: () => void }) {
  const { run, onEnd } = props;
  const feed = useRunFeed(run.runId);
  const [reader] = useState(() => new JobReader());
  const job = useMemo(() => reader.read(feed.events), [reader, feed]);
  const mayStop = useMay("runs:write");
  const pending = run.status === "pending";
  useEffect(() => {
    if (!job.ended || !pending) return;
    void queryClient.invalidateQueries({ queryKey: ["runs.list"] });
    void refreshModels();
    onEnd();
    // Once, when it ends: `onEnd` is a new function with every drawing.
  }, [job.ended]);
  const running = pending && !job.ended;
  return (
    <Screen
      title={run.title}
      bar={
        <nav aria-label="Place" className="flex min-w-0 items-center gap-1">
          <Link to="/models" className="rounded-sm text-muted hover:text-ink max-sm:hidden">
            Models
          </Link>
          <ChevronRight size={13} aria-hidden className="shrink-0 text-faint max-sm:hidden" />
          <Link to="/models/jobs" className="rounded-sm text-muted hover:text-ink">
            Jobs
          </Link>
          <ChevronRight size={13} aria-hidden className="shrink-0 text-faint" />
          <h1 className="min-w-0 truncate font-semibold">{run.title}</h1>
        </nav>
      }
      actions={
        <>
          <Link
            to="/runs/$runId"
            params={{ runId: run.runId }}
            aria-label="Journal"
            className="inline-flex h-6.5 items-center gap-1.5 rounded-md px-2 text-sm font-medium text-muted hover:bg-hover hover:text-ink"
          >
            <SquareActivity size={13} aria-hidden />
            <span className="max-sm:hidden">Journal</span>
          </Link>
          {running && mayStop && (
            <Button
              size="small"
              tone="danger"
              icon={<Square size={11} aria-hidden fill="currentColor" />}
              onClick={() => void client.call("runs.abort", { runId: run.runId, reason: "Stopped in the console." })}
            >
              Stop
            </Button>
          )}
        </>
      }
    >
      <div className="mx-auto flex max-w-320 flex-col gap-4 px-4 py-4 sm:px-6 sm:py-5">
        <Numbers run={run} job={job} running={running} />
        {feed.failure !== undefined && <ErrorNotice failure={feed.failure} />}
        <JobOutcome run={run} job={job} />
        <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_18rem]">
          <JobCharts kind={run.kind} job={job} />
          <aside
            className={classes(
              "rounded-lg border border-line bg-raised px-3.5 py-3 shadow-raised",
              running && "max-lg:order-first",
            )}
          >
            {job.phases.length === 0 ? (
              <p className="text-muted">{feed.state === "loading" ? "Loading…" : "Nothing has begun yet."}</p>
            ) : (
              <JobPhases job={job} />
            )}
          </aside>
        </div>
      </div>
    </Screen>
  );
}

function Numbers(props: { readonly run: Run; readonly job: Job; readonly running: boolean }) {
  const { run, job, running } = props;
  const { plan, input } = job;
  const trained = numberIn(plan, "trainedParameters");
  const parameters = numberIn(plan, "parameters");
  const memory = numberIn(plan, "memoryBytes");
  const base = textIn(factsOf(input["plan"]), "base");
  const facts: readonly (readonly [string, ReactNode])[] = [
    ["State", <RunStatus key="state" status={run.status} errorCode={run.errorCode} />],
    [
      "Time",
      running ? <Elapsed since={run.startedAt} /> : run.durationMs === null ? "–" : formatDuration(run.durationMs),
    ],
    ...(run.kind === "quantize"
      ? ([
          ["Source", textIn(input, "name") ?? "–"],
          ["Copy", textIn(input, "as") ?? "–"],
          ["Weights", textIn(input, "quantization") ?? "–"],
          ["Importance", input["importance"] === true ? "weighed" : "not weighed"],
        ] as const)
      : ([
          ["Model", textIn(input, "name") ?? "–"],
          ["From", base ?? "nothing"],
          ...(parameters === undefined
            ? []
            : [
                [
                  "Parameters",
                  trained === undefined || trained === parameters
                    ? formatParameters(parameters)
                    : `${formatParameters(trained)} of ${formatParameters(parameters)} trained`,
                ] as const,
              ]),
          ...examplesOf(plan),
          ...(memory === undefined ? [] : [["Memory", formatBytes(memory)] as const]),
        ] as const)),
    ["Started", <RelativeTime key="started" at={run.startedAt} />],
  ];
  return (
    <dl className="tabular flex flex-wrap gap-x-7 gap-y-2">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt className="text-xs text-faint">{name}</dt>
          <dd className="text-sm font-medium">{value}</dd>
        </div>
      ))}
      {run.parentRunId !== null && (
        <div>
          <dt className="text-xs text-faint">Goes on from</dt>
          <dd className="text-sm font-medium">
            <Link
              to="/models/jobs/$runId"
              params={{ runId: run.parentRunId }}
              className="rounded-sm text-accent-ink underline-offset-2 hover:underline"
            >
              another training
            </Link>
          </dd>
        </div>
      )}
    </dl>
  );
}

function examplesOf(plan: Job["plan"]): readonly (readonly [string, string])[] {
  const examples = numberIn(plan, "examples");
  const held = numberIn(plan, "evaluationExamples") ?? 0;
  if (examples === undefined) return [];
  return [
    ["Examples", held === 0 ? formatNumber(examples) : `${formatNumber(examples)}, ${formatNumber(held)} to measure`],
  ];
}
