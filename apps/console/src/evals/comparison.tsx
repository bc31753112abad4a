import type { EvalRun } from "@benchtop/operations";
import type { EvalComparison, ModelComparison } from "@benchtop/protocol";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ArrowRight, X } from "lucide-react";
import { query } from "../api/queries.ts";
import { IconButton } from "../components/button.tsx";
import { classes } from "../components/classes.ts";
import { formatCost, formatDuration, formatRelative } from "../components/format.ts";
import { Select } from "../components/select.tsx";
import { formatRate, formatScore } from "./outcomes.ts";

const none = "none";

/** Chooses an earlier run to compare with; runs of the same suite first. */
export function CompareWith(props: {
  readonly run: EvalRun;
  readonly against: string | undefined;
  readonly onChange: (runId: string | undefined) => void;
}) {
  const { run, against } = props;
  const others = (useQuery(query("evals.list", { limit: 100 })).data?.items ?? []).filter(
    (other) => other.runId !== run.runId && other.summary !== null,
  );
  const listed = others.filter(({ name }) => name === run.name).concat(others.filter(({ name }) => name !== run.name));
  if (listed.length === 0) return null;
  return (
    <Select
      label="Compare with"
      value={against ?? none}
      onChange={(value) => props.onChange(value === none ? undefined : value)}
      className="max-w-60 max-sm:max-w-28"
      options={[
        { value: none, label: "Compare with…" },
        ...listed.slice(0, 40).map((other) => ({
          value: other.runId,
          label: `${other.name}, ${formatRelative(new Date(other.startedAt), new Date())}`,
          note: (other.summary?.models ?? []).map(({ passRate }) => formatRate(passRate)).join(", "),
        })),
      ]}
    />
  );
}

/** What changed from the earlier run to this one. The cases themselves are marked in the list of answers. */
export function ComparisonBand(props: { readonly comparison: EvalComparison; readonly onClose: () => void }) {
  const { comparison } = props;
  const { before } = comparison;
  return (
    <section aria-label="Comparison" className="rounded-lg border border-accent-line bg-surface">
      <header className="flex items-center gap-2 border-b border-line px-3.5 py-1.5">
        <h2 className="min-w-0 truncate text-sm font-semibold">
          Compared with{" "}
          {before.runId === null ? (
            before.name
          ) : (
            <Link
              to="/evals/$runId"
              params={{ runId: before.runId }}
              className="rounded-sm text-accent-ink underline-offset-2 hover:underline"
            >
              {before.name}, {formatRelative(new Date(before.createdAt), new Date())}
            </Link>
          )}
        </h2>
        <IconButton label="End the comparison" size="small" className="ml-auto" onClick={props.onClose}>
          <X size={14} aria-hidden />
        </IconButton>
      </header>
      {comparison.suiteChanged && (
        <p className="border-b border-line bg-draft-soft px-3.5 py-1.5 text-sm">
          The suites ask or judge differently: a change may come from the suite, not from the model.
        </p>
      )}
      <ul>
        {comparison.models.map((model) => (
          <li
            key={`${model.beforeModel} ${model.afterModel}`}
            className="border-b border-line px-3.5 py-2.5 last:border-b-0"
          >
            <ModelChange model={model} named={comparison.models.length > 1 || model.beforeModel !== model.afterModel} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function ModelChange({ model, named }: { readonly model: ModelComparison; readonly named: boolean }) {
  const { fixed, regressed, same, unmatched, pValue } = model;
  const changed = fixed + regressed > 0;
  return (
    <div className="tabular flex flex-wrap items-center gap-x-6 gap-y-2">
      {named && (
        <p className="w-full truncate text-sm font-medium">
          {model.beforeModel === model.afterModel ? model.afterModel : `${model.beforeModel} → ${model.afterModel}`}
        </p>
      )}
      <p className="flex flex-wrap gap-x-3">
        <strong className={classes("font-semibold", regressed > 0 ? "text-bad" : "text-muted")}>
          {regressed} regressed
        </strong>
        <strong className={classes("font-semibold", fixed > 0 ? "text-good" : "text-muted")}>{fixed} fixed</strong>
        <span className="text-muted">{same} the same</span>
        {unmatched > 0 && <span className="text-muted">{unmatched} not comparable</span>}
      </p>
      {changed && (
        <p className="text-sm text-muted" title="Two-sided exact sign test over the cases that changed">
          p = {pValue < 0.001 ? "< 0.001" : pValue.toFixed(3)}{" "}
          {pValue < 0.05 ? "unlikely to be chance" : "may well be chance"}
        </p>
      )}
      <dl className="flex flex-wrap gap-x-5 gap-y-1 text-sm sm:ml-auto">
        <Change name="Pass rate" side={model.passRate} format={formatRate} />
        <Change name="Score" side={model.score} format={formatScore} />
        <Change name="Cost" side={model.costMicros} format={formatCost} />
        <Change name="Latency" side={model.latencyMs} format={formatDuration} />
      </dl>
    </div>
  );
}

function Change(props: {
  readonly name: string;
  readonly side: { readonly before: number | null; readonly after: number | null };
  readonly format: (value: number) => string;
}) {
  const shown = (value: number | null) => (value === null ? "–" : props.format(value));
  return (
    <div>
      <dt className="text-xs text-faint">{props.name}</dt>
      <dd className="flex items-center gap-1">
        <span className="text-muted">{shown(props.side.before)}</span>
        <ArrowRight size={11} aria-label="to" className="text-faint" />
        <span className="font-medium">{shown(props.side.after)}</span>
      </dd>
    </div>
  );
}
