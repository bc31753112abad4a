import type { DocumentBlock, DocumentDiff } from "@benchtop/operations";
import { useVirtualizer } from "@tanstack/react-virtual";
import { FileText, UnfoldVertical } from "lucide-react";
import { useEffect, useMemo, useRef, useState, type Ref } from "react";
import { classes } from "../../components/classes.ts";
import { formatCount } from "../../components/format.ts";
import { foldSame } from "./fold.ts";
import { MergedText, SideText } from "./marked-text.tsx";
import { PartMark, partBackground } from "./part-mark.tsx";
import { useChangeHandle, type ChangeHandle } from "./steps.ts";

type TextDocument = Extract<DocumentDiff, { kind: "document" }>;

const isChanged = (block: DocumentBlock): boolean => block.change !== "same" || block.formatChanged;

/** A text document as a reading column, with what changed marked word by word as a word processor does. */
export function TextDocumentView(props: {
  readonly diff: TextDocument;
  readonly view: "split" | "inline";
  readonly handle: Ref<ChangeHandle>;
}) {
  const { diff, view, handle } = props;
  const { blocks } = diff;
  const scroller = useRef<HTMLDivElement>(null);
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  const changed = useMemo(() => blocks.map(isChanged), [blocks]);
  const rows = useMemo(
    () => foldSame(changed, opened, { whole: diff.change !== "modified" }),
    [changed, opened, diff.change],
  );
  const stops = useMemo(() => {
    const starts: number[] = [];
    for (const [index, row] of rows.entries()) {
      if (row.kind !== "part" || changed[row.index] !== true) continue;
      const before = rows[index - 1];
      if (before?.kind !== "part" || changed[before.index] !== true) starts.push(index);
    }
    return starts;
  }, [rows, changed]);
  const [current, setCurrent] = useState(0);
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 34,
    overscan: 12,
    paddingStart: 20,
    paddingEnd: 40,
  });
  useEffect(() => virtualizer.measure(), [virtualizer, view]);
  useChangeHandle(handle, {
    step: (by) => {
      const next = Math.max(0, Math.min(stops.length - 1, current + by));
      setCurrent(next);
      virtualizer.scrollToIndex(stops[next] ?? 0, { align: "center" });
    },
  });
  const currentRow = stops[current];
  if (blocks.length === 0) return <p className="p-6 text-center text-muted">This document holds no text.</p>;
  return (
    <div
      ref={scroller}
      tabIndex={0}
      role="region"
      aria-label={`Changes of ${diff.path}`}
      className="min-h-0 flex-1 overflow-y-auto bg-canvas focus-visible:-outline-offset-2"
    >
      {diff.change !== "modified" && (
        <p className="px-3 pt-2 text-center text-sm text-muted">
          {diff.change === "added" ? "This document is new." : "This document is deleted. This is what was in it."}
        </p>
      )}
      <div
        className={classes(
          "relative mx-auto my-3 border border-line bg-raised shadow-raised max-sm:my-0 max-sm:border-0",
          view === "split" && diff.change === "modified" ? "max-w-290" : "max-w-180",
        )}
        style={{ height: virtualizer.getTotalSize() }}
      >
        {virtualizer.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (row === undefined) return null;
          return (
            <div
              key={item.key}
              data-index={item.index}
              ref={virtualizer.measureElement}
              className={classes(
                "absolute inset-x-0",
                item.index === currentRow &&
                  diff.change === "modified" &&
                  stops.length > 1 &&
                  "shadow-[inset_3px_0_0_var(--accent)]",
              )}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              {row.kind === "fold" ? (
                <FoldRow
                  count={row.to - row.from + 1}
                  label="unchanged paragraph"
                  onOpen={() => setOpened(new Set([...opened, row.from]))}
                />
              ) : (
                <Block
                  block={diff.change === "modified" ? blocks[row.index] : alone(blocks[row.index])}
                  view={diff.change === "modified" ? view : "inline"}
                />
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** In a document that is new or gone as a whole nothing has to be told apart: it is there to be read. */
function alone(block: DocumentBlock | undefined): DocumentBlock | undefined {
  if (block === undefined) return undefined;
  const text = block.after ?? block.before;
  return { ...block, before: text, after: text, change: "same", formatChanged: false };
}

/** A stretch that stayed the same, to be opened. */
export function FoldRow(props: { readonly count: number; readonly label: string; readonly onOpen: () => void }) {
  return (
    <div className="my-2 flex h-6 items-center bg-sunken px-3 text-xs text-muted">
      <button
        type="button"
        className="flex h-5 items-center gap-1 rounded-sm px-1.5 hover:bg-hover hover:text-ink"
        onClick={props.onOpen}
      >
        <UnfoldVertical size={12} aria-hidden /> {formatCount(props.count, props.label)}
      </button>
    </div>
  );
}

const labels: Partial<Record<DocumentBlock["role"], string>> = {
  image: "Image",
  header: "Header",
  footer: "Footer",
  footnote: "Footnote",
  comment: "Comment",
  break: "Break",
};

function Block(props: { readonly block: DocumentBlock | undefined; readonly view: "split" | "inline" }) {
  const { block, view } = props;
  if (block === undefined) return null;
  const split = view === "split";
  return (
    <div className={classes("grid grid-cols-[28px_1fr] gap-x-1 pr-4 sm:grid-cols-[40px_1fr] sm:pr-10")}>
      <PartMark change={block.change} className="justify-self-end pt-1" />
      {split ? (
        <div className="grid min-w-0 grid-cols-2 gap-x-4">
          {(["before", "after"] as const).map((side) => (
            <div
              key={side}
              className={classes(
                "min-w-0 rounded-sm px-2",
                block[side] === null
                  ? "bg-sunken"
                  : block.change !== "same" && (side === "before" ? "bg-diff-removed" : "bg-diff-added"),
              )}
            >
              {block[side] === null ? (
                <span className="text-xs text-faint">
                  {side === "before" ? "Not there before" : "Not there any more"}
                </span>
              ) : (
                <Content block={block} side={side} />
              )}
            </div>
          ))}
        </div>
      ) : (
        <div className={classes("min-w-0 rounded-sm px-2", block.change !== "changed" && partBackground[block.change])}>
          <Content block={block} />
        </div>
      )}
    </div>
  );
}

/** A block by its role: a heading is one, a row of a table has cells, and what is no running text says what it is. */
function Content(props: { readonly block: DocumentBlock; readonly side?: "before" | "after" }) {
  const { block, side } = props;
  const words = side === undefined ? `${block.before ?? ""}${block.after ?? ""}` : (block[side] ?? "");
  const text =
    words === "" && block.change !== "same" ? (
      <span className="text-xs text-muted">empty</span>
    ) : side === undefined ? (
      <MergedText pair={block} />
    ) : (
      <SideText pair={block} side={side} />
    );
  const note = block.formatChanged && block.change === "same" && side !== "before" && (
    <span className="ml-2 inline-flex rounded-full border border-draft-line bg-draft-soft px-1.5 text-xs font-medium text-draft">
      Format changed
    </span>
  );
  const label = labels[block.role];
  switch (block.role) {
    case "heading": {
      const level = Math.min(6, Math.max(1, (block.level ?? 1) + 2));
      return (
        <div role="heading" aria-level={level} className={classes("pt-3 pb-1 font-semibold", headingSize(block.level))}>
          {text}
          {note}
        </div>
      );
    }
    case "list-item":
      return (
        <p className="relative py-0.5 leading-6" style={{ paddingLeft: `${(block.level ?? 1) * 18}px` }}>
          <span aria-hidden className="absolute text-muted" style={{ left: `${(block.level ?? 1) * 18 - 13}px` }}>
            •
          </span>
          {text}
          {note}
        </p>
      );
    case "table-row":
      return <TableRow block={block} {...(side !== undefined && { side })} note={note} />;
    case "break":
      return (
        <p className="my-2 flex items-center gap-2 text-xs text-muted">
          <span aria-hidden className="h-px flex-1 border-t border-dashed border-line-strong" />
          {text}
          <span aria-hidden className="h-px flex-1 border-t border-dashed border-line-strong" />
        </p>
      );
    case "paragraph":
      return (
        <p className="min-h-6 py-1 leading-6 wrap-anywhere whitespace-pre-wrap">
          {text}
          {note}
        </p>
      );
    default:
      return (
        <div
          className={classes(
            "my-1 rounded-md border px-2 py-1 text-sm wrap-anywhere",
            block.role === "comment" ? "border-accent-line" : "border-line",
          )}
        >
          <span className="mr-1.5 inline-flex items-center gap-1 text-xs font-semibold text-muted">
            {block.role === "image" && <FileText size={11} aria-hidden />}
            {label}
          </span>
          {text}
          {note}
        </div>
      );
  }
}

function headingSize(level: number | null): string {
  if (level === null || level <= 1) return "text-xl leading-7";
  return level === 2 ? "text-lg" : "text-base";
}

/** Cells are told apart by tabs. */
function TableRow(props: {
  readonly block: DocumentBlock;
  readonly side?: "before" | "after";
  readonly note: React.ReactNode;
}) {
  const { block, side, note } = props;
  const shown = side ?? (block.after === null ? "before" : "after");
  const cells = cellsOf(block[shown] ?? "", shown === "before" ? block.marksBefore : block.marksAfter);
  const others = side === undefined && block.change === "changed" ? cellsOf(block.before ?? "", block.marksBefore) : [];
  return (
    <div className="-mt-px flex border border-line text-sm">
      {cells.map((cell, index) => {
        const other = others[index];
        const pair =
          side !== undefined || block.change === "same"
            ? undefined
            : block.change === "changed"
              ? { before: other?.text ?? "", after: cell.text, marksBefore: other?.marks, marksAfter: cell.marks }
              : block.change === "added"
                ? { before: null, after: cell.text }
                : { before: cell.text, after: null };
        return (
          <span key={index} className="min-w-0 flex-1 border-l border-line px-2 py-1 wrap-anywhere first:border-l-0">
            {pair === undefined ? (
              <SideText
                pair={{ before: cell.text, after: cell.text, marksBefore: cell.marks, marksAfter: cell.marks }}
                side={shown}
              />
            ) : (
              <MergedText pair={pair} />
            )}
          </span>
        );
      })}
      {note}
    </div>
  );
}

interface Cell {
  readonly text: string;
  readonly marks: readonly (readonly [number, number])[];
}

function cellsOf(text: string, marks: readonly (readonly [number, number])[] = []): Cell[] {
  const cells: Cell[] = [];
  let start = 0;
  for (const cell of text.split("\t")) {
    const end = start + cell.length;
    cells.push({
      text: cell,
      marks: marks
        .map(([from, to]) => [Math.max(from, start) - start, Math.min(to, end) - start] as const)
        .filter(([from, to]) => to > from),
    });
    start = end + 1;
  }
  return cells;
}
