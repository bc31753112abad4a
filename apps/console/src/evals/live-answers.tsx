import type { EventOf } from "@benchtop/protocol";
import { Link } from "@tanstack/react-router";
import type { FeedSnapshot } from "../api/run-feed.ts";
import { Chip } from "../components/chip.tsx";
import { formatCost, formatDuration, formatNumber } from "../components/format.ts";
import { ProgressBar } from "../components/progress-bar.tsx";
import { formatRate, formatScore, outcomeNames, outcomeTones, type Outcome } from "./outcomes.ts";

const shownAnswers = 100;

/** An evaluation while it runs: how far it is, how it looks, and the newest answers. */
export function LiveAnswers(props: { readonly feed: FeedSnapshot; readonly total: number }) {
  const answers = props.feed.events.filter(
    (event) => event.type === "PhaseChanged" && event.detail !== undefined,
  ) as EventOf<"PhaseChanged">[];
  const passed = answers.filter(({ detail }) => detail?.["outcome"] === "passed").length;
  const total = answers.at(-1)?.total ?? props.total;
  return (
    <section aria-label="Progress" className="tabular">
      <div className="mb-1.5 flex items-baseline justify-between gap-3">
        <p className="text-lg font-semibold">
          {formatNumber(answers.length)} of {formatNumber(total)} answers
        </p>
        <p className="text-muted">
          {answers.length === 0 ? "asking…" : `${formatRate(passed / answers.length)} passed so far`}
        </p>
      </div>
      <ProgressBar label="Answers" done={answers.length} total={total} />
      <ul
        aria-label="Newest answers"
        className="mt-4 overflow-hidden rounded-lg border border-line bg-surface text-sm empty:hidden"
      >
        {answers
          .slice(-shownAnswers)
          .toReversed()
          .map((event) => (
            <LiveRow key={event.seq} event={event} />
          ))}
      </ul>
    </section>
  );
}

function LiveRow({ event }: { readonly event: EventOf<"PhaseChanged"> }) {
  const { caseId, model, outcome, score, durationMs, costMicros, cached, runId } = event.detail ?? {};
  const known = typeof outcome === "string" && Object.hasOwn(outcomeNames, outcome) ? (outcome as Outcome) : "not-run";
  return (
    <li className="flex h-9 items-center gap-3 border-b border-line px-3 last:border-b-0">
      <span className="w-20 shrink-0">
        <Chip tone={outcomeTones[known]}>{outcomeNames[known]}</Chip>
      </span>
      <span className="min-w-0 flex-1 truncate font-medium">
        {typeof runId === "string" ? (
          <Link to="/runs/$runId" params={{ runId }} className="rounded-sm hover:underline">
            {typeof caseId === "string" ? caseId : runId}
          </Link>
        ) : (
          typeof caseId === "string" && caseId
        )}
      </span>
      <span className="max-w-60 truncate text-muted max-sm:hidden">{typeof model === "string" && model}</span>
      <span className="w-12 text-right">{typeof score === "number" && formatScore(score)}</span>
      <span className="w-16 text-right text-muted max-sm:hidden">
        {typeof durationMs === "number" && formatDuration(durationMs)}
      </span>
      <span className="w-20 text-right text-muted max-md:hidden">
        {cached === true ? "from cache" : typeof costMicros === "number" && formatCost(costMicros)}
      </span>
    </li>
  );
}
