import { useId, useMemo, useState, type KeyboardEvent, type PointerEvent } from "react";
import { formatValue, logTicksOf, pointAt, thinned, ticksOf, type Point } from "./chart-scale.ts";
import { classes } from "./classes.ts";
import { useWidth } from "./use-width.ts";

export interface Series {
  readonly name: string;
  /** In the order of `x`. */
  readonly points: readonly Point[];
  /** A second line is told apart by its dashes, too. */
  readonly dashed?: boolean;
}

const height = 168;
const margin = { top: 8, right: 16, bottom: 22, left: 54 };
/** From this share of the highest to the lowest on, an axis of powers of ten shows more. */
const widelySpread = 20;
const rowsForReaders = 24;

/**
 * Values over steps, as they come in. They can be read at every step, by pointer or by arrow keys; a screen reader finds the same
 * in a table.
 */
export function LineChart(props: {
  readonly label: string;
  readonly xLabel: string;
  readonly series: readonly Series[];
  readonly format?: (value: number) => string;
}) {
  const { label, xLabel, format = formatValue } = props;
  const [ref, width] = useWidth();
  const [place, setPlace] = useState<number>();
  const [byPowers, setByPowers] = useState(false);
  const tableId = useId();
  const series = props.series.filter(({ points }) => points.length > 0);
  const steps = useMemo(() => stepsOf(series), [series]);
  if (steps.length === 0) {
    return (
      <Frame label={label} readout="nothing measured yet">
        <div className="skeleton m-3" style={{ height: height - 24 }} />
      </Frame>
    );
  }
  const at = place === undefined ? undefined : Math.min(place, steps.length - 1);
  const step = steps[at ?? steps.length - 1] ?? 0;
  const readings = series.map((each) => ({ ...each, reading: pointAt(each.points, step) }));
  const says = [
    `${xLabel} ${step.toLocaleString("en-US")}`,
    ...readings.map(({ name, reading }) => `${name} ${reading === undefined ? "not measured yet" : format(reading.y)}`),
  ].join(", ");
  const move = (change: number) => setPlace(Math.max(0, Math.min(steps.length - 1, (at ?? steps.length - 1) + change)));
  const onKeyDown = (event: KeyboardEvent) => {
    const jump = Math.max(1, Math.round(steps.length / 10));
    const changes: Readonly<Record<string, number>> = {
      ArrowLeft: -1,
      ArrowDown: -1,
      ArrowRight: 1,
      ArrowUp: 1,
      PageUp: jump,
      PageDown: -jump,
      Home: -steps.length,
      End: steps.length,
    };
    const change = changes[event.key];
    if (change === undefined) return;
    event.preventDefault();
    move(change);
  };
  const onPointerMove = (event: PointerEvent<HTMLDivElement>) => {
    const { left } = event.currentTarget.getBoundingClientRect();
    setPlace(nearest(steps, scales.stepAt(event.clientX - left)));
  };
  const [low, high] = endsOf(series);
  const isSpread = low > 0 && high / low >= widelySpread;
  const scales = scalesOf([low, high], steps, width, byPowers && isSpread);
  return (
    <Frame
      label={label}
      readout={`${xLabel} ${step.toLocaleString("en-US")}`}
      {...(isSpread && {
        action: (
          <button
            type="button"
            aria-pressed={byPowers}
            onClick={() => setByPowers(!byPowers)}
            className="rounded-sm px-1 text-sm text-muted hover:bg-hover hover:text-ink aria-pressed:bg-selected aria-pressed:text-ink"
          >
            log<span className="sr-only">arithmic axis</span>
          </button>
        ),
      })}
      legend={readings.map(({ name, dashed, reading }) => (
        <span key={name} className="flex items-center gap-1.5">
          <Sample dashed={dashed === true} />
          <span className="text-muted">{name}</span>
          <span className="font-medium">{reading === undefined ? "–" : format(reading.y)}</span>
        </span>
      ))}
    >
      <div
        ref={ref}
        role="slider"
        tabIndex={0}
        aria-label={`${label}, read by ${xLabel}`}
        aria-valuemin={steps[0] ?? 0}
        aria-valuemax={steps.at(-1) ?? 0}
        aria-valuenow={step}
        aria-valuetext={says}
        aria-details={tableId}
        onKeyDown={onKeyDown}
        onPointerMove={onPointerMove}
        onPointerLeave={() => setPlace(undefined)}
        onBlur={() => setPlace(undefined)}
        className="touch-pan-y rounded-md focus-visible:-outline-offset-2"
      >
        {width > 0 && (
          <svg width={width} height={height} aria-hidden className="block">
            {scales.yTicks.map((tick) => (
              <g key={tick}>
                <line
                  x1={margin.left}
                  x2={width - margin.right}
                  y1={scales.y(tick)}
                  y2={scales.y(tick)}
                  className="stroke-line"
                />
                <text x={margin.left - 8} y={scales.y(tick) + 4} textAnchor="end" className="fill-muted text-xs">
                  {format(tick)}
                </text>
              </g>
            ))}
            {scales.xTicks.map((tick) => (
              <text key={tick} x={scales.x(tick)} y={height - 6} textAnchor="middle" className="fill-muted text-xs">
                {tick.toLocaleString("en-US")}
              </text>
            ))}
            {at !== undefined && (
              <line
                x1={scales.x(step)}
                x2={scales.x(step)}
                y1={margin.top}
                y2={height - margin.bottom}
                className="stroke-line-strong"
              />
            )}
            {series.map(({ name, points, dashed }) => (
              <path
                key={name}
                d={pathOf(thinned(points, Math.max(100, width)), scales)}
                fill="none"
                strokeWidth={1.75}
                strokeLinejoin="round"
                strokeDasharray={dashed === true ? "5 3" : undefined}
                className={dashed === true ? "stroke-draft" : "stroke-accent"}
              />
            ))}
            {readings.map(
              ({ name, reading, dashed, points }) =>
                reading !== undefined &&
                (at !== undefined || points.length === 1) && (
                  <circle
                    key={name}
                    cx={scales.x(reading.x)}
                    cy={scales.y(reading.y)}
                    r={3.5}
                    strokeWidth={1.5}
                    className={classes("stroke-surface", dashed === true ? "fill-draft" : "fill-accent")}
                  />
                ),
            )}
          </svg>
        )}
      </div>
      <table id={tableId} className="sr-only">
        <caption>{label}</caption>
        <thead>
          <tr>
            <th scope="col">{xLabel}</th>
            {series.map(({ name }) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sampled(steps).map((each) => (
            <tr key={each}>
              <th scope="row">{each}</th>
              {series.map(({ name, points }) => {
                const reading = pointAt(points, each);
                return <td key={name}>{reading === undefined ? "–" : format(reading.y)}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </Frame>
  );
}

function Frame(props: {
  readonly label: string;
  readonly readout: string;
  readonly legend?: React.ReactNode;
  readonly action?: React.ReactNode;
  readonly children: React.ReactNode;
}) {
  return (
    <section
      aria-label={props.label}
      className="tabular relative overflow-hidden rounded-lg border border-line bg-raised shadow-raised"
    >
      <div className="flex flex-wrap items-baseline gap-x-4 gap-y-0.5 px-3 pt-2 pb-1">
        <h3 className="font-semibold">{props.label}</h3>
        <span className="flex flex-wrap gap-x-4 text-sm">{props.legend}</span>
        <span className="ml-auto flex items-baseline gap-3 text-sm text-faint">
          {props.action}
          {props.readout}
        </span>
      </div>
      {props.children}
    </section>
  );
}

function Sample(props: { readonly dashed: boolean }) {
  return (
    <svg width={16} height={6} aria-hidden className="shrink-0">
      <line
        x1={0}
        x2={16}
        y1={3}
        y2={3}
        strokeWidth={2}
        strokeDasharray={props.dashed ? "5 3" : undefined}
        className={props.dashed ? "stroke-draft" : "stroke-accent"}
      />
    </svg>
  );
}

interface Scales {
  readonly x: (step: number) => number;
  readonly y: (value: number) => number;
  readonly stepAt: (pixels: number) => number;
  readonly xTicks: readonly number[];
  readonly yTicks: readonly number[];
}

/** The lowest and the highest value. */
function endsOf(series: readonly Series[]): readonly [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const { points } of series) {
    for (const { y } of points) {
      if (y < low) low = y;
      if (y > high) high = y;
    }
  }
  return [low, high];
}

function scalesOf(
  [low, high]: readonly [number, number],
  steps: readonly number[],
  width: number,
  byPowers: boolean,
): Scales {
  const first = steps[0] ?? 0;
  const last = Math.max(first + 1, steps.at(-1) ?? 0);
  // What hardly changes is drawn as a line that hardly changes, and not as large as the chart.
  const spread = high - low;
  const room = spread >= Math.abs(high) * 0.04 && spread > 0 ? spread * 0.06 : Math.abs(high) * 0.05 || 1;
  const bottom = low >= 0 ? Math.max(0, low - room) : low - room;
  const top = high + room;
  const across = Math.max(1, width - margin.left - margin.right);
  const down = height - margin.top - margin.bottom;
  const share = byPowers
    ? (value: number) => Math.log(high / value) / Math.log(high / low)
    : (value: number) => (top - value) / (top - bottom);
  return {
    x: (step) => margin.left + (across * (step - first)) / (last - first),
    y: (value) => margin.top + down * share(value),
    stepAt: (pixels) => first + ((last - first) * (pixels - margin.left)) / across,
    xTicks: ticksOf(first, last, Math.max(2, Math.floor(across / 110))),
    yTicks: byPowers ? logTicksOf(low, high) : ticksOf(bottom, top, 4),
  };
}

function pathOf(points: readonly Point[], { x, y }: Scales): string {
  return points
    .map((point, index) => `${index === 0 ? "M" : "L"}${x(point.x).toFixed(1)} ${y(point.y).toFixed(1)}`)
    .join("");
}

/** Every step at which anything was measured. */
function stepsOf(series: readonly Series[]): number[] {
  return [...new Set(series.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
}

function nearest(steps: readonly number[], wanted: number): number {
  let best = 0;
  for (const [index, step] of steps.entries()) {
    if (Math.abs(step - wanted) < Math.abs((steps[best] ?? 0) - wanted)) best = index;
  }
  return best;
}

function sampled(steps: readonly number[]): readonly number[] {
  const every = Math.max(1, Math.ceil(steps.length / rowsForReaders));
  return steps.filter((_, index) => index % every === 0 || index === steps.length - 1);
}
