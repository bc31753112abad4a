import type { RunEvent } from "@benchtop/protocol";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { Button } from "../components/button.tsx";
import { classes } from "../components/classes.ts";
import { formatClock, formatNumber } from "../components/format.ts";
import { isCovered, isTyping } from "../frame/frame-keys.ts";
import { summarize, type EventRow } from "./event-rows.ts";

const rowHeight = 26;

/** The journal as a list: only the rows in view exist; while the run goes on, the end stays in view. */
export function EventList(props: {
  readonly events: readonly RunEvent[];
  readonly rows: readonly EventRow[];
  readonly selected: number | undefined;
  readonly live: boolean;
  readonly onSelect: (seq: number) => void;
}) {
  const { events, rows, selected, live, onSelect } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const pinned = useRef(live);
  const [away, setAway] = useState(false);
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 20,
  });
  const selectedIndex = selected === undefined ? -1 : rows.findLastIndex((row) => row.seq <= selected);
  const toEnd = () => {
    pinned.current = true;
    setAway(false);
    virtualizer.scrollToIndex(rows.length - 1, { align: "end" });
  };
  useEffect(() => {
    if (live && pinned.current && rows.length > 0) virtualizer.scrollToIndex(rows.length - 1, { align: "end" });
  }, [live, rows, virtualizer]);
  const found = selectedIndex >= 0;
  const shown = useRef<number>(undefined);
  useEffect(() => {
    // A link to an event brings it into view once, when its row is there.
    if (!found || shown.current === selected) return;
    shown.current = selected;
    pinned.current = false;
    virtualizer.scrollToIndex(selectedIndex, { align: "auto" });
  }, [found, selected, selectedIndex, virtualizer]);

  const step = (by: number) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, selectedIndex + by))];
    if (row !== undefined) onSelect(row.seq);
  };
  const keys = useRef({ step, toEnd });
  useEffect(() => {
    keys.current = { step, toEnd };
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || isCovered()) return;
      const inList = event.target === scroller.current;
      if (event.key === "j" || (inList && event.key === "ArrowDown")) keys.current.step(1);
      else if (event.key === "k" || (inList && event.key === "ArrowUp")) keys.current.step(-1);
      else if (event.key === "End") keys.current.toEnd();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);

  return (
    <div className="relative flex min-h-0 flex-1 flex-col">
      <div
        ref={scroller}
        role="listbox"
        aria-label="Events"
        tabIndex={0}
        aria-activedescendant={found ? `event-${rows[selectedIndex]?.seq}` : undefined}
        className="min-h-0 flex-1 overflow-y-auto focus-visible:-outline-offset-2"
        onScroll={(event) => {
          const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
          const atEnd = scrollHeight - scrollTop - clientHeight < rowHeight * 2;
          pinned.current = atEnd;
          setAway(!atEnd);
        }}
      >
        <div role="none" className="relative" style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map((item) => {
            const row = rows[item.index];
            const event = row === undefined ? undefined : events[row.first];
            if (row === undefined || event === undefined) return null;
            const count = row.last - row.first + 1;
            return (
              <div
                key={row.seq}
                id={`event-${row.seq}`}
                role="option"
                aria-selected={item.index === selectedIndex}
                onClick={() => onSelect(row.seq)}
                className={classes(
                  "tabular absolute inset-x-0 flex items-center gap-2.5 px-3 text-sm",
                  item.index === selectedIndex ? "bg-selected" : "hover:bg-hover",
                )}
                style={{ height: rowHeight, transform: `translateY(${item.start}px)` }}
              >
                <span className="w-10 shrink-0 text-right font-mono text-xs text-faint">{row.seq}</span>
                <span className="w-21 shrink-0 font-mono text-xs text-faint max-lg:hidden">
                  {formatClock(new Date(event.at))}
                </span>
                <span className={classes("w-38 shrink-0 truncate font-medium", colorOf(event))}>
                  {event.type}
                  {count > 1 && <span className="ml-1 text-xs text-faint">×{formatNumber(count)}</span>}
                </span>
                <span className="min-w-0 flex-1 truncate text-muted">
                  {count > 1 ? joined(events, row) : summarize(event)}
                </span>
              </div>
            );
          })}
        </div>
      </div>
      {live && away && (
        <div className="absolute inset-x-0 bottom-3 flex justify-center">
          <Button size="small" icon={<ArrowDown size={13} aria-hidden />} onClick={toEnd} className="shadow-floating">
            Jump to now
          </Button>
        </div>
      )}
    </div>
  );
}

function colorOf(event: RunEvent): string {
  switch (event.type) {
    case "Error":
    case "TimedOut":
      return "text-bad";
    case "Completed":
    case "CheckpointCreated":
      return "text-good";
    case "DraftChanged":
    case "ConsentRequired":
    case "RetryScheduled":
    case "BudgetExceeded":
      return "text-draft";
    case "ToolCallFinished":
    case "ProviderCallFinished":
      return event.outcome === "success" ? "text-ink" : "text-bad";
    default:
      return "text-ink";
  }
}

/** The beginning of the text of joined deltas. */
function joined(events: readonly RunEvent[], row: EventRow): string {
  let text = "";
  for (let index = row.first; index <= row.last && text.length < 160; index++) {
    const event = events[index];
    if (event?.type === "OutputDelta") text += event.text;
  }
  return text;
}
