import type { Change } from "@benchtop/operations";
import { useVirtualizer } from "@tanstack/react-virtual";
import { Check, CheckCheck, CircleCheck, CircleHelp, TriangleAlert } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { IconButton } from "../components/button.tsx";
import { classes } from "../components/classes.ts";
import { formatBytes, formatCount, formatNumber } from "../components/format.ts";
import { Menu } from "../components/menu.tsx";
import { Select } from "../components/select.tsx";
import { ChangeMark } from "../files/change-mark.tsx";
import { isAccepted } from "./decisions.ts";

const groups = [
  { change: "added", title: "Added" },
  { change: "modified", title: "Modified" },
  { change: "deleted", title: "Deleted" },
] as const;

type Row =
  | { readonly kind: "title"; readonly title: string; readonly files: readonly Change[] }
  | { readonly kind: "file"; readonly change: Change };

const collator = new Intl.Collator("en", { numeric: true });
/** Shorter lists need no filter. */
const filterFrom = 8;

const shows = {
  all: () => true,
  open: (change: Change) => !isAccepted(change),
  accepted: isAccepted,
  warnings: (change: Change) => change.warnings.length > 0,
} as const satisfies Record<string, (change: Change) => boolean>;
type Show = keyof typeof shows;

/** The order of the list, which is also the order of j and k. */
export function orderChanges(changes: readonly Change[]): Change[] {
  return groups.flatMap(({ change }) =>
    changes.filter((each) => each.change === change).sort((a, b) => collator.compare(a.path, b.path)),
  );
}

/** Which of the changes a person wants to see. */
export interface ChangeFilter {
  readonly text: string;
  readonly show: Show;
}

export function filterChanges(changes: readonly Change[], filter: ChangeFilter): Change[] {
  const words = filter.text.trim().toLowerCase();
  return changes.filter(
    (each) => shows[filter.show](each) && (words === "" || each.path.toLowerCase().includes(words)),
  );
}

export function useChangeFilter() {
  const [filter, setFilter] = useState<ChangeFilter>({ text: "", show: "all" });
  return { filter, setFilter };
}

/** Changed files by kind, with their sizes, what the run said of them, and what was decided. */
export function ChangeList(props: {
  /** All of them, in order. */
  readonly changes: readonly Change[];
  readonly filter: ChangeFilter;
  readonly onFilter: (filter: ChangeFilter) => void;
  readonly selected: string | undefined;
  readonly onSelect: (path: string) => void;
  /** Absent for those who may not decide. */
  readonly onAccept?: ((changes: readonly Change[]) => void) | undefined;
}) {
  const { changes, filter, selected, onSelect, onAccept } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const shown = useMemo(() => filterChanges(changes, filter), [changes, filter]);
  const rows = useMemo(
    () =>
      groups.flatMap(({ change, title }): Row[] => {
        const files = shown.filter((each) => each.change === change);
        return files.length === 0
          ? []
          : [{ kind: "title", title, files }, ...files.map((file): Row => ({ kind: "file", change: file }))];
      }),
    [shown],
  );
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => heightOf(rows[index]),
    overscan: 12,
  });
  useEffect(() => virtualizer.measure(), [virtualizer, rows]);
  const selectedRow = rows.findIndex((row) => row.kind === "file" && row.change.path === selected);
  useEffect(() => {
    if (selectedRow >= 0) virtualizer.scrollToIndex(selectedRow);
  }, [selectedRow, virtualizer]);
  return (
    <>
      {changes.length >= filterFrom && (
        <div className="flex shrink-0 items-center gap-1 px-2 pt-2 pb-1">
          <input
            type="search"
            aria-label="Filter changed files"
            placeholder="Filter…"
            value={filter.text}
            onChange={(event) => props.onFilter({ ...filter, text: event.target.value })}
            onKeyDown={(event) => {
              if (event.key !== "Escape") return;
              event.preventDefault();
              if (filter.text === "") event.currentTarget.blur();
              else props.onFilter({ ...filter, text: "" });
            }}
            className="field h-7! min-w-0 flex-1 px-2! text-sm"
          />
          {onAccept !== undefined && (
            <Menu
              trigger={
                <IconButton label="Accept several files" size="small">
                  <CheckCheck size={14} aria-hidden />
                </IconButton>
              }
              items={groups.map(({ change, title }) => {
                const open = shown.filter((each) => each.change === change && !isAccepted(each));
                return {
                  label: change === "deleted" ? "Confirm deletions" : `Accept ${title.toLowerCase()} files`,
                  note: formatNumber(open.length),
                  onSelect: () => onAccept(open),
                  disabledReason: open.length === 0 ? "None is left." : undefined,
                };
              })}
            />
          )}
          <Select
            label="Which changes are listed"
            quiet
            value={filter.show}
            onChange={(value) => props.onFilter({ ...filter, show: value as Show })}
            options={[
              { value: "all", label: "All" },
              { value: "open", label: "To do" },
              { value: "accepted", label: "Accepted" },
              { value: "warnings", label: "With warnings" },
            ]}
          />
        </div>
      )}
      {shown.length === 0 && (
        <p className="px-3 py-4 text-center text-sm text-muted">
          No changed file matches.{" "}
          <button
            type="button"
            className="rounded-sm font-medium text-accent-ink underline underline-offset-2"
            onClick={() => props.onFilter({ text: "", show: "all" })}
          >
            Show all
          </button>
        </p>
      )}
      <div ref={scroller} className="min-h-0 flex-1 overflow-y-auto px-1.5 pb-2" tabIndex={-1}>
        <div className="relative" style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map((item) => {
            const row = rows[item.index];
            if (row === undefined) return null;
            const place = { transform: `translateY(${item.start}px)`, height: item.size };
            return row.kind === "title" ? (
              <GroupTitle
                key={row.title}
                title={row.title}
                files={row.files}
                place={place}
                {...(onAccept !== undefined && { onAccept })}
              />
            ) : (
              <ChangeRow
                key={row.change.path}
                change={row.change}
                selected={row.change.path === selected}
                onSelect={onSelect}
                place={place}
              />
            );
          })}
        </div>
      </div>
    </>
  );
}

