import type { Run } from "@benchtop/operations";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { GraduationCap, Hammer, Minimize2 } from "lucide-react";
import { useMemo, useState } from "react";
import { failureOf } from "../api/client.ts";
import { pages } from "../api/queries.ts";
import { useRunFeed } from "../api/run-feed.ts";
import { Button } from "../components/button.tsx";
import { Elapsed } from "../components/elapsed.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatDuration, formatNumber } from "../components/format.ts";
import { ProgressBar } from "../components/progress-bar.tsx";
import { RelativeTime } from "../components/relative-time.tsx";
import { RunStatus } from "../components/run-status.tsx";
import { Screen } from "../components/screen.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useMay } from "../identity/identity.ts";
import { ShowMore } from "../settings/section.tsx";
import { phaseWords } from "./job-phases.tsx";
import { ModelsBar } from "./models-bar.tsx";
import { QuantizeDialog } from "./quantize-dialog.tsx";
import { JobReader } from "./read-job.ts";
import { TrainDialog } from "./train-dialog.tsx";

const route = getRouteApi("/models/jobs");

/** Models that are being made, and those that were. */
export function JobsScreen() {
  const { window, base } = route.useSearch();
  const navigate = route.useNavigate();
  const mayChange = useMay("models:write");
  const quantized = useJobs("quantize");
  const trained = useJobs("train");
  const lists = [quantized, trained];
  const jobs = lists
    .flatMap((list) => list.data?.pages.flatMap((page) => page.items) ?? [])
    .toSorted((a, b) => b.startedAt.localeCompare(a.startedAt));
  const failed = lists.find((list) => list.isError);
  const open = (next: "train" | "quantize") => void navigate({ search: { window: next } });
  const close = () => void navigate({ search: {} });
  const actions = mayChange && (
    <>
      <Button
        size="small"
        icon={<Minimize2 size={13} aria-hidden />}
        aria-label="Quantize a model"
        onClick={() => open("quantize")}
      >
        <span className="max-sm:hidden">Quantize</span>
      </Button>
      <Button
        size="small"
        tone="primary"
        icon={<GraduationCap size={14} aria-hidden />}
        aria-label="Train a model"
        onClick={() => open("train")}
      >
        <span className="max-sm:hidden">Train</span>
      </Button>
    </>
  );
  return (
    <Screen title="Jobs on models" bar={<ModelsBar />} {...(actions !== false && { actions })}>
      {failed !== undefined && (
        <div className="p-4">
          <ErrorNotice
            failure={failureOf(failed.error)}
            handlers={{ retry: async () => void (await Promise.all(lists.map((list) => list.refetch()))) }}
          />
        </div>
      )}
      {failed === undefined && lists.some((list) => list.isPending) && <SkeletonRows label="Loading jobs" />}
      {lists.every((list) => list.data !== undefined) && jobs.length === 0 && (
        <EmptyState
          icon={<Hammer size={18} aria-hidden />}
          title="No model was made here yet"
          {...(mayChange && {
            action: (
              <Button tone="primary" onClick={() => open("train")}>
                Train a model
              </Button>
            ),
          })}
        >
          A job makes a smaller copy of a model, or trains one on examples. Each is a run with a journal.
        </EmptyState>
      )}
      {jobs.length > 0 && (
        <ul aria-label="Jobs">
          {jobs.map((job) => (
            <JobRow key={job.runId} job={job} />
          ))}
        </ul>
      )}
      {lists.map((list, index) => (
        <ShowMore key={index} list={list} label={index === 0 ? "Older copies" : "Older trainings"} />
      ))}
      {window === "train" && mayChange && <TrainDialog base={base} onClose={close} />}
      {window === "quantize" && mayChange && <QuantizeDialog name="" onClose={close} />}
    </Screen>
  );
}

function useJobs(kind: "quantize" | "train") {
  return useInfiniteQuery({
    ...pages("runs.list", { kind }, 50),
    refetchInterval: ({ state }) =>
      state.data?.pages[0]?.items.some(({ status }) => status === "pending") === true ? 2_000 : false,
  });
}

function JobRow({ job }: { readonly job: Run }) {
  const Icon = job.kind === "train" ? GraduationCap : Minimize2;
  return (
    <li className="border-b border-line">
      <Link
        to="/models/jobs/$runId"
        params={{ runId: job.runId }}
        className="tabular flex min-h-11 items-center gap-x-4 gap-y-1 px-4 py-2 hover:bg-hover focus-visible:-outline-offset-2 max-sm:flex-wrap"
      >
        <span className="w-26 shrink-0 max-sm:w-auto">
          <RunStatus status={job.status} errorCode={job.errorCode} />
        </span>
        <span className="flex min-w-0 flex-1 items-center gap-2">
          <Icon size={14} aria-hidden className="shrink-0 text-faint" />
          <span className="truncate font-medium">{job.title}</span>
        </span>
        {job.status === "pending" && <RowProgress runId={job.runId} />}
        <span className="w-18 shrink-0 text-right text-sm text-muted max-sm:hidden">
          {job.status === "pending" ? (
            <Elapsed since={job.startedAt} />
          ) : (
            job.durationMs !== null && formatDuration(job.durationMs)
          )}
        </span>
        <RelativeTime at={job.startedAt} className="w-22 shrink-0 text-right text-sm text-faint max-sm:hidden" />
      </Link>
    </li>
  );
}

function RowProgress(props: { readonly runId: string }) {
  const feed = useRunFeed(props.runId);
  const [reader] = useState(() => new JobReader());
  const phase = useMemo(() => reader.read(feed.events), [reader, feed]).phases.at(-1);
  if (phase === undefined) return null;
  const { done = 0, total = 0 } = phase;
  return (
    <span className="flex w-64 items-center gap-2 text-sm text-muted max-sm:w-full">
      <span className="w-24 truncate">{phaseWords(phase.phase)}</span>
      <span className="flex-1">
        <ProgressBar label={phaseWords(phase.phase)} done={done} total={total} />
      </span>
      {total > 1 && <span className="w-12 text-right">{formatNumber(Math.floor((100 * done) / total))} %</span>}
    </span>
  );
}
