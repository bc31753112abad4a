import type { ReactNode } from "react";
import { classes } from "./classes.ts";

export interface MeterPart {
  readonly value: number;
  /** `own`: what the meter is about. `other`: what else takes of the same room. */
  readonly tone: "own" | "other";
}

/** How full something is: a bar, and the words that say the same. */
export function Meter(props: {
  readonly label: string;
  readonly parts: readonly MeterPart[];
  readonly total: number;
  /** A mark on the bar: up to here it may grow. */
  readonly limit?: number | undefined;
  /** Said of the bar, in one sentence. */
  readonly says: string;
  /** Nearly full: the words say so, the colour repeats it. */
  readonly tight?: boolean;
  readonly children?: ReactNode;
}) {
  const total = Math.max(1, props.total);
  const share = (value: number) => `${Math.min(100, (100 * value) / total)}%`;
  const value = Math.min(
    total,
    props.parts.reduce((sum, part) => sum + part.value, 0),
  );
  return (
    <div>
      <div
        role="meter"
        aria-label={props.label}
        aria-valuemin={0}
        aria-valuemax={total}
        aria-valuenow={value}
        aria-valuetext={props.says}
        className="relative"
      >
        <div className="flex h-2 w-full gap-px overflow-hidden rounded-full bg-selected">
          {props.parts.map((part) => (
            <span
              key={part.tone}
              className={classes(
                "h-full transition-[width] duration-(--calm)",
                part.tone === "other" ? "hatched" : props.tight === true ? "bg-draft" : "bg-accent",
              )}
              style={{ width: share(part.value), minWidth: part.value > 0 ? 2 : 0 }}
            />
          ))}
        </div>
        {props.limit !== undefined && props.limit < total && (
          <span
            aria-hidden
            className="absolute -top-0.5 h-3 w-0.5 -translate-x-1/2 rounded-full bg-ink"
            style={{ left: share(props.limit) }}
          />
        )}
      </div>
      {props.children}
    </div>
  );
}
