import type { SheetChanges, SheetRow } from "@benchtop/operations";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent, type Ref } from "react";
import { classes } from "../../components/classes.ts";
import { formatCount } from "../../components/format.ts";
import { columnName } from "./cell-names.ts";
import { partBackground, PartMark } from "./part-mark.tsx";
import { CellDetail, CellText, cellLook } from "./sheet-cell.tsx";
import { columnWidths, gridRows, headWidthOf, heights, mergedCells, rowLabel, type Place } from "./sheet-layout.ts";

export interface GridHandle {
  /** False when there is no further changed cell in this direction. */
  readonly step: (by: 1 | -1) => boolean;
}

export function Grid(props: {
  readonly sheet: SheetChanges;
  readonly handle: Ref<GridHandle>;
  /** Set when the step from another sheet led here: where to begin. */
  readonly landing: { current: 1 | -1 | undefined };
  readonly label: string;
}) {
  const { sheet, handle, landing } = props;
  const prefix = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useMemo(() => gridRows(sheet), [sheet]);
  const widths = useMemo(() => columnWidths(sheet), [sheet]);
  const merged = useMemo(() => mergedCells(sheet), [sheet]);
  const headWidth = useMemo(() => headWidthOf(sheet), [sheet]);
  const stops = useMemo(() => {
    const found: Place[] = [];
    for (const [index, row] of rows.entries()) {
      if (row.kind === "gap" || row.row.change === "same") continue;
      if (row.row.change !== "changed") {
        found.push({ row: index, column: row.row.cells[0]?.column ?? 1 });
        continue;
      }
      for (const cell of row.row.cells) if (cell.change !== "same") found.push({ row: index, column: cell.column });
    }
    return found;
  }, [rows]);
  const [active, setActive] = useState<Place>(
    () => (landing.current === -1 ? stops.at(-1) : stops[0]) ?? { row: 0, column: 1 },
  );
  const down = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => {
      const row = rows[index];
      return row === undefined || row.kind === "gap" ? heights.gap : row.tall ? heights.tall : heights.plain;
    },
    overscan: 8,
    paddingStart: heights.head,
    scrollPaddingStart: heights.head + 8,
    scrollPaddingEnd: 24,
  });
  const across = useVirtualizer({
    horizontal: true,
    count: widths.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => widths[index] ?? 80,
    overscan: 3,
    paddingStart: headWidth,
    scrollPaddingStart: headWidth + 8,
    scrollPaddingEnd: 24,
  });
  const go = (place: Place) => {
    setActive(place);
    down.scrollToIndex(place.row, { align: "auto" });
    across.scrollToIndex(place.column - 1, { align: "auto" });
  };
  useEffect(() => {
    landing.current = undefined;
    go(active);
    // Once: the grid begins at its first change, or at its last one where a step backwards led here.
  }, []);
  const at = stops.findIndex(({ row, column }) => row === active.row && column === active.column);
  useImperativeHandleOf(handle, {
    step: (by) => {
      const next =
        at >= 0
          ? stops[at + by]
          : by === 1
            ? stops.find(({ row, column }) => row > active.row || (row === active.row && column > active.column))
            : stops.findLast(({ row, column }) => row < active.row || (row === active.row && column < active.column));
      if (next === undefined) return false;
      go(next);
      return true;
    },
  });
  const moveRow = (by: 1 | -1) => {
    let row = active.row + by;
    while (rows[row]?.kind === "gap") row += by;
    if (rows[row] !== undefined) go({ ...active, row });
  };
  const moveColumn = (column: number) => go({ ...active, column: Math.max(1, Math.min(widths.length, column)) });
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const actions: Record<string, () => void> = {
      ArrowDown: () => moveRow(1),
      ArrowUp: () => moveRow(-1),
      ArrowRight: () => moveColumn(active.column + 1),
      ArrowLeft: () => moveColumn(active.column - 1),
      Home: () => moveColumn(1),
      End: () => moveColumn(widths.length),
    };
    const action = actions[event.key];
    if (action === undefined) return;
    event.preventDefault();
    action();
  };
  const columns = across.getVirtualItems();
  const activeRow = rows[active.row];
  const activeCell = activeRow?.kind === "row" ? activeRow.cells.get(active.column) : undefined;

  return (
    <>
      <CellDetail place={active} row={activeRow} cell={activeCell} sheet={sheet} />
      <div
        ref={scroller}
        role="grid"
        aria-label={props.label}
        aria-rowcount={rows.length + 1}
        aria-colcount={widths.length + 1}
        aria-activedescendant={`${prefix}-${active.row}-${active.column}`}
        tabIndex={0}
        onKeyDown={onKeyDown}
        className="group/grid tabular min-h-0 flex-1 overflow-auto text-sm focus-visible:-outline-offset-2"
      >
        <div
          role="presentation"
          className="relative"
          style={{ height: down.getTotalSize(), width: across.getTotalSize() }}
        >
          <div
            role="row"
            aria-rowindex={1}
            className="sticky top-0 z-20 border-b border-line-strong bg-sunken"
            style={{ height: heights.head, width: across.getTotalSize() }}
          >
            <div
              role="columnheader"
              className="sticky left-0 z-10 flex h-full items-center border-r border-line-strong bg-sunken px-1.5 text-xs text-muted"
              style={{ width: headWidth }}
            >
              Row
            </div>
            {columns.map((column) => (
              <div
                key={column.index}
                role="columnheader"
                aria-colindex={column.index + 2}
                className={classes(
                  "absolute top-0 flex items-center justify-center border-r border-line text-xs font-medium text-muted",
                  active.column === column.index + 1 && "bg-selected text-ink",
                )}
                style={{ left: column.start, width: column.size, height: heights.head }}
              >
                {columnName(column.index + 1)}
              </div>
            ))}
          </div>
          {down.getVirtualItems().map((item) => {
            const row = rows[item.index];
            if (row === undefined) return null;
            const place = { top: item.start, height: item.size, width: across.getTotalSize() };
            if (row.kind === "gap") {
              return (
                <div
                  key={item.key}
                  role="row"
                  aria-rowindex={item.index + 2}
                  className="absolute left-0 bg-sunken"
                  style={place}
                >
                  <span
                    role="gridcell"
                    className="sticky left-0 inline-flex items-center px-3 text-xs text-muted"
                    style={{ height: item.size }}
                  >
                    ⋯ {formatCount(row.count, "unchanged row")}
                  </span>
                </div>
              );
            }
            return (
              <div
                key={item.key}
                role="row"
                aria-rowindex={item.index + 2}
                className={classes(
                  "absolute left-0 border-b border-line",
                  row.row.change !== "changed" && partBackground[row.row.change],
                )}
                style={place}
              >
                <RowHead row={row.row} width={headWidth} height={item.size} active={item.index === active.row} />
                {columns.map((column) => {
                  const number = column.index + 1;
                  const key = `${row.row.newRow ?? 0}:${number}`;
                  const span = merged.spans.get(key);
                  if (merged.covered.has(key)) return null;
                  const cell = row.cells.get(number);
                  const here = item.index === active.row && number === active.column;
                  const width =
                    span === undefined
                      ? column.size
                      : widths.slice(column.index, column.index + span).reduce((sum, each) => sum + each, 0);
                  return (
                    <div
                      key={column.index}
                      id={`${prefix}-${item.index}-${number}`}
                      role="gridcell"
                      aria-colindex={number + 1}
                      {...(span !== undefined && { "aria-colspan": span })}
                      onClick={() => setActive({ row: item.index, column: number })}
                      className={classes(
                        "absolute top-0 overflow-hidden border-r border-line px-1.5",
                        span !== undefined && "z-10 bg-sunken text-center",
                        cell !== undefined &&
                          row.row.change === "changed" &&
                          cell.change !== "same" &&
                          cellLook[cell.change],
                        here && "inset-ring-2 inset-ring-accent",
                      )}
                      style={{ left: column.start, width, height: item.size }}
                    >
                      {cell !== undefined && <CellText cell={cell} whole={row.row.change} />}
                    </div>
                  );
                })}
              </div>
            );
          })}
        </div>
      </div>
    </>
  );
}

function RowHead(props: {
  readonly row: SheetRow;
  readonly width: number;
  readonly height: number;
  readonly active: boolean;
}) {
  const { change } = props.row;
  return (
    <div
      role="rowheader"
      aria-colindex={1}
      className={classes(
        "sticky left-0 z-10 flex items-center justify-end gap-1 border-r border-line-strong px-1.5 text-xs",
        props.active ? "bg-selected text-ink" : "bg-sunken text-muted",
      )}
      style={{ width: props.width, height: props.height - 1 }}
    >
      <PartMark change={change} className="mr-auto" />
      {rowLabel(props.row)}
    </div>
  );
}

/** The grid tells its owner whether there was a further cell, so its handle is a ref of its own. */
function useImperativeHandleOf(handle: Ref<GridHandle>, current: GridHandle): void {
  const latest = useRef(current);
  useEffect(() => {
    latest.current = current;
  });
  useEffect(() => {
    if (handle === null || typeof handle === "function") return undefined;
    handle.current = { step: (by) => latest.current.step(by) };
    return () => {
      handle.current = null;
    };
  }, [handle]);
}
