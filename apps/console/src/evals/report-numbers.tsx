import type { EvalRun } from "@benchtop/operations";
import type { EvalSummary, ModelSummary } from "@benchtop/protocol";
import { Link } from "@tanstack/react-router";
import { Check, X } from "lucide-react";
import type { ReactNode } from "react";
import { classes } from "../components/classes.ts";
import { formatCost, formatCount, formatDuration, formatNumber } from "../components/format.ts";
import { RelativeTime } from "../components/relative-time.tsx";
import { formatRate, formatScore } from "./outcomes.ts";
import { RateBar } from "./rate-bar.tsx";

/** What a report says in numbers: the whole, each model, each evaluator, each threshold. */
export function ReportNumbers(props: { readonly evaluation: EvalRun; readonly summary: EvalSummary }) {
  const { summary, evaluation } = props;
  const several = summary.models.length > 1;
  return (
    <>
      <Tiles evaluation={evaluation} summary={summary} />
      {summary.stopped !== undefined && (
        <p className="rounded-lg border border-draft-line bg-draft-soft px-3 py-2 text-sm">
          {summary.stopped.message} What follows is what was done until then.
        </p>
      )}
      <div className={classes("grid items-start gap-5", !several && "lg:grid-cols-2")}>
        <Panel title={several ? "Models" : "Model"}>
          <ModelTable summary={summary} />
        </Panel>
        <Panel title="Evaluators">
          <EvaluatorTable summary={summary} />
        </Panel>
      </div>
      {summary.thresholds.length > 0 && <Thresholds summary={summary} />}
    </>
  );
}

function Tiles({ evaluation, summary }: { readonly evaluation: EvalRun; readonly summary: EvalSummary }) {
  const sum = (read: (model: ModelSummary) => number) =>
    summary.models.reduce((total, model) => total + read(model), 0);
  const ran = sum(({ samples, notRun }) => samples - notRun);
  const passed = sum((model) => model.passed);
  const cached = sum((model) => model.cached);
  const tokens = summary.spent.inputTokens + summary.spent.outputTokens;
  const tiles: readonly (readonly [string, ReactNode, ReactNode])[] = [
    [
      "Pass rate",
      formatRate(ran === 0 ? null : passed / ran),
      `${formatNumber(passed)} of ${formatCount(ran, "answer")}`,
    ],
    [
      "Cases",
      formatNumber(summary.cases),
      summary.repeat > 1 ? `each asked ${summary.repeat} times` : formatCount(summary.models.length, "model"),
    ],
    ["Spent", formatCost(summary.spent.costMicros), `${formatNumber(tokens)} tokens, graders included`],
    ["From cache", formatNumber(cached), cached === 0 ? "everything was asked" : "cost nothing this time"],
    [
      "Took",
      formatDuration(summary.durationMs),
      <span key="when" className="flex gap-1.5">
        <RelativeTime at={evaluation.startedAt} />·
        <Link
          to="/runs/$runId"
          params={{ runId: evaluation.runId }}
          className="rounded-sm text-accent-ink underline-offset-2 hover:underline"
        >
          journal
        </Link>
      </span>,
    ],
  ];
  return (
    <dl className="tabular grid grid-cols-[repeat(auto-fit,minmax(150px,1fr))] gap-2.5">
      {tiles.map(([name, value, note]) => (
        <div key={name} className="rounded-lg border border-line bg-surface px-3.5 py-2.5">
          <dt className="text-xs text-muted">{name}</dt>
          <dd className="text-xl font-semibold tracking-tight">{value}</dd>
          <dd className="text-sm text-faint">{note}</dd>
        </div>
      ))}
    </dl>
  );
}

function Panel(props: { readonly title: string; readonly children: ReactNode }) {
  return (
    <section className="min-w-0">
      <h2 className="mb-1.5 text-sm font-semibold text-muted">{props.title}</h2>
      <div
        role="group"
        aria-label={props.title}
        tabIndex={0}
        className="overflow-x-auto rounded-lg border border-line bg-surface"
      >
        {props.children}
      </div>
    </section>
  );
}

const tableClass =
  "tabular w-full border-collapse text-sm [&_td]:px-3 [&_td]:py-1.75 [&_th]:px-3 [&_th]:py-1.75 [&_thead_th]:text-xs [&_thead_th]:font-medium [&_thead_th]:text-faint [&_tbody_tr]:border-t [&_tbody_tr]:border-line";