function heightOf(row: Row | undefined): number {
  if (row === undefined || row.kind === "title") return 30;
  return row.change.summary === null || row.change.summary === "" ? 42 : 58;
}

interface Place {
  readonly transform: string;
  readonly height: number;
}

function GroupTitle(props: {
  readonly title: string;
  readonly files: readonly Change[];
  readonly place: Place;
  readonly onAccept?: (changes: readonly Change[]) => void;
}) {
  const { title, files, onAccept } = props;
  const open = files.filter((file) => !isAccepted(file));
  return (
    <div className="absolute inset-x-0 flex items-end pr-1 pb-1 pl-2" style={props.place}>
      <h3 className="tabular flex-1 text-xs leading-5 font-semibold text-muted">
        {title} <span className="ml-1 font-medium text-faint">{formatNumber(files.length)}</span>
      </h3>
      {onAccept !== undefined &&
        (open.length > 0 ? (
          <button
            type="button"
            aria-label={
              title === "Deleted"
                ? `Confirm ${formatCount(open.length, "deletion")}`
                : `Accept ${formatCount(open.length, `${title.toLowerCase()} file`)}`
            }
            onClick={() => onAccept(open)}
            className="flex h-5 items-center gap-1 rounded-sm px-1 text-xs font-medium text-muted hover:bg-hover hover:text-ink"
          >
            <Check size={12} aria-hidden /> {title === "Deleted" ? "Confirm all" : "Accept all"}
          </button>
        ) : (
          <span className="flex items-center gap-1 px-1 text-xs text-good">
            <CircleCheck size={12} aria-hidden /> all accepted
          </span>
        ))}
    </div>
  );
}

const documentNames: Record<NonNullable<Change["document"]>, string> = {
  document: "document",
  sheets: "sheet",
  slides: "slides",
  pages: "PDF",
  image: "image",
  bytes: "binary",
};

function ChangeRow(props: {
  readonly change: Change;
  readonly selected: boolean;
  readonly onSelect: (path: string) => void;
  readonly place: Place;
}) {
  const { change, selected } = props;
  const slash = change.path.lastIndexOf("/");
  const accepted = isAccepted(change);
  return (
    <button
      type="button"
      aria-current={selected || undefined}
      title={change.path}
      onClick={() => props.onSelect(change.path)}
      className={classes(
        "tabular absolute inset-x-0 flex items-start gap-1.5 rounded-md px-1.5 py-1 text-left",
        selected ? "bg-selected" : "hover:bg-hover",
      )}
      style={props.place}
    >
      <ChangeMark change={change.change} />
      <span className="min-w-0 flex-1 leading-4">
        <span className="flex items-center gap-1">
          <span className={classes("truncate font-medium", change.change === "deleted" && "line-through")}>
            {change.path.slice(slash + 1)}
          </span>
          {change.warnings.length > 0 && (
            <TriangleAlert
              size={12}
              className="shrink-0 text-draft"
              aria-label={formatCount(change.warnings.length, "warning")}
            />
          )}
        </span>
        <span className="block truncate text-xs text-muted">
          {slash > 0 && `${change.path.slice(0, slash)} · `}
          {change.document !== null && `${documentNames[change.document]} · `}
          {change.bytesBefore !== null && change.bytesAfter !== null
            ? `${formatBytes(change.bytesBefore)} → ${formatBytes(change.bytesAfter)}`
            : formatBytes(change.bytesAfter ?? change.bytesBefore ?? 0)}
        </span>
        {change.summary !== null && change.summary !== "" && (
          <span className="block truncate text-xs text-muted italic">{change.summary}</span>
        )}
      </span>
      <span className="flex shrink-0 flex-col items-end text-xs leading-4">
        {accepted ? (
          <CircleCheck
            size={14}
            className="text-good"
            aria-label={change.change === "deleted" ? "Deletion confirmed" : "Accepted"}
          />
        ) : change.change === "deleted" ? (
          <CircleHelp size={14} className="text-draft" aria-label="Deletion not confirmed" />
        ) : (
          change.linesAdded !== null && change.linesAdded > 0 && <span className="text-good">+{change.linesAdded}</span>
        )}
        {change.change !== "deleted" && change.linesRemoved !== null && change.linesRemoved > 0 && !accepted && (
          <span className="text-bad">−{change.linesRemoved}</span>
        )}
      </span>
    </button>
  );
}
