import type { EvalSample, Verdict } from "@benchtop/protocol";
import { Link } from "@tanstack/react-router";
import { SquareActivity } from "lucide-react";
import { Chip } from "../components/chip.tsx";
import { formatCost, formatDuration, formatNumber } from "../components/format.ts";
import { formatScore, outcomeNames, outcomeTones } from "./outcomes.ts";

/** One answer: what every evaluator says of it, the texts side by side, and the run it came from. */
export function SampleDetail(props: { readonly sample: EvalSample }) {
  const { sample } = props;
  const facts = [
    sample.model,
    ...(sample.inputTokens + sample.outputTokens > 0
      ? [`${formatNumber(sample.inputTokens)} in · ${formatNumber(sample.outputTokens)} out`]
      : []),
    ...(sample.costMicros === null ? [] : [formatCost(sample.costMicros)]),
    ...(sample.outcome === "not-run" ? [] : [formatDuration(sample.durationMs)]),
    ...(sample.cached ? ["answered in an earlier run"] : []),
    ...(sample.finishReason === undefined || sample.finishReason === "stop" ? [] : [`ended by ${sample.finishReason}`]),
  ];
  return (
    <div className="border-t border-line bg-sunken px-4 pt-3 pb-4 sm:pl-10">
      {sample.error !== undefined && (
        <p className="mb-3 rounded-md border border-bad-line bg-bad-soft px-3 py-2 text-sm">
          {sample.error.message} <span className="font-mono text-xs text-muted">{sample.error.code}</span>
        </p>
      )}
      {sample.verdicts.length > 0 && (
        <ul aria-label="Verdicts" className="mb-3 flex flex-col gap-1.5">
          {sample.verdicts.map((verdict) => (
            <VerdictRow key={verdict.evaluator} verdict={verdict} />
          ))}
        </ul>
      )}
      <div className="grid gap-3 md:grid-cols-2">
        {sample.expected !== null && (
          <TextBlock title="Expected" text={sample.expected} cut={sample.truncated?.includes("expected")} />
        )}
        <TextBlock title="Answer" text={sample.output} cut={sample.truncated?.includes("output")} />
        <TextBlock title="Prompt" text={sample.prompt} cut={sample.truncated?.includes("prompt")} />
      </div>
      <p className="tabular mt-3 flex flex-wrap items-center gap-x-4 gap-y-1 text-sm text-muted">
        {sample.runId !== undefined && (
          <Link
            to="/runs/$runId"
            params={{ runId: sample.runId }}
            className="flex items-center gap-1.5 rounded-sm text-accent-ink underline-offset-2 hover:underline"
          >
            <SquareActivity size={13} aria-hidden />
            Open its run
          </Link>
        )}
        {facts.map((fact) => (
          <span key={fact}>{fact}</span>
        ))}
      </p>
    </div>
  );
}

function VerdictRow({ verdict }: { readonly verdict: Verdict }) {
  const { evaluator, outcome, score, reason, runId } = verdict;
  return (
    <li className="tabular flex flex-wrap items-center gap-x-2.5 gap-y-0.5 text-sm">
      <Chip tone={outcomeTones[outcome]}>{outcomeNames[outcome]}</Chip>
      <span className="font-medium">{evaluator}</span>
      <span className="text-muted">{formatScore(score)}</span>
      <span className="min-w-0 break-words text-muted">{reason}</span>
      {runId !== undefined && (
        <Link
          to="/runs/$runId"
          params={{ runId }}
          className="rounded-sm text-accent-ink underline-offset-2 hover:underline"
        >
          grader
        </Link>
      )}
    </li>
  );
}

/** What a model wrote is shown as text, whatever it looks like. */
function TextBlock(props: { readonly title: string; readonly text: string; readonly cut?: boolean | undefined }) {
  return (
    <figure className="min-w-0">
      <figcaption className="mb-1 text-xs font-medium text-muted">
        {props.title}
        {props.cut === true && " (cut; its run has the whole)"}
      </figcaption>
      <pre
        tabIndex={0}
        className="max-h-80 overflow-auto rounded-md border border-line bg-surface px-3 py-2 font-mono text-xs leading-5 break-words whitespace-pre-wrap"
      >
        {props.text === "" ? <span className="text-faint">nothing</span> : props.text}
      </pre>
    </figure>
  );
}
