import type { EgressEvent } from "@benchtop/operations";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { ArrowUpRight, Ban, Globe, HardDrive, TriangleAlert } from "lucide-react";
import { client, failureOf } from "../api/client.ts";
import { query } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Chip, type Tone } from "../components/chip.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatBytes, formatNumber } from "../components/format.ts";
import { RelativeTime } from "../components/relative-time.tsx";
import { Screen } from "../components/screen.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { isLoopback } from "./places.ts";

const route = getRouteApi("/egress");

const outcomes: Record<
  EgressEvent["outcome"],
  { readonly label: string; readonly tone: Tone; readonly icon: typeof Ban }
> = {
  sent: { label: "Sent", tone: "neutral", icon: ArrowUpRight },
  blocked: { label: "Blocked", tone: "draft", icon: Ban },
  failed: { label: "Failed", tone: "bad", icon: TriangleAlert },
};
const purposes: Record<EgressEvent["purpose"], string> = {
  "model-call": "Model call",
  "provider-test": "Connection test",
  "model-list": "Model list",
  oidc: "Sign-in",
  telemetry: "Telemetry",
  mcp: "Tool server",
  "model-download": "Model download",
};

/** What left this machine, and what was kept from leaving. Never any content. */
export function EgressScreen() {
  const { workbenchId } = route.useSearch();
  const navigate = route.useNavigate();
  const events = useInfiniteQuery({
    queryKey: ["egress.listEvents", { workbenchId }],
    queryFn: ({ pageParam }) =>
      client.call("egress.listEvents", {
        limit: 100,
        ...(workbenchId !== undefined && { workbenchId }),
        ...(pageParam !== null && { cursor: pageParam }),
      }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor,
  });
  const workbenches = useQuery(query("workbenches.list", { limit: 200 })).data?.items ?? [];
  const nameOf = (id: string) => workbenches.find((workbench) => workbench.workbenchId === id)?.name;
  const items = events.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Screen
      title="What left this machine"
      actions={
        workbenchId !== undefined && (
          <Button size="small" tone="quiet" onClick={() => void navigate({ search: {} })}>
            Only {nameOf(workbenchId) ?? "one workbench"} ✕
          </Button>
        )
      }
    >
      {events.isPending && <SkeletonRows label="Loading the log" />}
      {events.isError && (
        <div className="p-4">
          <ErrorNotice
            failure={failureOf(events.error)}
            handlers={{ retry: async () => void (await events.refetch()) }}
          />
        </div>
      )}
      {events.data !== undefined && items.length === 0 && (
        <EmptyState icon={<Globe size={18} aria-hidden />} title="Nothing has left this machine">
          Every request to a model provider is written down here before its first byte goes: when, where to, how much.
          Never what it said.
        </EmptyState>
      )}
      {items.length > 0 && (
        <table className="tabular w-full border-collapse text-sm">
          <thead className="sticky top-0 z-10 bg-surface">
            <tr className="border-b border-line text-left text-xs text-faint [&>th]:px-2 [&>th]:py-2 [&>th]:font-medium">
              <th scope="col" className="pl-4!">
                Outcome
              </th>
              <th scope="col">Host</th>
              <th scope="col" className="max-sm:hidden">
                Purpose
              </th>
              <th scope="col" className="max-md:hidden">
                Model
              </th>
              <th scope="col" className="max-lg:hidden">
                Workbench
              </th>
              <th scope="col" className="text-right max-md:hidden" title="Files in the scope that was consented to">
                Files in scope
              </th>
              <th scope="col" className="text-right max-lg:hidden">
                Tokens
              </th>
              <th scope="col" className="text-right">
                Sent
              </th>
              <th scope="col" className="text-right max-sm:hidden">
                Received
              </th>
              <th scope="col" className="pr-4! text-right">
                When
              </th>
            </tr>
          </thead>
          <tbody>
            {items.map((event) => {
              const { label, tone, icon: Icon } = outcomes[event.outcome];
              return (
                <tr key={event.id} className="h-10 border-b border-line [&>td]:px-2">
                  <td className="pl-4!">
                    {isLoopback(event.host) && event.outcome === "sent" ? (
                      <Chip tone="good" icon={<HardDrive size={12} aria-hidden />}>
                        Stayed here
                      </Chip>
                    ) : (
                      <Chip tone={tone} icon={<Icon size={12} aria-hidden />}>
                        {label}
                        {event.status !== null && ` ${event.status}`}
                      </Chip>
                    )}
                  </td>
                  <td className="max-w-50 truncate font-mono text-xs">
                    {event.host}
                    {event.errorCode !== null && (
                      <span className="block truncate font-sans text-xs text-muted max-sm:hidden">
                        {event.errorCode}
                      </span>
                    )}
                  </td>
                  <td className="text-muted max-sm:hidden">
                    {event.runId === null ? (
                      purposes[event.purpose]
                    ) : (
                      <Link
                        to="/runs/$runId"
                        params={{ runId: event.runId }}
                        className="rounded-sm text-accent-ink underline-offset-2 hover:underline"
                      >
                        {purposes[event.purpose]}
                      </Link>
                    )}
                  </td>
                  <td className="max-w-50 truncate text-muted max-md:hidden">
                    {event.providerId}
                    {event.modelId !== null && `/${event.modelId}`}
                  </td>
                  <td className="max-w-40 truncate max-lg:hidden">
                    {event.workbenchId !== null && (
                      <Link
                        to="/workbenches/$workbenchId"
                        params={{ workbenchId: event.workbenchId }}
                        className="rounded-sm text-muted hover:text-ink hover:underline"
                      >
                        {nameOf(event.workbenchId) ?? "deleted"}
                      </Link>
                    )}
                  </td>
                  <td className="text-right text-muted max-md:hidden">
                    {event.fileCount === null ? <span className="text-faint">–</span> : formatNumber(event.fileCount)}
                  </td>
                  <td className="text-right whitespace-nowrap text-muted max-lg:hidden">
                    <Tokens event={event} />
                  </td>
                  <td className="text-right">{formatBytes(event.bytesSent)}</td>
                  <td className="text-right text-muted max-sm:hidden">{formatBytes(event.bytesReceived)}</td>
                  <td className="pr-4! text-right whitespace-nowrap text-faint">
                    <RelativeTime at={event.at} />
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
      {events.hasNextPage && (
        <div className="p-3 text-center">
          <Button size="small" busy={events.isFetchingNextPage} onClick={() => void events.fetchNextPage()}>
            Show older
          </Button>
        </div>
      )}
    </Screen>
  );
}

/** In and out, as the provider counted them. */
function Tokens(props: { readonly event: EgressEvent }) {
  const { inputTokens, outputTokens } = props.event;
  if (inputTokens === null && outputTokens === null) return <span className="text-faint">–</span>;
  return (
    <>
      {formatNumber(inputTokens ?? 0)}
      <span className="text-faint"> in · </span>
      {formatNumber(outputTokens ?? 0)}
      <span className="text-faint"> out</span>
    </>
  );
}
