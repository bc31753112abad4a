import type { ConversationEntry } from "@benchtop/operations";
import { Collapsible } from "@base-ui/react/collapsible";
import { Link } from "@tanstack/react-router";
import {
  ArchiveRestore,
  Brain,
  ChevronRight,
  CornerDownRight,
  History,
  Info,
  LoaderCircle,
  ShieldQuestion,
} from "lucide-react";
import { memo, useEffect, useMemo, useState } from "react";
import { useRunFeed } from "../api/run-feed.ts";
import { Button } from "../components/button.tsx";
import { Elapsed } from "../components/elapsed.tsx";
import { ErrorNotice, type ErrorHandlers } from "../components/error-notice.tsx";
import { formatCost, formatCount, formatDuration, formatNumber } from "../components/format.ts";
import { Markdown } from "../components/markdown.tsx";
import { RelativeTime } from "../components/relative-time.tsx";
import { DecisionCard } from "../approvals/decision-card.tsx";
import { PhaseList } from "./phase-list.tsx";
import { ToolRow } from "./tool-row.tsx";
import { TurnReader, type Block, type DecisionBlock, type Turn } from "./turn.ts";

export interface TurnActions {
  /** What an error's buttons do for this turn's task and model. */
  readonly handlersOf: (task: string | null, model: string | null) => ErrorHandlers;
  readonly onOpenChange: (path: string) => void;
  readonly onRestore?: (checkpointId: string) => void;
  readonly restoreGate: string | undefined;
  /** The run has said something that changes what other panes show. */
  readonly onProgress: (what: "draft" | "ended") => void;
}

/** One run in the conversation: the task, then what the agent said and did, live while it runs. */
export const TurnView = memo(function TurnView(props: {
  readonly entry: ConversationEntry;
  readonly actions: TurnActions;
}) {
  const { entry, actions } = props;
  const feed = useRunFeed(entry.runId, entry.events);
  const [reader] = useState(() => new TurnReader());
  const turn = useMemo(() => reader.read(feed.events), [reader, feed]);
  // As it was when it came on screen: the list may say that the run has ended before its last events are here.
  const [wasRunning] = useState(entry.status === "pending");
  const changed = turn.changes.size;
  const { onProgress } = actions;
  useEffect(() => {
    if (wasRunning && changed > 0) onProgress("draft");
  }, [wasRunning, changed, onProgress]);
  const ended = turn.status === "success" || turn.status === "error";
  useEffect(() => {
    if (wasRunning && ended) onProgress("ended");
  }, [wasRunning, ended, onProgress]);

  return (
    <article aria-label={entry.task ?? entry.kind} className="flex flex-col gap-2">
      {entry.task !== null && entry.kind === "agent" && (
        <div className="ml-10 self-end rounded-xl rounded-br-sm border border-line bg-sunken px-3.5 py-2 break-words whitespace-pre-wrap">
          {entry.task}
        </div>
      )}
      {entry.kind !== "agent" && <EventTitle entry={entry} turn={turn} />}
      <div className="flex min-w-0 flex-col gap-1.5">
        {turn.blocks.map((block) => (
          <BlockView key={block.id} block={block} entry={entry} turn={turn} actions={actions} />
        ))}
        {turn.status === "running" && turn.blocks.length === 0 && (
          <p className="flex items-center gap-2 text-sm text-muted">
            <LoaderCircle size={13} aria-hidden className="spin text-accent-ink" />
            Waiting for the first word…
          </p>
        )}
      </div>
      {feed.failure !== undefined && <ErrorNotice failure={feed.failure} />}
      {entry.kind === "agent" && <TurnFoot entry={entry} turn={turn} />}
    </article>
  );
});

