import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { FileDiff, Hourglass, LayoutGrid, Plus } from "lucide-react";
import { client, failureOf } from "../api/client.ts";
import { query } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Chip } from "../components/chip.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatBytes, formatCount } from "../components/format.ts";
import { RelativeTime } from "../components/relative-time.tsx";
import { Screen } from "../components/screen.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useMay } from "../identity/identity.ts";
import { untouchedFor } from "../workbench/stale-draft.tsx";
import { CreateWorkbench } from "./create-workbench.tsx";

const route = getRouteApi("/workbenches");

export function WorkbenchesScreen() {
  const { create } = route.useSearch();
  const mayCreate = useMay("workbenches:write");
  const navigate = route.useNavigate();
  const open = () => void navigate({ search: { create: true } });
  const workbenches = useInfiniteQuery({
    queryKey: ["workbenches.list", { paged: true }],
    queryFn: ({ pageParam }) =>
      client.call("workbenches.list", { limit: 200, ...(pageParam !== null && { cursor: pageParam }) }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor,
  });
  const items = workbenches.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Screen
      title="Workbenches"
      actions={
        mayCreate && (
          <Button size="small" tone="primary" icon={<Plus size={14} aria-hidden />} onClick={open}>
            New workbench
          </Button>
        )
      }
    >
      {workbenches.isPending && <SkeletonRows label="Loading workbenches" />}
      {workbenches.isError && (
        <div className="p-4">
          <ErrorNotice
            failure={failureOf(workbenches.error)}
            handlers={{ retry: async () => void (await workbenches.refetch()) }}
          />
        </div>
      )}
      {workbenches.data !== undefined && items.length === 0 && (
        <EmptyState
          icon={<LayoutGrid size={18} aria-hidden />}
          title="A workbench holds files an agent may work on"
          action={
            mayCreate && (
              <Button tone="primary" icon={<Plus size={14} aria-hidden />} onClick={open}>
                Create your first workbench
              </Button>
            )
          }
        >
          You add copies of files and ask for changes. The agent writes a Draft; you read the differences and publish
          them, or throw them away.
        </EmptyState>
      )}
      <ul>
        {items.map((workbench) => (
          <li key={workbench.workbenchId} className="border-b border-line">
            <Link
              to="/workbenches/$workbenchId"
              params={{ workbenchId: workbench.workbenchId }}
              className="tabular flex h-11 items-center gap-3 px-4 hover:bg-hover focus-visible:-outline-offset-2"
            >
              <LayoutGrid size={15} aria-hidden className="shrink-0 text-faint" />
              <span className="min-w-0 flex-1 truncate font-medium">{workbench.name}</span>
              {workbench.hasDraft && <DraftChip workbenchId={workbench.workbenchId} />}
              <span className="w-20 shrink-0 text-right text-sm text-muted max-sm:w-auto">
                {formatCount(workbench.fileCount, "file")}
              </span>
              <span className="w-18 shrink-0 text-right text-sm text-muted max-sm:hidden">
                {formatBytes(workbench.totalBytes)}
              </span>
              <RelativeTime
                at={workbench.updatedAt}
                className="w-20 shrink-0 text-right text-sm text-faint max-sm:w-auto"
              />
            </Link>
          </li>
        ))}
      </ul>
      {workbenches.hasNextPage && (
        <div className="p-3 text-center">
          <Button size="small" busy={workbenches.isFetchingNextPage} onClick={() => void workbenches.fetchNextPage()}>
            Show more
          </Button>
        </div>
      )}
      <CreateWorkbench open={create === true && mayCreate} onClose={() => void navigate({ search: {} })} />
    </Screen>
  );
}

/** Says so of a Draft that may have been forgotten. */
function DraftChip(props: { readonly workbenchId: string }) {
  const draft = useQuery(query("draft.getState", { workbenchId: props.workbenchId })).data;
  return draft?.stale === true ? (
    <Chip tone="draft" icon={<Hourglass size={11} aria-hidden />}>
      <span className="max-sm:sr-only">Draft untouched for </span>
      {untouchedFor(draft)}
    </Chip>
  ) : (
    <Chip tone="draft" icon={<FileDiff size={11} aria-hidden />}>
      Draft<span className="max-sm:sr-only"> to review</span>
    </Chip>
  );
}
