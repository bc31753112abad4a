import type { Change } from "@benchtop/operations";
import { useVirtualizer } from "@tanstack/react-virtual";
import { CircleCheck, TriangleAlert } from "lucide-react";
import { useEffect, useMemo, useRef } from "react";
import { classes } from "../components/classes.ts";
import { formatBytes } from "../components/format.ts";
import { ChangeMark } from "../files/change-mark.tsx";

const groups = [
  { change: "added", title: "Added" },
  { change: "modified", title: "Modified" },
  { change: "deleted", title: "Deleted" },
] as const;

type Row =
  | { readonly kind: "title"; readonly title: string; readonly count: number }
  | { readonly kind: "file"; readonly change: Change };

/** The order of the list, which is also the order of j and k. */
export function orderChanges(changes: readonly Change[]): Change[] {
  return groups.flatMap(({ change }) =>
    changes
      .filter((each) => each.change === change)
      .sort((a, b) => a.path.localeCompare(b.path, "en", { numeric: true })),
  );
}

/** Changed files by kind, with their sizes. */
export function ChangeList(props: {
  readonly changes: readonly Change[];
  readonly selected: string | undefined;
  readonly onSelect: (path: string) => void;
}) {
  const { changes, selected, onSelect } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useMemo(() => {
    const ordered = orderChanges(changes);
    return groups.flatMap(({ change, title }): Row[] => {
      const files = ordered.filter((each) => each.change === change);
      return files.length === 0
        ? []
        : [
            { kind: "title", title, count: files.length },
            ...files.map((file): Row => ({ kind: "file", change: file })),
          ];
    });
  }, [changes]);
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => (rows[index]?.kind === "title" ? 28 : 40),
    overscan: 12,
  });
  const selectedRow = rows.findIndex((row) => row.kind === "file" && row.change.path === selected);
  useEffect(() => {
    if (selectedRow >= 0) virtualizer.scrollToIndex(selectedRow);
  }, [selectedRow, virtualizer]);
  return (
    <div ref={scroller} className="min-h-0 flex-1 overflow-y-auto px-1.5 pb-2" tabIndex={-1}>
      <div className="relative" style={{ height: virtualizer.getTotalSize() }}>
        {virtualizer.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (row === undefined) return null;
          const place = { transform: `translateY(${item.start}px)`, height: item.size };
          if (row.kind === "title") {
            return (
              <h3
                key={row.title}
                className="tabular absolute inset-x-0 flex items-end px-2 pb-1 text-xs font-semibold text-muted"
                style={place}
              >
                {row.title} <span className="ml-1.5 font-medium text-faint">{row.count}</span>
              </h3>
            );
          }
          return (
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
  );
}

function ChangeRow(props: {
  readonly change: Change;
  readonly selected: boolean;
  readonly onSelect: (path: string) => void;
  readonly place: { readonly transform: string; readonly height: number };
}) {
  const { change, selected } = props;
  const slash = change.path.lastIndexOf("/");
  return (
    <button
      type="button"
      aria-current={selected || undefined}
      title={change.path}
      onClick={() => props.onSelect(change.path)}
      className={classes(
        "tabular absolute inset-x-0 flex items-center gap-1.5 rounded-md px-1.5 text-left",
        selected ? "bg-selected" : "hover:bg-hover",
      )}
      style={props.place}
    >
      <ChangeMark change={change.change} />
      <span className="min-w-0 flex-1 leading-4">
        <span className="block truncate font-medium">{change.path.slice(slash + 1)}</span>
        <span className="block truncate text-xs text-muted">
          {slash > 0 && `${change.path.slice(0, slash)} · `}
          {change.bytesBefore !== null && change.bytesAfter !== null
            ? `${formatBytes(change.bytesBefore)} → ${formatBytes(change.bytesAfter)}`
            : formatBytes(change.bytesAfter ?? change.bytesBefore ?? 0)}
        </span>
      </span>
      {change.change === "deleted" ? (
        change.confirmed ? (
          <CircleCheck size={13} className="shrink-0 text-good" aria-label="Deletion confirmed" />
        ) : (
          <TriangleAlert size={13} className="shrink-0 text-draft" aria-label="Deletion not confirmed" />
        )
      ) : (
        <span className="shrink-0 text-right text-xs leading-4">
          {change.linesAdded !== null && change.linesAdded > 0 && (
            <span className="block text-good">+{change.linesAdded}</span>
          )}
          {change.linesRemoved !== null && change.linesRemoved > 0 && (
            <span className="block text-bad">−{change.linesRemoved}</span>
          )}
        </span>
      )}
    </button>
  );
}