function BlockView(props: {
  readonly block: Block;
  readonly entry: ConversationEntry;
  readonly turn: Turn;
  readonly actions: TurnActions;
}) {
  const { block, entry, turn, actions } = props;
  switch (block.kind) {
    case "text":
      return (
        <div className={block.refusal ? "border-l-2 border-draft-line pl-3" : undefined}>
          {block.refusal && <p className="text-sm font-medium text-draft">The model declined:</p>}
          <Markdown text={block.text} />
        </div>
      );
    case "reasoning":
      return (
        <Collapsible.Root className="group/reasoning">
          <Collapsible.Trigger className="flex h-7 items-center gap-2 rounded-md px-1.5 text-sm text-muted hover:bg-hover">
            <Brain size={13} aria-hidden className={block.live ? "pulse text-accent-ink" : "text-faint"} />
            {block.live ? "Thinking…" : "Thought"}
            <ChevronRight size={12} aria-hidden className="text-faint group-data-open/reasoning:rotate-90" />
          </Collapsible.Trigger>
          <Collapsible.Panel className="ml-6.5 text-sm whitespace-pre-wrap text-muted">{block.text}</Collapsible.Panel>
        </Collapsible.Root>
      );
    case "tool":
      return <ToolRow tool={block} onOpenFile={actions.onOpenChange} />;
    case "hint":
      return (
        <p className="flex items-start gap-2 self-end rounded-lg border border-accent-line bg-accent-soft px-3 py-1.5 text-sm">
          <CornerDownRight size={13} aria-hidden className="mt-0.5 text-accent-ink" />
          <span className="whitespace-pre-wrap">{block.text}</span>
        </p>
      );
    case "note":
      return (
        <p className="flex items-start gap-2 px-1.5 text-sm text-muted">
          <Info size={13} aria-hidden className="mt-0.75 shrink-0 text-faint" />
          {block.text}
        </p>
      );
    case "decision":
      return block.answer === undefined && turn.status === "waiting" ? (
        <DecisionCard runId={entry.runId} suspension={block.asked} />
      ) : (
        <Decided block={block} />
      );
    case "phases":
      return turn.status === "success" ? null : (
        <div className="rounded-lg border border-line bg-raised px-3 py-2.5 shadow-raised">
          <PhaseList phases={block.phases} failed={turn.status === "error"} />
        </div>
      );
    case "checkpoint":
      return (
        <div className="tabular flex flex-wrap items-center gap-3 rounded-lg border border-line bg-raised px-3 py-2.5 shadow-raised">
          <History size={15} aria-hidden className="text-faint" />
          <p className="min-w-40 flex-1">
            <span className="font-medium">Checkpoint of what was there before</span>
            <span className="block text-sm text-muted">
              {formatCount(block.event.fileCount, "file")} · <RelativeTime at={block.event.at} />
            </span>
          </p>
          {actions.onRestore !== undefined && (
            <Button
              size="small"
              icon={<ArchiveRestore size={13} aria-hidden />}
              disabledReason={actions.restoreGate}
              onClick={() => actions.onRestore?.(block.event.checkpointId)}
            >
              Restore
            </Button>
          )}
        </div>
      );
    default:
      return <ErrorNotice failure={block.failure} handlers={actions.handlersOf(entry.task, entry.model)} />;
  }
}

const answers = {
  approve: "You approved",
  deny: "You denied",
  retry: "You had it executed again",
  skip: "You left it at that",
} as const;

function Decided(props: { readonly block: DecisionBlock }) {
  const { asked, answer } = props.block;
  const said = answer?.decision === undefined ? "Nobody answered" : answers[answer.decision];
  return (
    <p className="flex items-start gap-2 px-1.5 text-sm text-muted">
      <ShieldQuestion size={13} aria-hidden className="mt-0.75 shrink-0 text-faint" />
      <span>
        <span className="font-medium text-ink">{said}</span>: {asked.question}
        {answer?.note !== undefined && <span className="block">“{answer.note}”</span>}
      </span>
    </p>
  );
}

const eventTitles: Readonly<Record<ConversationEntry["kind"], readonly [string, string, string]>> = {
  agent: ["Working", "Done", "Failed"],
  publish: ["Publishing…", "Published", "Publishing failed"],
  restore: ["Restoring…", "Restored", "Restoring failed"],
  discard: ["Discarding…", "Draft discarded", "Discarding failed"],
  other: ["Running…", "Ran", "Failed"],
};

function EventTitle(props: { readonly entry: ConversationEntry; readonly turn: Turn }) {
  const { entry, turn } = props;
  const [running, done, failed] = eventTitles[entry.kind];
  return (
    <p className="flex items-center gap-2 text-sm text-muted">
      <span className="h-px w-4 bg-line-strong" />
      <span className="font-medium text-ink">
        {turn.status === "running" || turn.status === "waiting" ? running : turn.status === "success" ? done : failed}
      </span>
      <RelativeTime at={entry.startedAt} className="text-faint" />
      <Link
        to="/runs/$runId"
        params={{ runId: entry.runId }}
        className="rounded-sm text-faint underline-offset-2 hover:text-ink hover:underline"
      >
        view run
      </Link>
      <span className="h-px flex-1 bg-line" />
    </p>
  );
}

function TurnFoot(props: { readonly entry: ConversationEntry; readonly turn: Turn }) {
  const { entry, turn } = props;
  const usage = turn.totals?.usage;
  const tokens = (usage?.inputTokens ?? turn.inputTokens) + (usage?.outputTokens ?? turn.outputTokens);
  const cost = turn.totals?.costMicros ?? turn.costMicros;
  return (
    <p className="tabular flex flex-wrap items-center gap-x-1 text-xs text-faint">
      {turn.status === "waiting" ? (
        <span className="text-draft">waits for you</span>
      ) : turn.status === "running" ? (
        <Elapsed since={entry.startedAt} className="text-accent-ink" />
      ) : (
        turn.totals !== undefined && <span>{formatDuration(turn.totals.durationMs)}</span>
      )}
      {turn.totals?.firstTokenMs !== undefined && <span>· first word {formatDuration(turn.totals.firstTokenMs)}</span>}
      {tokens > 0 && <span>· {formatNumber(tokens)} tokens</span>}
      {cost !== undefined && <span>· {formatCost(cost)}</span>}
      {entry.model !== null && <span className="truncate">· {entry.model}</span>}
      <span>
        ·{" "}
        <Link
          to="/runs/$runId"
          params={{ runId: entry.runId }}
          className="rounded-sm underline-offset-2 hover:text-ink hover:underline"
        >
          view run
        </Link>
      </span>
    </p>
  );
}
