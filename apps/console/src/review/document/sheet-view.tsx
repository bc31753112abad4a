import type { CellContent, DocumentDiff, SheetChanges, SheetRow } from "@benchtop/operations";
import { useVirtualizer } from "@tanstack/react-virtual";
import { EyeOff, MessageSquareText } from "lucide-react";
import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent, type Ref } from "react";
import { classes } from "../../components/classes.ts";
import { formatCount, formatNumber } from "../../components/format.ts";
import { columnName, readRange } from "./cell-names.ts";
import { partBackground, PartMark } from "./part-mark.tsx";
import { useChangeHandle, type ChangeHandle } from "./steps.ts";

type Sheets = Extract<DocumentDiff, { kind: "sheets" }>;
type Cell = SheetRow["cells"][number];

/** A spreadsheet as one: a tab for each sheet, a grid with the old and the new content of each changed cell. */
export function SheetView(props: { readonly diff: Sheets; readonly handle: Ref<ChangeHandle> }) {
  const { diff, handle } = props;
  const { sheets } = diff;
  const [chosen, setChosen] = useState(() => Math.max(0, sheets.findIndex(hasChanges)));
  const sheet = sheets[Math.min(chosen, sheets.length - 1)];
  const grid = useRef<GridHandle>(null);
  const landing = useRef<1 | -1>(undefined);
  const prefix = useId();
  useChangeHandle(handle, {
    step: (by) => {
      if (grid.current?.step(by) === true) return;
      const next = sheets.findIndex((each, index) => hasChanges(each) && (by === 1 ? index > chosen : false));
      const before = sheets.findLastIndex((each, index) => hasChanges(each) && index < chosen);
      const target = by === 1 ? next : before;
      if (target < 0) return;
      landing.current = by;
      setChosen(target);
    },
  });
  const hasTabs = sheets.length > 1 || (sheet !== undefined && (sheet.oldName !== null || sheet.hidden));
  if (sheet === undefined) return <p className="p-6 text-center text-muted">This file holds no sheet.</p>;
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      {hasTabs && (
        <div
          role="tablist"
          aria-label="Sheets"
          className="flex shrink-0 gap-0.5 overflow-x-auto border-b border-line bg-sunken px-2 pt-1"
          onKeyDown={(event) => {
            const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
            if (by === 0) return;
            event.preventDefault();
            const target = (chosen + by + sheets.length) % sheets.length;
            setChosen(target);
            (event.currentTarget.children[target] as HTMLElement | undefined)?.focus();
          }}
        >
          {sheets.map((each, index) => (
            <button
              key={index}
              type="button"
              role="tab"
              id={`${prefix}-tab-${index}`}
              aria-controls={`${prefix}-sheet`}
              aria-selected={index === chosen}
              tabIndex={index === chosen ? 0 : -1}
              onClick={() => setChosen(index)}
              className={classes(
                "tabular flex h-7 shrink-0 items-center gap-1 rounded-t-md border border-b-0 px-2 text-sm font-medium",
                index === chosen
                  ? "border-line bg-surface text-ink"
                  : "border-transparent text-muted hover:bg-hover hover:text-ink",
              )}
            >
              {each.change !== "same" && <PartMark change={each.change} />}
              {each.hidden && <EyeOff size={12} aria-label="Hidden sheet" className="text-muted" />}
              <span className={classes("max-w-48 truncate", each.change === "removed" && "line-through")}>
                {each.name}
              </span>
              {each.changedCells > 0 && (
                <span className="rounded-full bg-draft-soft px-1.5 text-xs text-draft">
                  {formatNumber(each.changedCells)}
                  <span className="sr-only"> changed cells</span>
                </span>
              )}
            </button>
          ))}
        </div>
      )}
      <div
        id={`${prefix}-sheet`}
        {...(hasTabs && {
          role: "tabpanel",
          "aria-labelledby": `${prefix}-tab-${chosen}`,
        })}
        className="flex min-h-0 flex-1 flex-col"
      >
        <SheetFacts sheet={sheet} />
        {sheet.rows.length === 0 ? (
          <p className="p-6 text-center text-muted">
            {sheet.change === "same" ? "No cell of this sheet changed." : "This sheet holds no cell."}
          </p>
        ) : (
          <Grid key={chosen} sheet={sheet} handle={grid} landing={landing} label={`${sheet.name}, ${diff.path}`} />
        )}
        {sheet.truncated && (
          <p className="border-t border-line bg-draft-soft px-3 py-1.5 text-sm text-draft">
            This sheet is long: not every changed row is shown. The count of changed cells speaks of what was compared.
          </p>
        )}
      </div>
    </div>
  );
}

