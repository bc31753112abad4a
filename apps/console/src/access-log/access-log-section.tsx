import { accessEvents, type AccessEvent } from "@benchtop/operations";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { ScrollText } from "lucide-react";
import { failureOf } from "../api/client.ts";
import { pages, query } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Chip } from "../components/chip.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { shortId } from "../components/format.ts";
import { RelativeTime } from "../components/relative-time.tsx";
import { Select } from "../components/select.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useMay } from "../identity/identity.ts";
import type { SettingsSearch } from "../search.ts";
import { Section, ShowMore } from "../settings/section.tsx";
import { eventNames } from "./event-names.ts";

const route = getRouteApi("/settings");

/** Who came in or tried to, and what became of keys, members and the workspace. */
export function AccessLogSection() {
  const { event, person } = route.useSearch();
  const navigate = route.useNavigate();
  const log = useInfiniteQuery(
    pages("audit.list", { ...(event !== undefined && { event }), ...(person !== undefined && { userId: person }) }),
  );
  const members =
    useQuery({ ...query("members.list", { limit: 500 }), enabled: useMay("members:read") }).data?.items ?? [];
  const items = log.data?.pages.flatMap((page) => page.items) ?? [];
  const filtered = event !== undefined || person !== undefined;
  const narrow = (change: { event?: SettingsSearch["event"]; person?: string | undefined }) => {
    const next = { event, person, ...change };
    void navigate({
      search: {
        section: "access-log",
        ...(next.event !== undefined && { event: next.event }),
        ...(next.person !== undefined && { person: next.person }),
      },
    });
  };
  return (
    <Section
      title="Access log"
      note="Sign-ins and attempts, and what became of keys, members and the workspace. Never a secret."
    >
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <Select
          label="Event"
          value={event ?? "all"}
          onChange={(value) => narrow({ event: accessEvents.find((each) => each === value) })}
          options={[
            { value: "all", label: "Any event" },
            ...accessEvents.map((value) => ({ value, label: eventNames[value].label })),
          ]}
        />
        <Select
          label="Person"
          value={person ?? "all"}
          onChange={(value) => narrow({ person: value === "all" ? undefined : value })}
          options={[
            { value: "all", label: "Anybody" },
            ...members.map(({ userId, displayName }) => ({ value: userId, label: displayName })),
            ...(person !== undefined && !members.some(({ userId }) => userId === person)
              ? [{ value: person, label: person }]
              : []),
          ]}
        />
        {filtered && (
          <Button size="small" tone="quiet" onClick={() => void navigate({ search: { section: "access-log" } })}>
            Clear
          </Button>
        )}
      </div>
      {log.isPending && <SkeletonRows count={8} label="Loading the access log" />}
      {log.isError && (
        <ErrorNotice failure={failureOf(log.error)} handlers={{ retry: async () => void (await log.refetch()) }} />
      )}
      {log.data !== undefined && items.length === 0 && (
        <EmptyState
          icon={<ScrollText size={18} aria-hidden />}
          title={filtered ? "Nothing matches" : "Nothing has happened yet"}
          action={
            filtered && (
              <Button onClick={() => void navigate({ search: { section: "access-log" } })}>Show everything</Button>
            )
          }
        >
          Sign-ins, refused tokens, keys, invitations and changes of roles are written down here.
        </EmptyState>
      )}
      {items.length > 0 && (
        <ol
          aria-label="Access log, newest first"
          className="overflow-hidden rounded-lg border border-line bg-raised shadow-raised"
        >
          {items.map((line) => (
            <Line key={line.id} line={line} onPerson={(userId) => narrow({ person: userId })} />
          ))}
        </ol>
      )}
      <ShowMore list={log} label="Show older" />
    </Section>
  );
}

function Line(props: { readonly line: AccessEvent; readonly onPerson: (userId: string) => void }) {
  const { line } = props;
  const { label, tone } = eventNames[line.event];
  const facts = [
    ...(line.subjectName !== null && line.subjectName !== line.actorName ? [line.subjectName] : []),
    ...Object.entries(line.detail).map(
      ([name, value]) => `${name} ${/^[a-z]+_\w{20,}$/.test(value) ? shortId(value) : value}`,
    ),
    ...(line.address === null ? [] : [`from ${line.address}`]),
  ];
  return (
    <li className="tabular flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-3.5 py-2 last:border-b-0">
      <span className="flex w-40 shrink-0">
        <Chip tone={tone}>{label}</Chip>
      </span>
      <span className="min-w-40 flex-1 break-words">
        {line.actorId === null ? (
          <span className="text-muted">nobody known</span>
        ) : (
          <button
            type="button"
            className="rounded-sm font-medium underline-offset-2 hover:underline"
            title="Only this person"
            onClick={() => props.onPerson(line.actorId ?? "")}
          >
            {line.actorName ?? line.actorId}
          </button>
        )}
        {facts.length > 0 && <span className="text-muted"> · {facts.join(" · ")}</span>}
      </span>
      <RelativeTime at={line.at} className="shrink-0 text-right text-sm text-faint" />
    </li>
  );
}
