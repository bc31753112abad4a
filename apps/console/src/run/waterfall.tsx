import { useVirtualizer } from "@tanstack/react-virtual";
import { Bot, CircleDot, Footprints, Wrench } from "lucide-react";
import { useRef } from "react";
import { classes } from "../components/classes.ts";
import { formatDuration } from "../components/format.ts";
import type { Span } from "./spans.ts";

const icons = { step: Footprints, provider: Bot, tool: Wrench, phase: CircleDot } as const;
const colors = {
  step: "bg-line-strong",
  provider: "bg-accent",
  tool: "bg-good",
  phase: "bg-draft",
} as const;

/** Steps, provider calls and tool calls on one time line. */
export function Waterfall(props: {
  readonly spans: readonly Span[];
  readonly totalMs: number;
  readonly selected: number | undefined;
  readonly onSelect: (seq: number) => void;
}) {
  const { spans, selected, onSelect } = props;
  const totalMs = Math.max(1, props.totalMs);
  const scroller = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer({
    count: spans.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 26,
    overscan: 10,
  });
  return (
    <div ref={scroller} className="min-h-0 flex-1 overflow-y-auto px-1.5 py-1" tabIndex={-1}>
      {spans.length === 0 && <p className="p-3 text-sm text-muted">No steps, calls or phases yet.</p>}
      <ol className="relative" style={{ height: virtualizer.getTotalSize() }}>
        {virtualizer.getVirtualItems().map((item) => {
          const span = spans[item.index];
          if (span === undefined) return null;
          const Icon = icons[span.kind];
          const end = span.endMs ?? totalMs;
          const left = (span.startMs / totalMs) * 100;
          const width = Math.max(0.6, ((end - span.startMs) / totalMs) * 100);
          const wait =
            span.firstTokenMs === undefined || end === span.startMs
              ? 0
              : Math.min(1, span.firstTokenMs / (end - span.startMs));
          return (
            <li key={span.id} className="absolute inset-x-0" style={{ transform: `translateY(${item.start}px)` }}>
              <button
                type="button"
                onClick={() => onSelect(span.seq)}
                aria-current={span.seq === selected || undefined}
                className={classes(
                  "tabular flex h-6.5 w-full items-center gap-2 rounded-md px-2 text-left text-sm",
                  span.seq === selected ? "bg-selected" : "hover:bg-hover",
                )}
              >
                <span
                  className={classes(
                    "flex w-38 shrink-0 items-center gap-2 max-sm:w-28",
                    span.depth === 0 ? "font-medium" : "pl-4 text-muted",
                    span.failed && "text-bad",
                  )}
                >
                  <Icon size={12} aria-hidden className={classes("shrink-0", !span.failed && "text-faint")} />
                  <span className="truncate">{span.label}</span>
                  {span.failed && <span className="sr-only">(failed)</span>}
                </span>
                <span className="relative h-3.5 min-w-0 flex-1" aria-hidden>
                  <span
                    className={classes(
                      "absolute inset-y-0.5 rounded-xs",
                      span.failed ? "bg-bad-solid" : colors[span.kind],
                      span.kind === "step" && "inset-y-1!",
                      span.endMs === undefined && "pulse",
                    )}
                    style={{ left: `${Math.min(99.4, left)}%`, width: `${width}%` }}
                  >
                    {wait > 0.02 && (
                      <span
                        className="absolute inset-y-0 left-0 rounded-xs bg-surface opacity-55"
                        style={{ width: `${wait * 100}%` }}
                      />
                    )}
                  </span>
                </span>
                <span className="w-14 shrink-0 text-right text-xs text-muted">
                  {span.endMs === undefined ? "…" : formatDuration(span.endMs - span.startMs)}
                </span>
              </button>
            </li>
          );
        })}
      </ol>
    </div>
  );
}