function hasChanges(sheet: SheetChanges): boolean {
  return sheet.changedCells > 0 || sheet.change !== "same";
}

function SheetFacts(props: { readonly sheet: SheetChanges }) {
  const { sheet } = props;
  const facts = [
    sheet.oldName !== null && `was named ${sheet.oldName}`,
    sheet.oldRows === sheet.newRows
      ? formatCount(sheet.newRows, "row")
      : `${formatCount(sheet.oldRows, "row")} → ${formatNumber(sheet.newRows)}`,
    formatCount(sheet.changedCells, "changed cell"),
    sheet.hidden && "hidden",
    sheet.formatChanged && "formats, widths or merged cells changed too",
  ].filter((fact) => fact !== false);
  return <p className="tabular shrink-0 border-b border-line px-3 py-1 text-sm text-muted">{facts.join(" · ")}</p>;
}

interface GridHandle {
  /** False when there is no further changed cell in this direction. */
  readonly step: (by: 1 | -1) => boolean;
}

type GridRow =
  | { readonly kind: "row"; readonly row: SheetRow; readonly cells: ReadonlyMap<number, Cell>; readonly tall: boolean }
  | { readonly kind: "gap"; readonly count: number };

interface Place {
  readonly row: number;
  readonly column: number;
}

const heights = { plain: 26, tall: 42, gap: 22, head: 26 } as const;

