import type { Interval } from "@benchtop/protocol";
import { classes } from "../components/classes.ts";
import { formatRate } from "./outcomes.ts";

/** A pass rate as a bar, with its 95 % interval as a line on it and the threshold as a mark. Green and red only where a threshold says which is which. */
export function RateBar(props: {
  readonly rate: number | null;
  readonly interval?: Interval | null;
  readonly threshold?: number | undefined;
  readonly className?: string;
}) {
  const { rate, interval, threshold } = props;
  const tone = threshold === undefined || rate === null ? "bg-accent" : rate < threshold ? "bg-bad-solid" : "bg-good";
  const says = [
    `Pass rate ${formatRate(rate)}`,
    ...(interval ? [`95 % interval ${formatRate(interval.low)} to ${formatRate(interval.high)}`] : []),
    ...(threshold === undefined ? [] : [`${formatRate(threshold)} required`]),
  ].join(", ");
  return (
    <span role="img" aria-label={says} title={says} className={classes("relative block h-3 min-w-12", props.className)}>
      <span className="absolute inset-x-0 top-0.5 h-2 overflow-hidden rounded-full bg-selected">
        <span className={classes("block h-full rounded-full", tone)} style={{ width: `${(rate ?? 0) * 100}%` }} />
      </span>
      {interval && (
        <span
          className="absolute top-1.25 h-0.5 rounded-full bg-ink/45"
          style={{ left: `${interval.low * 100}%`, width: `${(interval.high - interval.low) * 100}%` }}
        />
      )}
      {threshold !== undefined && (
        <span
          className="absolute top-0 h-3 w-0.5 -translate-x-1/2 rounded-full bg-ink"
          style={{ left: `${threshold * 100}%` }}
        />
      )}
    </span>
  );
}