function ModelTable({ summary }: { readonly summary: EvalSummary }) {
  const required = (model: string) =>
    summary.thresholds.find((result) => result.model === model && result.threshold === "passRate")?.required;
  return (
    <table className={tableClass}>
      <thead>
        <tr className="text-left">
          <th scope="col">Model</th>
          <th scope="col" className="w-full min-w-36">
            Pass rate
          </th>
          <th scope="col" className="text-right whitespace-nowrap">
            Score
          </th>
          <th scope="col" className="text-right whitespace-nowrap">
            Cost
          </th>
          <th scope="col" className="text-right whitespace-nowrap">
            p50 / p95
          </th>
        </tr>
      </thead>
      <tbody>
        {summary.models.map((model) => (
          <tr key={model.model} className="align-top">
            <th scope="row" className="max-w-60 truncate text-left font-medium">
              {model.model}
            </th>
            <td>
              <span className="flex items-center gap-2">
                <RateBar
                  rate={model.passRate}
                  interval={model.interval}
                  threshold={required(model.model)}
                  className="flex-1"
                />
                <span className="w-14 text-right font-medium">{formatRate(model.passRate)}</span>
              </span>
              <span className="block text-xs text-faint">{countsOf(model)}</span>
            </td>
            <td className="text-right">{formatScore(model.score)}</td>
            <td className="text-right whitespace-nowrap">{formatCost(model.costMicros)}</td>
            <td className="text-right whitespace-nowrap">
              {model.latencyMs === null
                ? "–"
                : `${formatDuration(model.latencyMs.p50)} / ${formatDuration(model.latencyMs.p95)}`}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function countsOf(model: ModelSummary): string {
  return [
    `${model.passed} passed`,
    ...(model.failed > 0 ? [`${model.failed} failed`] : []),
    ...(model.errors > 0 ? [formatCount(model.errors, "error")] : []),
    ...(model.ungraded > 0 ? [`${model.ungraded} ungraded`] : []),
    ...(model.notRun > 0 ? [`${model.notRun} not run`] : []),
  ].join(" · ");
}

function EvaluatorTable({ summary: { models, thresholds } }: { readonly summary: EvalSummary }) {
  const names = models[0]?.evaluators.map(({ evaluator }) => evaluator) ?? [];
  return (
    <table className={tableClass}>
      <thead>
        <tr className="text-left">
          <th scope="col">Evaluator</th>
          {models.map(({ model }) => (
            <th key={model} scope="col" className="max-w-60 min-w-36 truncate">
              {models.length > 1 ? model : "Passed"}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {names.map((name, index) => (
          <tr key={name}>
            <th scope="row" className="text-left font-medium whitespace-nowrap">
              {name}
            </th>
            {models.map((model) => {
              const summary = model.evaluators[index];
              const required = thresholds.find(
                (result) => result.model === model.model && result.threshold === `${name} passRate`,
              )?.required;
              return (
                <td key={model.model}>
                  <span className="flex items-center gap-2">
                    <RateBar rate={summary?.passRate ?? null} threshold={required} className="max-w-50 flex-1" />
                    <span className="w-14 text-right font-medium">{formatRate(summary?.passRate)}</span>
                    <span className="w-18 text-right whitespace-nowrap text-faint">
                      score {formatScore(summary?.score)}
                    </span>
                  </span>
                  {(summary?.ungraded ?? 0) > 0 && (
                    <span className="text-xs text-draft">{summary?.ungraded} ungraded</span>
                  )}
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Thresholds({ summary }: { readonly summary: EvalSummary }) {
  return (
    <section>
      <h2 className="mb-1.5 text-sm font-semibold text-muted">Thresholds</h2>
      <ul className="tabular flex flex-wrap gap-1.5">
        {summary.thresholds.map(({ model, threshold, required, actual, met }) => (
          <li
            key={`${model} ${threshold}`}
            className={classes(
              "flex items-center gap-1.5 rounded-md border px-2.5 py-1 text-sm",
              met ? "border-good-line bg-good-soft" : "border-bad-line bg-bad-soft",
            )}
          >
            {met ? (
              <Check size={13} aria-label="Met:" className="text-good" />
            ) : (
              <X size={13} aria-label="Missed:" className="text-bad" />
            )}
            <span className="font-medium">{threshold}</span>
            <span>{actual === null ? "nothing" : Number(actual.toPrecision(4))}</span>
            <span className="text-muted">of {required} required</span>
            {summary.models.length > 1 && <span className="text-muted">· {model}</span>}
          </li>
        ))}
      </ul>
    </section>
  );
}
