import type { FileEntry } from "@benchtop/operations";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ChevronRight, Trash2 } from "lucide-react";
import { useId, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { IconButton } from "../components/button.tsx";
import { classes } from "../components/classes.ts";
import { formatBytes } from "../components/format.ts";
import { ChangeMark } from "./change-mark.tsx";
import { FileIcon } from "./file-icon.tsx";
import { treeRows, type FileChange, type TreeRow } from "./tree.ts";

const rowHeight = 27;
/** Larger trees begin closed. */
const openBelow = 400;

/** A tree that the arrow keys walk; ten thousand files cost as much as the thirty in view. */
export function FileTree(props: {
  readonly entries: readonly FileEntry[];
  readonly changes: ReadonlyMap<string, FileChange>;
  readonly selected: string | undefined;
  readonly onOpen: (row: TreeRow) => void;
  readonly onRemove?: (row: TreeRow) => void;
  readonly removeGate: string | undefined;
}) {
  const { entries, changes, selected, onOpen, onRemove, removeGate } = props;
  const idPrefix = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const closed = useMemo(() => {
    if (entries.length <= openBelow) return toggled;
    // Folders of a large tree are closed unless toggled.
    const folders = new Set(entries.flatMap(({ path }) => (path.includes("/") ? parents(path) : [])));
    return new Set([...folders].filter((folder) => !toggled.has(folder)));
  }, [entries, toggled]);
  const rows = useMemo(() => treeRows(entries, changes, closed), [entries, changes, closed]);
  const [activePath, setActivePath] = useState<string>();
  const active = Math.max(
    0,
    rows.findIndex((row) => row.path === (activePath ?? selected)),
  );
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 15,
  });

  const toggle = (path: string) => {
    const next = new Set(toggled);
    if (!next.delete(path)) next.add(path);
    setToggled(next);
  };
  const choose = (row: TreeRow) => (row.kind === "folder" ? toggle(row.path) : onOpen(row));
  const onKeyDown = (event: KeyboardEvent) => {
    const row = rows[active];
    if (row === undefined || event.target !== event.currentTarget) return;
    const move = (index: number) => {
      const next = rows[Math.max(0, Math.min(rows.length - 1, index))];
      if (next !== undefined) setActivePath(next.path);
      virtualizer.scrollToIndex(Math.max(0, Math.min(rows.length - 1, index)));
    };
    const actions: Record<string, () => void> = {
      ArrowDown: () => move(active + 1),
      ArrowUp: () => move(active - 1),
      Home: () => move(0),
      End: () => move(rows.length - 1),
      Enter: () => choose(row),
      ArrowRight: () => (row.kind === "folder" && !row.open ? toggle(row.path) : move(active + 1)),
      ArrowLeft: () => {
        if (row.kind === "folder" && row.open) toggle(row.path);
        else move(rows.findLastIndex((each, index) => index < active && each.depth < row.depth));
      },
      Delete: () => removeGate === undefined && onRemove?.(row),
    };
    const action = actions[event.key];
    if (action === undefined) return;
    event.preventDefault();
    action();
  };

  return (
    <div
      ref={scroller}
      role="tree"
      aria-label="Files of this workbench"
      tabIndex={0}
      aria-activedescendant={`${idPrefix}-${active}`}
      onKeyDown={onKeyDown}
      className="group/tree min-h-0 flex-1 overflow-y-auto px-1.5 pb-2 focus-visible:-outline-offset-2"
    >
      <div role="none" className="relative" style={{ height: virtualizer.getTotalSize() }}>
        {virtualizer.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (row === undefined) return null;
          const removable = row.change !== "deleted";
          return (
            <div
              key={row.path}
              id={`${idPrefix}-${item.index}`}
              role="treeitem"
              aria-level={row.depth + 1}
              aria-expanded={row.kind === "folder" ? row.open : undefined}
              aria-selected={row.path === selected}
              onClick={() => {
                setActivePath(row.path);
                choose(row);
              }}
              title={`${row.path} · ${formatBytes(row.bytes)}`}
              className={classes(
                "group absolute inset-x-0 flex items-center gap-1.5 rounded-md pr-1 hover:bg-hover",
                row.path === selected && "bg-selected",
                item.index === active &&
                  "group-focus-visible/tree:inset-ring-2 group-focus-visible/tree:inset-ring-accent",
              )}
              style={{ height: rowHeight, transform: `translateY(${item.start}px)`, paddingLeft: 6 + row.depth * 14 }}
            >
              {row.kind === "folder" ? (
                <ChevronRight
                  size={13}
                  aria-hidden
                  className={classes(
                    "shrink-0 text-faint transition-transform duration-(--quick)",
                    row.open && "rotate-90",
                  )}
                />
              ) : (
                <FileIcon path={row.path} />
              )}
              <span
                className={classes(
                  "min-w-0 flex-1 truncate",
                  row.change === "deleted" && "text-muted line-through",
                  row.kind === "folder" && "font-medium",
                )}
              >
                {row.name}
              </span>
              {removable && onRemove !== undefined && (
                <IconButton
                  label={`Remove ${row.name}`}
                  size="small"
                  tabIndex={-1}
                  disabledReason={removeGate}
                  className="opacity-0 group-hover:opacity-100"
                  onClick={(event) => {
                    event.stopPropagation();
                    onRemove(row);
                  }}
                >
                  <Trash2 size={12} aria-hidden />
                </IconButton>
              )}
              {row.kind === "file" && row.change !== undefined && <ChangeMark change={row.change} />}
              {row.kind === "folder" && !row.open && row.change !== undefined && (
                <span className="mr-1 size-1.5 rounded-full bg-draft" title="The Draft changes files in it" />
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function parents(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}
