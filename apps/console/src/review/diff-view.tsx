import type { TextDiff } from "@benchtop/operations";
import { useVirtualizer, type Virtualizer } from "@tanstack/react-virtual";
import { Check, ChevronDown, ChevronUp, Undo2, UnfoldVertical, X } from "lucide-react";
import { useEffect, useMemo, useRef, useState, type Ref } from "react";
import { useHighlighted, type Token } from "../code/tokens.ts";
import { classes } from "../components/classes.ts";
import { formatCount } from "../components/format.ts";
import { diffRows, type DiffRow, type Expansion, type Gap, type PlacedLine, type StretchHead } from "./diff-rows.ts";
import { useChangeHandle, type ChangeHandle } from "./document/steps.ts";
import { paint } from "./paint.ts";

export type StretchDecision = "accept" | "reject" | "undecide";

const expandBy = 20;

/** One file's differences: inline or side by side, folded, coloured, and only as many rows as are in view. */
export function DiffView(props: {
  readonly diff: TextDiff;
  readonly view: "split" | "inline";
  readonly handle: Ref<ChangeHandle>;
  /** The diff lacks the folded lines; asks for the whole file. */
  readonly onNeedWhole: () => void;
  /** Absent where single changes cannot be decided on. */
  readonly onDecide?: ((head: StretchHead, decision: StretchDecision) => void) | undefined;
}) {
  const { diff, view, handle, onNeedWhole, onDecide } = props;
  const heads = onDecide !== undefined;
  const scroller = useRef<HTMLDivElement>(null);
  const [expanded, setExpanded] = useState<readonly Expansion[]>([]);
  const { rows, changes, oldText, newText } = useMemo(
    () => diffRows(diff, view, expanded, heads),
    [diff, view, expanded, heads],
  );
  const oldTokens = useHighlighted(oldText, diff.path);
  const newTokens = useHighlighted(newText, diff.path);
  const [current, setCurrent] = useState(0);
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => (rows[index]?.kind === "lines" ? 19 : 26),
    overscan: 24,
  });
  useEffect(() => {
    virtualizer.measure();
  }, [virtualizer, rows]);
  useEffect(() => {
    setCurrent(0);
    scroller.current?.scrollTo({ top: 0 });
  }, [diff.path]);
  useChangeHandle(handle, {
    step: (by) => {
      const next = Math.max(0, Math.min(changes.length - 1, current + by));
      setCurrent(next);
      virtualizer.scrollToIndex(changes[next] ?? 0, { align: "center" });
    },
    decide: (decision) => {
      const row = rows[changes[current] ?? -1];
      if (row?.kind !== "stretch") return;
      onDecide?.(row, decision === "accept" && row.stretch.accepted ? "undecide" : decision);
    },
  });
  const expand = (gap: Gap, range: Expansion) => {
    setExpanded([...expanded, range]);
    if (gap.missing) onNeedWhole();
  };
  const currentRow = changes[current];

  return (
    <div className="relative flex min-h-0 flex-1">
      <div
        ref={scroller}
        tabIndex={0}
        role="region"
        aria-label={`Changes of ${diff.path}`}
        className="min-h-0 flex-1 overflow-x-hidden overflow-y-scroll pb-10 focus-visible:-outline-offset-2"
      >
        <div className="relative font-mono text-sm leading-[19px]" style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map((item) => {
            const row = rows[item.index];
            return (
              row !== undefined && (
                <div
                  key={item.key}
                  data-index={item.index}
                  ref={virtualizer.measureElement}
                  className={classes(
                    "absolute inset-x-0",
                    item.index === currentRow && changes.length > 1 && "z-1 shadow-[inset_2px_0_0_var(--accent)]",
                  )}
                  style={{ transform: `translateY(${item.start}px)` }}
                >
                  {row.kind === "gap" ? (
                    <GapRow gap={row} onExpand={(range) => expand(row, range)} />
                  ) : row.kind === "stretch" ? (
                    <StretchRow
                      head={row}
                      of={changes.length}
                      current={item.index === currentRow}
                      onDecide={(decision) => {
                        setCurrent(row.number - 1);
                        onDecide?.(row, decision);
                      }}
                    />
                  ) : view === "split" ? (
                    <div className="grid grid-cols-2">
                      <Side placed={row.left} side="old" tokens={oldTokens} changed={row.changed} />
                      <Side placed={row.right} side="new" tokens={newTokens} changed={row.changed} border />
                    </div>
                  ) : (
                    <InlineRow row={row} oldTokens={oldTokens} newTokens={newTokens} />
                  )}
                </div>
              )
            );
          })}
        </div>
      </div>
      <ChangeMap rows={rows} virtualizer={virtualizer} />
    </div>
  );
}

