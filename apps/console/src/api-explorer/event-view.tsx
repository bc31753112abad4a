import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState } from "react";
import { Chip, type Tone } from "../components/chip.tsx";
import { classes } from "../components/classes.ts";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatNumber } from "../components/format.ts";
import { JsonText } from "./json-text.tsx";
import type { StreamedEvent } from "./send.ts";
import type { Stream } from "./use-stream.ts";

const states: Record<Exclude<Stream["state"], "idle">, { readonly label: string; readonly tone: Tone }> = {
  open: { label: "Live", tone: "accent" },
  ended: { label: "Ended", tone: "good" },
  stopped: { label: "Stopped", tone: "neutral" },
  refused: { label: "Refused", tone: "bad" },
};
const rowHeight = 26;

/** Events of a stream as they come; the end stays in view unless somebody scrolled up. One of them can be opened. */
export function EventView(props: { readonly stream: Stream }) {
  const { stream } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const [opened, setOpened] = useState<StreamedEvent>();
  const virtualizer = useVirtualizer({
    count: stream.events.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 10,
  });
  useEffect(() => {
    if (atEnd.current && stream.events.length > 0) virtualizer.scrollToIndex(stream.events.length - 1);
  }, [stream.events.length, virtualizer]);
  if (stream.state === "idle") return null;
  const { label, tone } = states[stream.state];
  return (
    <>
      <div className="tabular flex flex-wrap items-center gap-2 text-sm">
        {stream.status !== undefined && <span className="font-mono font-semibold">{stream.status}</span>}
        <Chip tone={tone}>{label}</Chip>
        <span className="text-muted">{formatNumber(stream.count)} events</span>
        {stream.count > stream.events.length && (
          <span className="text-faint">(the last {formatNumber(stream.events.length)} are kept)</span>
        )}
      </div>
      {stream.failure !== undefined && <ErrorNotice failure={stream.failure} />}
      {stream.refusal !== undefined && <JsonText text={stream.refusal} />}
      {stream.events.length > 0 && (
        <div
          ref={scroller}
          tabIndex={0}
          role="region"
          aria-label="Events"
          className="h-90 overflow-y-auto rounded-lg border border-line bg-raised"
          onScroll={(event) => {
            const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
            atEnd.current = scrollHeight - scrollTop - clientHeight < rowHeight * 2;
          }}
        >
          <div className="relative" style={{ height: virtualizer.getTotalSize() }}>
            {virtualizer.getVirtualItems().map((row) => {
              const event = stream.events[row.index];
              return (
                event !== undefined && (
                  <button
                    key={row.index}
                    type="button"
                    aria-pressed={opened === event}
                    onClick={() => setOpened(opened === event ? undefined : event)}
                    className={classes(
                      "absolute inset-x-0 flex items-center gap-3 px-3 text-left font-mono text-xs focus-visible:-outline-offset-2",
                      opened === event ? "bg-selected" : "hover:bg-hover",
                    )}
                    style={{ transform: `translateY(${row.start}px)`, height: rowHeight }}
                  >
                    <span className="tabular w-12 shrink-0 text-right text-faint">{event.id}</span>
                    <span className="min-w-0 flex-1 truncate">
                      <span className="font-semibold">{typeOf(event)}</span>{" "}
                      <span className="text-muted">{event.data.slice(0, 300)}</span>
                    </span>
                  </button>
                )
              );
            })}
          </div>
        </div>
      )}
      {opened !== undefined && <JsonText text={pretty(opened.data)} label={`Event ${opened.id}`} />}
    </>
  );
}

function typeOf({ data }: StreamedEvent): string {
  return /"type":"(\w+)"/.exec(data)?.[1] ?? "";
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
