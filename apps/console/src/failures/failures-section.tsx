import type { FailureReport } from "@benchtop/operations";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { CircleCheck } from "lucide-react";
import { useState, type ReactNode } from "react";
import { failureOf } from "../api/client.ts";
import { pages, query } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { RelativeTime } from "../components/relative-time.tsx";
import { ReportDialog } from "../components/report-dialog.tsx";
import { Select } from "../components/select.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useMay } from "../identity/identity.ts";
import { kindNames } from "../runs/run-row.tsx";
import { Section, ShowMore } from "../settings/section.tsx";
import { failureNames } from "./failure-names.ts";

const route = getRouteApi("/settings");
/** Each has a whole report with it. */
const atOnce = 50;

/** What failed in this workspace by no fault of whoever asked, kept on this machine without any content. */
export function FailuresSection() {
  const { workbench } = route.useSearch();
  const navigate = route.useNavigate();
  const [open, setOpen] = useState<string>();
  const failures = useInfiniteQuery(
    pages("failures.list", { ...(workbench !== undefined && { workbenchId: workbench }) }, atOnce),
  );
  const list = useQuery({ ...query("workbenches.list", { limit: 200 }), enabled: useMay("workbenches:read") });
  const workbenches = list.data?.items ?? [];
  const items = failures.data?.pages.flatMap((page) => page.items) ?? [];
  // One that is not in the list is gone, unless there are more than were asked for.
  const missing = list.data?.nextCursor === null ? "a deleted workbench" : "a workbench";
  const nameOf = (id: string) => workbenches.find(({ workbenchId }) => workbenchId === id)?.name;
  const narrow = (workbenchId: string | undefined) =>
    void navigate({
      search: { section: "failures", ...(workbenchId !== undefined && { workbench: workbenchId }) },
    });
  return (
    <Section
      title="What went wrong"
      note="Kept on this machine. A report holds no prompt, no file content and no secret: it can be handed on as it is."
    >
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <Select
          label="Workbench"
          value={workbench ?? "all"}
          onChange={(value) => narrow(value === "all" ? undefined : value)}
          options={[
            { value: "all", label: "Everywhere" },
            ...workbenches.map(({ workbenchId, name }) => ({ value: workbenchId, label: name })),
            ...(workbench !== undefined && nameOf(workbench) === undefined
              ? [{ value: workbench, label: missing }]
              : []),
          ]}
        />
        {workbench !== undefined && (
          <Button size="small" tone="quiet" onClick={() => narrow(undefined)}>
            Clear
          </Button>
        )}
      </div>
      {failures.isPending && <SkeletonRows count={6} label="Loading what went wrong" />}
      {failures.isError && (
        <ErrorNotice
          failure={failureOf(failures.error)}
          handlers={{ retry: async () => void (await failures.refetch()) }}
        />
      )}
      {failures.data !== undefined && items.length === 0 && (
        <EmptyState
          icon={<CircleCheck size={18} aria-hidden />}
          title={workbench === undefined ? "Nothing went wrong" : "Nothing went wrong here"}
          action={workbench !== undefined && <Button onClick={() => narrow(undefined)}>Show everything</Button>}
        >
          When a run or an operation fails, its report is kept here: which code, where, and what came before it.
        </EmptyState>
      )}
      {items.length > 0 && (
        <ol
          aria-label="What went wrong, newest first"
          className="overflow-hidden rounded-lg border border-line bg-raised shadow-raised"
        >
          {items.map((failure) => (
            <Line
              key={failure.failureId}
              failure={failure}
              workbench={failure.workbenchId === null ? undefined : nameOf(failure.workbenchId)}
              missing={missing}
              onOpen={() => setOpen(failure.failureId)}
            />
          ))}
        </ol>
      )}
      <ShowMore list={failures} label="Show older" />
      {open !== undefined && <ReportDialog failureId={open} onClose={() => setOpen(undefined)} />}
    </Section>
  );
}

const linkClass = "rounded-sm text-accent-ink underline underline-offset-2";

function Line(props: {
  readonly failure: FailureReport;
  /** Its name, while it is there. */
  readonly workbench: string | undefined;
  /** What it is called otherwise. */
  readonly missing: string;
  readonly onOpen: () => void;
}) {
  const { failure } = props;
  const { errorCode, workbenchId, runId } = failure;
  const facts: ReactNode[] = [];
  if (runId !== null) {
    facts.push(
      <Link key="run" to="/runs/$runId" params={{ runId }} className={linkClass}>
        {failure.runKind === null ? "Run" : (kindNames[failure.runKind] ?? failure.runKind)}
      </Link>,
    );
  }
  if (failure.operation !== null) facts.push(<span key="operation">{failure.operation}</span>);
  if (workbenchId !== null) {
    facts.push(
      props.workbench === undefined ? (
        <span key="workbench">{props.missing}</span>
      ) : (
        <Link key="workbench" to="/workbenches/$workbenchId" params={{ workbenchId }} className={linkClass}>
          {props.workbench}
        </Link>
      ),
    );
  }
  const model = [failure.providerId, failure.modelId].filter((part) => part !== null).join("/");
  if (model !== "") facts.push(<span key="model">{model}</span>);
  return (
    <li className="tabular flex flex-wrap items-baseline gap-x-3 gap-y-0.5 border-b border-line px-3.5 py-2 last:border-b-0">
      <div className="min-w-50 flex-1">
        <button
          type="button"
          title="Show the report"
          onClick={props.onOpen}
          className="rounded-sm text-left font-medium underline-offset-2 hover:underline"
        >
          {failureNames[errorCode]}{" "}
          <span className="inline-block font-mono text-xs font-normal text-muted">{errorCode}</span>
        </button>
        <p className="text-sm break-words text-muted">{facts.map((fact, index) => [index > 0 && " · ", fact])}</p>
      </div>
      <RelativeTime at={failure.at} className="shrink-0 text-right text-sm text-faint" />
    </li>
  );
}