type Lines = Extract<DiffRow, { kind: "lines" }>;

function InlineRow(props: {
  readonly row: Lines;
  readonly oldTokens: readonly Token[][] | undefined;
  readonly newTokens: readonly Token[][] | undefined;
}) {
  const { left, right } = props.row;
  const placed = right ?? left;
  if (placed === undefined) return null;
  const { kind } = placed.line;
  return (
    <div className={classes("grid grid-cols-[40px_40px_1fr]", backgrounds[kind])}>
      <LineNumber value={placed.line.oldLine} />
      <LineNumber value={placed.line.newLine} />
      <Code placed={placed} tokens={right === undefined ? props.oldTokens : props.newTokens} />
    </div>
  );
}

function Side(props: {
  readonly placed: PlacedLine | undefined;
  readonly side: "old" | "new";
  readonly tokens: readonly Token[][] | undefined;
  readonly changed: boolean;
  readonly border?: boolean;
}) {
  const { placed, side, tokens, changed, border } = props;
  return (
    <div
      className={classes(
        "grid min-w-0 grid-cols-[40px_1fr]",
        border && "border-l border-line",
        placed === undefined ? "bg-sunken" : changed && backgrounds[placed.line.kind],
      )}
    >
      {placed === undefined ? (
        <span>&nbsp;</span>
      ) : (
        <>
          <LineNumber value={side === "old" ? placed.line.oldLine : placed.line.newLine} />
          <Code placed={placed} tokens={tokens} />
        </>
      )}
    </div>
  );
}

const backgrounds = { context: "", added: "bg-diff-added", removed: "bg-diff-removed" } as const;
const signs = { context: " ", added: "+", removed: "−" } as const;

function LineNumber(props: { readonly value: number | null }) {
  return (
    <span className="tabular pr-2 text-right text-xs leading-[inherit] text-faint select-none" aria-hidden>
      {props.value}
    </span>
  );
}

function Code(props: { readonly placed: PlacedLine; readonly tokens: readonly Token[][] | undefined }) {
  const { line, index } = props.placed;
  const segments = paint(line.text, props.tokens?.[index], line.marks ?? []);
  const mark = line.kind === "added" ? "bg-diff-added-mark" : "bg-diff-removed-mark";
  return (
    <code className="flex min-w-0 pr-2">
      <span aria-hidden className="w-4 shrink-0 text-muted select-none">
        {signs[line.kind]}
      </span>
      {line.kind !== "context" && <span className="sr-only">{line.kind === "added" ? "added: " : "removed: "}</span>}
      <span className="min-w-0 flex-1 wrap-anywhere whitespace-pre-wrap">
        {segments.map((segment, position) => (
          <span key={position} className={classes(segment.style, segment.marked && `rounded-xs ${mark}`)}>
            {segment.text}
          </span>
        ))}
        {line.noNewline && <span className="ml-2 font-sans text-xs text-muted">no newline at the end</span>}
        {segments.length === 0 && " "}
      </span>
    </code>
  );
}

function GapRow(props: { readonly gap: Gap; readonly onExpand: (range: Expansion) => void }) {
  const { gap, onExpand } = props;
  const { from, to, count } = gap;
  const button = "flex h-5 items-center gap-1 rounded-sm px-1.5 text-muted hover:bg-hover hover:text-ink";
  return (
    <div className="my-px flex h-6 items-center gap-1 bg-sunken px-2 font-sans text-xs text-muted">
      {count > expandBy && from > 1 && (
        <button
          type="button"
          className={button}
          onClick={() => onExpand([from, from + expandBy - 1])}
          aria-label={`Show ${expandBy} more lines below the change above`}
        >
          <ChevronDown size={12} aria-hidden /> {expandBy}
        </button>
      )}
      <button type="button" className={button} onClick={() => onExpand([from, to])}>
        <UnfoldVertical size={12} aria-hidden /> {formatCount(count, "unchanged line")}
      </button>
      {count > expandBy && (
        <button
          type="button"
          className={button}
          onClick={() => onExpand([to - expandBy + 1, to])}
          aria-label={`Show ${expandBy} more lines above the change below`}
        >
          <ChevronUp size={12} aria-hidden /> {expandBy}
        </button>
      )}
    </div>
  );
}

