import type { RunEventType } from "@benchtop/protocol";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { ChevronRight, Compass, Funnel } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { failureOf, isCode } from "../api/client.ts";
import { query, queryClient } from "../api/queries.ts";
import { useRunFeed } from "../api/run-feed.ts";
import { Button } from "../components/button.tsx";
import { classes } from "../components/classes.ts";
import { DecisionCard } from "../approvals/decision-card.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatNumber } from "../components/format.ts";
import { RunStatus } from "../components/run-status.tsx";
import { Screen } from "../components/screen.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useMedia } from "../components/use-media.ts";
import { TurnReader } from "../conversation/turn.ts";
import { kindNames } from "../runs/run-row.tsx";
import { EventList } from "./event-list.tsx";
import { EventRows } from "./event-rows.ts";
import { Inspector } from "./inspector.tsx";
import { RunActions, RunNumbers } from "./run-header.tsx";
import { EventActions } from "./run-again.tsx";
import { Spans } from "./spans.ts";
import { Waterfall } from "./waterfall.tsx";

const route = getRouteApi("/runs/$runId");

export function RunScreen() {
  const { runId } = route.useParams();
  return <RunView key={runId} runId={runId} />;
}

/** One run: its numbers, its time line, its events, and whatever event is selected. */
function RunView(props: { readonly runId: string }) {
  const { runId } = props;
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const roomy = useMedia("(min-width: 1000px)");
  const run = useQuery({ ...query("runs.get", { runId }), retry: false });
  const feed = useRunFeed(runId);
  const [readers] = useState(() => ({ rows: new EventRows(), spans: new Spans(), turn: new TurnReader() }));
  const { rows, counts } = useMemo(() => readers.rows.read(feed.events), [readers, feed]);
  const spans = useMemo(() => readers.spans.read(feed.events), [readers, feed]);
  const turn = useMemo(() => readers.turn.read(feed.events), [readers, feed]);
  const types = search.types;
  const shown = useMemo(
    () => (types === undefined ? rows : rows.filter((row) => types.includes(row.type))),
    [rows, types],
  );
  const ended = feed.state === "ended";
  const waits = turn.status === "waiting";
  useEffect(() => {
    if (waits) void queryClient.invalidateQueries({ queryKey: ["runs.get", { runId }] });
  }, [waits, runId]);
  useEffect(() => {
    if (ended) void queryClient.invalidateQueries({ queryKey: ["runs.get", { runId }] });
  }, [ended, runId]);

  const select = (event: number) => void navigate({ search: (before) => ({ ...before, event }), replace: true });
  const selectedRow = search.event === undefined ? undefined : rows.findLast((row) => row.seq <= (search.event ?? 0));
  const lastAt = feed.events.at(-1)?.at;
  const [first] = feed.events;
  const firstAt = first?.at;
  const totalMs =
    lastAt === undefined || firstAt === undefined ? 1 : new Date(lastAt).getTime() - new Date(firstAt).getTime();

  if (run.data === undefined) {
    return (
      <Screen title="Run">
        {run.isPending && <SkeletonRows label="Loading the run" />}
        {isCode(run.error, "NOT_FOUND") ? (
          <EmptyState
            icon={<Compass size={18} aria-hidden />}
            title="This run does not exist"
            action={
              <Link to="/runs">
                <Button>All runs</Button>
              </Link>
            }
          >
            It may have been removed by retention.
          </EmptyState>
        ) : (
          run.isError && (
            <div className="p-4">
              <ErrorNotice
                failure={failureOf(run.error)}
                handlers={{ retry: async () => void (await run.refetch()) }}
              />
            </div>
          )
        )}
      </Screen>
    );
  }
  const title = run.data.title === "" ? (kindNames[run.data.kind] ?? run.data.kind) : run.data.title;
  const running = run.data.status === "pending" && turn.status === "running";
  const suspension = turn.status === "waiting" ? run.data.suspension : null;
  const over = !running && turn.status !== "waiting";
  const inspector = selectedRow !== undefined && (
    <Inspector
      events={feed.events}
      row={selectedRow}
      actions={<EventActions run={run.data} seq={selectedRow.seq} ended={over} />}
      raw={search.inspect === "raw"}
      onRaw={(raw) =>
        void navigate({
          search: ({ inspect: _inspect, ...rest }) => ({ ...rest, ...(raw && { inspect: "raw" as const }) }),
          replace: true,
        })
      }
      onClose={() => void navigate({ search: ({ event: _event, ...rest }) => rest })}
    />
  );
  return (
    <Screen
      title={title}
      scroll={false}
      bar={
        <nav aria-label="Place" className="flex min-w-0 items-center gap-1">
          <Link to="/runs" className="rounded-sm text-muted hover:text-ink max-sm:hidden">
            Runs
          </Link>
          <ChevronRight size={13} aria-hidden className="text-faint max-sm:hidden" />
          <h1 className="min-w-0 truncate font-semibold">{title}</h1>
          <span className="ml-2">
            <RunStatus
              status={
                turn.status === "waiting"
                  ? "waiting"
                  : running
                    ? "pending"
                    : run.data.status === "pending"
                      ? turn.status === "success"
                        ? "success"
                        : "error"
                      : run.data.status
              }
              errorCode={run.data.errorCode}
            />
          </span>
        </nav>
      }
      actions={<RunActions run={run.data} running={running} waiting={turn.status === "waiting"} />}
    >
      <RunNumbers
        run={run.data}
        turn={turn}
        events={feed.events.length}
        origin={first?.type === "RunStarted" ? first.forkedFrom : undefined}
      />
      {suspension !== null && (
        <div className="max-h-[50%] shrink-0 overflow-y-auto border-b border-line p-3">
          <DecisionCard runId={runId} suspension={suspension} />
        </div>
      )}
      {feed.failure !== undefined && (
        <div className="p-3">
          <ErrorNotice failure={feed.failure} />
        </div>
      )}
      <div className="flex min-h-0 flex-1">
        {(roomy || inspector === false) && (
          <div className="flex min-h-0 min-w-0 flex-3 flex-col">
            <div className="flex max-h-[38%] min-h-24 shrink-0 flex-col border-b border-line">
              <Waterfall spans={spans} totalMs={totalMs} selected={selectedRow?.seq} onSelect={select} />
            </div>
            <TypeFilter
              counts={counts}
              types={types}
              onChange={(next) =>
                void navigate({
                  search: ({ types: _types, ...rest }) => ({ ...rest, ...(next !== undefined && { types: next }) }),
                  replace: true,
                })
              }
            />
            <EventList
              events={feed.events}
              rows={shown}
              selected={selectedRow?.seq}
              live={feed.state === "live"}
              onSelect={select}
            />
          </div>
        )}
        {inspector !== false && (
          <div className={classes("flex min-h-0 min-w-0 flex-col", roomy ? "flex-2 border-l border-line" : "flex-1")}>
            {inspector}
          </div>
        )}
      </div>
    </Screen>
  );
}