function Grid(props: {
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

const cellLook = { added: "bg-diff-added", removed: "bg-diff-removed", changed: "bg-draft-soft" } as const;

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

/** The number of a row, and where it was before where rows above it came or went. */
function rowLabel({ oldRow, newRow }: SheetRow): string {
  return oldRow !== null && newRow !== null && oldRow !== newRow ? `${oldRow} → ${newRow}` : `${newRow ?? oldRow}`;
}

function headWidthOf(sheet: SheetChanges): number {
  const longest = sheet.rows.reduce((most, row) => Math.max(most, rowLabel(row).length), 3);
  return 36 + longest * 7;
}

/** Old above new in a changed cell. */
function CellText(props: { readonly cell: Cell; readonly whole: SheetRow["change"] }) {
  const { before, after, change, comment } = props.cell;
  const shown = after ?? before;
  const comments = comment !== null && (
    <MessageSquareText size={10} className="absolute top-0.5 right-0.5 text-accent-ink" aria-label="Has a comment" />
  );
  if (change === "changed" && before !== null && after !== null) {
    return (
      <span className="flex h-full flex-col justify-center leading-4.5">
        <del className={classes("block truncate text-bad decoration-1", align(before))}>
          <span className="sr-only">was </span>
          <Content content={before} other={after} />
        </del>
        <ins className={classes("block truncate font-medium text-good no-underline", align(after))}>
          <span className="sr-only">, is now </span>
          <Content content={after} other={before} />
        </ins>
        {comments}
      </span>
    );
  }
  const gone = change === "removed" || props.whole === "removed";
  return (
    <span
      className={classes(
        "block h-full truncate leading-6.5",
        shown !== null && align(shown),
        gone && "text-bad line-through",
        !gone && (change === "added" || props.whole === "added") && "text-good",
      )}
    >
      {change !== "same" && props.whole === "changed" && (
        <span className="sr-only">{gone ? "removed: " : "added: "}</span>
      )}
      {shown !== null && <Content content={shown} />}
      {comments}
    </span>
  );
}

/** As it is shown; where only the formula differs, the formula. */
function Content(props: { readonly content: CellContent; readonly other?: CellContent }) {
  const { content, other } = props;
  if (other !== undefined && other.text === content.text && content.formula !== null) return `=${content.formula}`;
  return content.text;
}

function align(content: CellContent): string {
  return content.type === "number" || content.type === "date" ? "text-right" : "";
}

/** What the current cell holds on both sides, whole: a formula bar for a comparison. */
function CellDetail(props: {
  readonly place: Place;
  readonly row: GridRow | undefined;
  readonly cell: Cell | undefined;
  readonly sheet: SheetChanges;
}) {
  const { place, row, cell, sheet } = props;
  if (row === undefined || row.kind === "gap") return null;
  const number = row.row.newRow ?? row.row.oldRow ?? 0;
  const range = sheet.merged.find((text) => {
    const merged = readRange(text);
    return (
      merged !== undefined &&
      place.column >= merged.fromColumn &&
      place.column <= merged.toColumn &&
      number >= merged.fromRow &&
      number <= merged.toRow
    );
  });
  const same = cell?.change === "same" || cell === undefined;
  return (
    <dl
      aria-live="polite"
      className="tabular flex max-h-28 min-h-9 shrink-0 flex-wrap items-baseline gap-x-3 gap-y-0.5 overflow-y-auto border-b border-line px-3 py-1.5 text-sm"
    >
      <div className="flex items-baseline gap-1.5">
        <dt className="sr-only">Cell</dt>
        <dd className="font-mono font-semibold">
          {columnName(place.column)}
          {number}
        </dd>
      </div>
      {range !== undefined && (
        <div className="text-muted">
          <dt className="sr-only">Merged</dt>
          <dd>merged {range}</dd>
        </div>
      )}
      {cell === undefined ? (
        <div className="text-faint">
          <dt className="sr-only">Content</dt>
          <dd>empty</dd>
        </div>
      ) : same ? (
        <Value name="Content" content={cell.after ?? cell.before} />
      ) : (
        <>
          <Value name="Before" content={cell.before} />
          <Value name="After" content={cell.after} />
        </>
      )}
      {cell !== undefined && cell.comment !== null && (
        <div className="flex min-w-0 items-baseline gap-1.5">
          <dt className="text-muted">Comment</dt>
          <dd className="min-w-0 wrap-anywhere">{cell.comment}</dd>
        </div>
      )}
    </dl>
  );
}

function Value(props: { readonly name: string; readonly content: CellContent | null }) {
  const { name, content } = props;
  return (
    <div className="flex min-w-0 items-baseline gap-1.5">
      <dt className="text-muted">{name}</dt>
      <dd className="min-w-0 wrap-anywhere">
        {content === null ? (
          <span className="text-faint">empty</span>
        ) : (
          <>
            <span className={classes("font-medium", name === "Before" && "line-through")}>{content.text}</span>
            {content.formula !== null && <code className="ml-1.5 text-xs text-muted">={content.formula}</code>}
          </>
        )}
      </dd>
    </div>
  );
}

function gridRows(sheet: SheetChanges): GridRow[] {
  const rows: GridRow[] = [];
  let oldAt = 0;
  let newAt = 0;
  for (const row of sheet.rows) {
    const skipped = row.newRow !== null ? row.newRow - newAt - 1 : (row.oldRow ?? 0) - oldAt - 1;
    if (skipped > 0) rows.push({ kind: "gap", count: skipped });
    // After a gap both sides have moved on by as much.
    oldAt = row.oldRow ?? oldAt + Math.max(0, skipped);
    newAt = row.newRow ?? newAt + Math.max(0, skipped);
    const cells = new Map(row.cells.map((cell) => [cell.column, cell]));
    const tall = row.cells.some(
      ({ change, before, after }) => change === "changed" && before !== null && after !== null,
    );
    rows.push({ kind: "row", row, cells, tall });
  }
  const left = sheet.newRows - newAt;
  if (left > 0 && !sheet.truncated) rows.push({ kind: "gap", count: left });
  return rows;
}

/** By what the cells hold, within bounds. */
function columnWidths(sheet: SheetChanges): number[] {
  const most = Array.from({ length: Math.max(1, sheet.columns) }, () => 6);
  for (const row of sheet.rows) {
    for (const { column, before, after } of row.cells) {
      const length = Math.max(before?.text.length ?? 0, after?.text.length ?? 0);
      while (most.length < column) most.push(6);
      most[column - 1] = Math.max(most[column - 1] ?? 6, length);
    }
  }
  return most.map((length) => Math.min(280, Math.max(64, length * 7 + 18)));
}

/** Which cells span others of their row, and which are covered. Merges over several rows span in each of them. */
function mergedCells(sheet: SheetChanges) {
  const spans = new Map<string, number>();
  const covered = new Set<string>();
  const shown = new Set(sheet.rows.map(({ newRow }) => newRow));
  for (const text of sheet.merged) {
    const range = readRange(text);
    if (range === undefined || range.toColumn === range.fromColumn) continue;
    for (const row of shown) {
      if (row === null || row < range.fromRow || row > range.toRow) continue;
      spans.set(`${row}:${range.fromColumn}`, range.toColumn - range.fromColumn + 1);
      for (let column = range.fromColumn + 1; column <= range.toColumn; column++) covered.add(`${row}:${column}`);
    }
  }
  return { spans, covered };
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