/** Above a run of changed lines: which it is, and the decision on it. */
function StretchRow(props: {
  readonly head: StretchHead;
  readonly of: number;
  readonly current: boolean;
  readonly onDecide: (decision: StretchDecision) => void;
}) {
  const { head, of, current, onDecide } = props;
  const { stretch, number } = head;
  const { accepted } = stretch;
  const which = `change ${number} of ${of}`;
  const button =
    "flex h-5 items-center gap-1 rounded-sm border px-1.5 font-medium bg-raised hover:bg-hover transition-colors duration-(--quick)";
  return (
    <div
      className={classes(
        "tabular flex h-6.5 items-center gap-1.5 border-t border-line px-2 font-sans text-xs",
        accepted ? "bg-good-soft" : "bg-sunken",
      )}
    >
      <span className={classes("flex-1 truncate", current ? "font-semibold text-ink" : "text-muted")}>
        {accepted && <Check size={12} aria-hidden className="mr-1 inline text-good" />}
        {accepted ? "Accepted · " : ""}
        {which.replace("change", "Change")}
        <span className="ml-2 text-muted">
          {stretch.oldLines > 0 && `−${stretch.oldLines}`} {stretch.newLines > 0 && `+${stretch.newLines}`}
        </span>
      </span>
      <button
        type="button"
        className={classes(button, accepted ? "border-line-strong text-muted" : "border-good-line text-good")}
        aria-label={accepted ? `Take back accepting ${which}` : `Accept ${which}`}
        title="Shift A"
        onClick={() => onDecide(accepted ? "undecide" : "accept")}
      >
        {accepted ? <Undo2 size={12} aria-hidden /> : <Check size={12} aria-hidden />} {accepted ? "Undo" : "Accept"}
      </button>
      {!accepted && (
        <button
          type="button"
          className={classes(button, "border-bad-line text-bad")}
          aria-label={`Reject ${which}…`}
          title="Shift X"
          onClick={() => onDecide("reject")}
        >
          <X size={12} aria-hidden /> Reject
        </button>
      )}
    </div>
  );
}

/** Where the changes lie in the whole file; a click goes there. */
function ChangeMap(props: {
  readonly rows: readonly DiffRow[];
  readonly virtualizer: Virtualizer<HTMLDivElement, Element>;
}) {
  const { rows, virtualizer } = props;
  const blocks = useMemo(() => {
    const found: { from: number; to: number; kind: "added" | "removed" | "both" }[] = [];
    for (const [index, row] of rows.entries()) {
      if (row.kind !== "lines" || !row.changed) continue;
      const kind = row.left === undefined ? "added" : row.right === undefined ? "removed" : "both";
      const last = found.at(-1);
      if (last !== undefined && last.to === index && last.kind === kind) last.to = index + 1;
      else found.push({ from: index, to: index + 1, kind });
    }
    return found;
  }, [rows]);
  const color = { added: "bg-good", removed: "bg-bad", both: "bg-draft" } as const;
  return (
    <div
      aria-hidden
      className="w-3 shrink-0 border-l border-line bg-sunken"
      onClick={(event) => {
        const { top, height: room } = event.currentTarget.getBoundingClientRect();
        const height = Math.min(room, virtualizer.getTotalSize());
        virtualizer.scrollToIndex(Math.floor(((event.clientY - top) / height) * rows.length), { align: "center" });
      }}
    >
      {/* A short diff is drawn at its own height: the map then lies beside the lines that it stands for. */}
      <div className="relative h-full" style={{ maxHeight: virtualizer.getTotalSize() }}>
        {blocks.map(({ from, to, kind }) => (
          <span
            key={from}
            className={classes("absolute inset-x-0.5 min-h-0.5 rounded-xs opacity-80", color[kind])}
            style={{ top: `${(from / rows.length) * 100}%`, height: `${((to - from) / rows.length) * 100}%` }}
          />
        ))}
      </div>
    </div>
  );
}
