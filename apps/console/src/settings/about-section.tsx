import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { failureOf } from "../api/client.ts";
import { query } from "../api/queries.ts";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatBytes, formatNumber } from "../components/format.ts";
import { RelativeTime } from "../components/relative-time.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";

/** What runs, since when, and where everything is kept. */
export function AboutSection() {
  const status = useQuery({ ...query("system.status", {}), refetchInterval: 5_000 });
  if (status.isPending) return <SkeletonRows label="Loading the status" />;
  if (status.isError) {
    return (
      <ErrorNotice failure={failureOf(status.error)} handlers={{ retry: async () => void (await status.refetch()) }} />
    );
  }
  const { data } = status;
  const facts: readonly (readonly [string, ReactNode])[] = [
    ["Version", data.version],
    ["Running since", <RelativeTime key="since" at={data.startedAt} />],
    ["Address", <Path key="url">{data.url}</Path>],
    ["Files are kept in", <Path key="home">{data.home}</Path>],
    [
      "Database",
      <span key="database">
        {data.database.dialect === "sqlite" ? "SQLite" : "PostgreSQL"} <Path>{data.database.location}</Path>
      </span>,
    ],
    [
      "Secrets",
      <span key="secrets">
        {data.secrets.backend} <Path>{data.secrets.location}</Path>
      </span>,
    ],
    ["Memory", formatBytes(data.memoryBytes)],
    ["Runs", `${formatNumber(data.runs.total)}, ${data.runs.active} active`],
    ["Workbenches", formatNumber(data.workbenches)],
    ["Node.js", `${data.nodeVersion} · process ${data.pid}`],
  ];
  return (
    <section>
      <h2 className="text-lg font-semibold tracking-tight">About this Benchtop</h2>
      <dl className="tabular mt-3 overflow-hidden rounded-lg border border-line bg-raised">
        {facts.map(([name, value]) => (
          <div key={name} className="flex flex-wrap gap-x-4 border-b border-line px-3.5 py-2 last:border-b-0">
            <dt className="w-36 text-muted">{name}</dt>
            <dd className="min-w-0 flex-1 break-all">{value}</dd>
          </div>
        ))}
      </dl>
      <h3 className="mt-5 font-semibold">Other connections</h3>
      <p className="text-sm text-muted">
        {data.otherConnections.length === 0
          ? "None. Requests to model providers are the only way out, and each is in the egress log."
          : "Beside requests to model providers, this daemon is configured to talk to:"}
      </p>
      <ul className="mt-1 text-sm">
        {data.otherConnections.map((connection) => (
          <li key={`${connection.purpose} ${connection.target}`}>
            {connection.purpose}: <Path>{connection.target}</Path>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Path(props: { readonly children: string }) {
  return <span className="font-mono text-xs">{props.children}</span>;
}