/** Chips of the event types that occur; each can be switched off. */
function TypeFilter(props: {
  readonly counts: ReadonlyMap<RunEventType, number>;
  readonly types: readonly string[] | undefined;
  readonly onChange: (types: readonly string[] | undefined) => void;
}) {
  const { counts, types, onChange } = props;
  const all = [...counts.keys()].sort();
  const toggle = (type: string) => {
    const next =
      types === undefined ? [type] : types.includes(type) ? types.filter((each) => each !== type) : [...types, type];
    onChange(next.length === 0 || next.length === all.length ? undefined : next);
  };
  return (
    <div
      role="group"
      aria-label="Show events of type"
      className="flex max-h-20 shrink-0 flex-wrap items-center gap-1 overflow-y-auto border-b border-line px-3 py-1.5"
    >
      <Funnel size={13} aria-hidden className="mr-1 shrink-0 text-faint" />
      {types !== undefined && (
        <Button size="small" tone="quiet" onClick={() => onChange(undefined)}>
          All
        </Button>
      )}
      {all.map((type) => (
        <button
          key={type}
          type="button"
          aria-pressed={types?.includes(type) ?? false}
          onClick={() => toggle(type)}
          className={classes(
            "tabular flex h-5.5 shrink-0 items-center gap-1 rounded-full border px-2 text-xs font-medium",
            types?.includes(type)
              ? "border-accent-line bg-accent-soft text-accent-ink"
              : "border-line text-muted hover:bg-hover hover:text-ink",
          )}
        >
          {type}
          <span className={types?.includes(type) ? undefined : "text-faint"}>
            {formatNumber(counts.get(type) ?? 0)}
          </span>
        </button>
      ))}
    </div>
  );
}
