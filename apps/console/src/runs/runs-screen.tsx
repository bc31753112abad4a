import { RunStatus as RunStatusSchema } from "@benchtop/protocol";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { SquareActivity } from "lucide-react";
import { useEffect, useRef } from "react";
import { client, failureOf } from "../api/client.ts";
import { Button } from "../components/button.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { Screen } from "../components/screen.tsx";
import { Select } from "../components/select.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import type { RunsSearch } from "../search.ts";
import { kindNames, RunRow } from "./run-row.tsx";

const route = getRouteApi("/runs");

const statusNames: Readonly<Record<string, string>> = {
  pending: "Running",
  success: "Done",
  error: "Failed or stopped",
  budget_exceeded: "Over budget",
  replay: "Replay refused",
};

export function RunsScreen() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const filter = (change: RunsSearch) => void navigate({ search: (before) => ({ ...before, ...change }) });
  const without = (name: keyof RunsSearch) => void navigate({ search: ({ [name]: _removed, ...rest }) => rest });
  const runs = useInfiniteQuery({
    queryKey: ["runs.list", { ...search, paged: true }],
    queryFn: ({ pageParam }) =>
      client.call("runs.list", { ...search, limit: 100, ...(pageParam !== null && { cursor: pageParam }) }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor,
    refetchInterval: (query) =>
      query.state.data?.pages.length === 1 && query.state.data.pages[0]?.items.some((run) => run.status === "pending")
        ? 2_000
        : false,
  });
  const items = runs.data?.pages.flatMap((page) => page.items) ?? [];
  const filtered = Object.keys(search).length > 0;
  return (
    <Screen
      title="Runs"
      scroll={false}
      actions={
        <>
          {filtered && (
            <Button size="small" tone="quiet" onClick={() => void navigate({ search: {} })}>
              Clear filters
            </Button>
          )}
          <Select
            label="State"
            value={search.status ?? "all"}
            onChange={(value) => {
              const status = RunStatusSchema.options.find((each) => each === value);
              if (status === undefined) without("status");
              else filter({ status });
            }}
            options={[
              { value: "all", label: "Any state" },
              ...RunStatusSchema.options.map((value) => ({ value, label: statusNames[value] ?? value })),
            ]}
          />
          <Select
            label="Kind"
            value={search.kind ?? "all"}
            onChange={(kind) => (kind === "all" ? without("kind") : filter({ kind }))}
            options={[
              { value: "all", label: "Any kind" },
              ...Object.entries(kindNames).map(([value, label]) => ({ value, label })),
            ]}
          />
        </>
      }
    >
      {runs.isPending && <SkeletonRows count={10} label="Loading runs" />}
      {runs.isError && (
        <div className="p-4">
          <ErrorNotice failure={failureOf(runs.error)} handlers={{ retry: async () => void (await runs.refetch()) }} />
        </div>
      )}
      {runs.data !== undefined && items.length === 0 && (
        <EmptyState
          icon={<SquareActivity size={18} aria-hidden />}
          title={filtered ? "No run matches these filters" : "Nothing has run yet"}
          action={
            filtered ? (
              <Button onClick={() => void navigate({ search: {} })}>Show every run</Button>
            ) : (
              <Button tone="primary" onClick={() => void navigate({ to: "/workbenches" })}>
                Open a workbench
              </Button>
            )
          }
        >
          Every question, publish and restore is a run, with a journal of what happened.
        </EmptyState>
      )}
      {items.length > 0 && (
        <RunTable
          items={items}
          more={runs.hasNextPage && !runs.isFetchingNextPage}
          onMore={() => void runs.fetchNextPage()}
        />
      )}
    </Screen>
  );
}

function RunTable(props: {
  readonly items: Parameters<typeof RunRow>[0]["run"][];
  readonly more: boolean;
  readonly onMore: () => void;
}) {
  const { items, more, onMore } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 40,
    overscan: 12,
  });
  const rows = virtualizer.getVirtualItems();
  const lastIndex = rows.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && lastIndex >= items.length - 20) onMore();
  }, [more, lastIndex, items.length, onMore]);
  return (
    <div ref={scroller} className="min-h-0 flex-1 overflow-y-auto" tabIndex={-1}>
      <div className="relative" style={{ height: virtualizer.getTotalSize() }}>
        {rows.map((row) => {
          const run = items[row.index];
          return (
            run !== undefined && (
              <div key={run.runId} className="absolute inset-x-0" style={{ transform: `translateY(${row.start}px)` }}>
                <RunRow run={run} />
              </div>
            )
          );
        })}
      </div>
    </div>
  );
}
