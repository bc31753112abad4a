import { LineChart, type Series } from "../components/line-chart.tsx";
import type { Job } from "./read-job.ts";

interface Chart {
  readonly label: string;
  readonly xLabel: string;
  /** Metrics; the second is drawn with dashes. */
  readonly metrics: readonly string[];
  /** Drawn from the start, before anything was measured. */
  readonly always?: boolean;
}

const charts: Readonly<Record<string, readonly Chart[]>> = {
  train: [
    { label: "Loss", xLabel: "step", metrics: ["loss", "evaluation loss"], always: true },
    { label: "Speed", xLabel: "step", metrics: ["tokens per second"], always: true },
    { label: "Learning rate", xLabel: "step", metrics: ["learning rate"], always: true },
  ],
  quantize: [{ label: "Distance from the source", xLabel: "piece of the text", metrics: ["KL divergence"] }],
};

/** The curves of a job, as they grow. A metric that nobody has heard of has a chart of its own. */
export function JobCharts(props: { readonly kind: string; readonly job: Job }) {
  const { kind, job } = props;
  const own = charts[kind] ?? [];
  const named = new Set(own.flatMap(({ metrics }) => metrics));
  const others = [...job.curves.keys()]
    .filter((metric) => !named.has(metric))
    .map((metric): Chart => ({ label: metric, xLabel: "step", metrics: [metric] }));
  const shown = [...own, ...others].filter(
    ({ metrics, always }) => metrics.some((metric) => job.curves.has(metric)) || (always === true && !job.ended),
  );
  if (shown.length === 0) {
    return kind === "quantize" && job.ended ? (
      <p className="rounded-lg border border-dashed border-line-strong px-4 py-6 text-center text-muted">
        Nothing was measured: the job was given no text to measure by.
      </p>
    ) : (
      <div />
    );
  }
  return (
    <div className="grid min-w-0 gap-4 md:grid-cols-2">
      {shown.map((chart, index) => (
        <div key={chart.label} className={index === 0 ? "min-w-0 md:col-span-2" : "min-w-0"}>
          <LineChart label={chart.label} xLabel={chart.xLabel} series={seriesOf(chart, job)} />
        </div>
      ))}
    </div>
  );
}

function seriesOf({ metrics }: Chart, job: Job): Series[] {
  return metrics.map((name, index) => ({ name, points: job.curves.get(name) ?? [], dashed: index > 0 }));
}
