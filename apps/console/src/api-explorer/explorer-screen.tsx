import { queryOptions, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Braces, Compass } from "lucide-react";
import { failureOf, watchedFetch } from "../api/client.ts";
import { classes } from "../components/classes.ts";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatCount } from "../components/format.ts";
import { Screen } from "../components/screen.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { readDocument } from "./document.ts";
import { OperationList } from "./operation-list.tsx";
import { OperationPanel } from "./operation-panel.tsx";

const route = getRouteApi("/api");

const apiDocument = queryOptions({
  queryKey: ["openapi.json"],
  queryFn: async () => readDocument(await (await watchedFetch("/openapi.json")).json()),
  staleTime: Infinity,
});

/** Everything that this daemon can be asked, to be read and tried with the session of this browser. */
export function ExplorerScreen() {
  const { operation: selected } = route.useSearch();
  const document = useQuery(apiDocument);
  const operation = document.data?.operations.find(({ id }) => id === selected);
  return (
    <Screen
      title="API"
      scroll={false}
      actions={
        <a href="/openapi.json" className="rounded-sm text-sm text-muted hover:text-ink" download="openapi.json">
          openapi.json
        </a>
      }
    >
      {document.isPending && <SkeletonRows count={12} label="Loading the operations" />}
      {document.isError && (
        <div className="p-4">
          <ErrorNotice
            failure={failureOf(document.error)}
            handlers={{ retry: async () => void (await document.refetch()) }}
          />
        </div>
      )}
      {document.data !== undefined && (
        <div className="flex min-h-0 flex-1">
          <div
            className={classes(
              "flex min-h-0 w-64 shrink-0 flex-col border-r border-line max-md:w-full max-md:border-r-0",
              selected !== undefined && "max-md:hidden",
            )}
          >
            <OperationList operations={document.data.operations} selected={selected} />
          </div>
          <div className={classes("min-h-0 min-w-0 flex-1 overflow-y-auto", selected === undefined && "max-md:hidden")}>
            {operation !== undefined ? (
              <OperationPanel key={operation.id} document={document.data} operation={operation} />
            ) : selected === undefined ? (
              <Introduction count={document.data.operations.length} />
            ) : (
              <EmptyState icon={<Compass size={18} aria-hidden />} title="There is no such operation">
                {selected} may be of another version of Benchtop.
              </EmptyState>
            )}
          </div>
        </div>
      )}
    </Screen>
  );
}

function Introduction(props: { readonly count: number }) {
  return (
    <EmptyState icon={<Braces size={18} aria-hidden />} title={formatCount(props.count, "operation")}>
      Each is defined once and the same over REST, JSON-RPC, gRPC, WebSocket and MCP. Choose one to read what it takes,
      try it with the session of this browser, and copy the call for your program.
    </EmptyState>
  );
}
