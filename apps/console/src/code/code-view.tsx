import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import { useHighlighted } from "./tokens.ts";

const lineHeight = 19;

/** A text file with line numbers and colours; only the lines in view exist. */
export function CodeView(props: { readonly text: string; readonly path: string }) {
  const { text, path } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const lines = useMemo(() => (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n"), [text]);
  const longest = useMemo(() => lines.reduce((most, line) => Math.max(most, line.length), 0), [lines]);
  const highlighted = useHighlighted(text, path);
  const virtualizer = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => lineHeight,
    overscan: 30,
  });
  return (
    <div
      ref={scroller}
      tabIndex={0}
      role="region"
      aria-label={`Content of ${path}`}
      className="min-h-0 flex-1 overflow-auto py-2 focus-visible:-outline-offset-2"
    >
      <div
        className="relative font-mono text-sm"
        style={{ height: virtualizer.getTotalSize(), minWidth: `calc(${longest}ch + 72px)` }}
      >
        {virtualizer.getVirtualItems().map((row) => (
          <div
            key={row.index}
            className="absolute inset-x-0 flex whitespace-pre"
            style={{ transform: `translateY(${row.start}px)`, height: lineHeight, lineHeight: `${lineHeight}px` }}
          >
            <span
              aria-hidden
              className="tabular w-13 shrink-0 pr-4 text-right text-xs leading-[inherit] text-faint select-none"
            >
              {row.index + 1}
            </span>
            <code>
              {highlighted?.[row.index]?.map((token, index) => (
                <span key={index} className={token.style}>
                  {token.text}
                </span>
              )) ?? lines[row.index]}
            </code>
          </div>
        ))}
      </div>
    </div>
  );
}
