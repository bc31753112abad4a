import type { ConversationEntry } from "@benchtop/operations";
import { Collapsible } from "@base-ui/react/collapsible";
import { Brain, ChevronRight, CornerDownRight, Info, LoaderCircle, ShieldQuestion } from "lucide-react";
import { memo, useEffect, useMemo, useState } from "react";
import { useRunFeed } from "../api/run-feed.ts";
import { DecisionCard } from "../approvals/decision-card.tsx";
import type { ErrorHandlers } from "../components/error-actions.ts";
import { ErrorNotice } from "../components/error-notice.tsx";
import { Markdown } from "../components/markdown.tsx";
import { CheckpointCard } from "./checkpoint-card.tsx";
import { isTurn } from "./entry.ts";
import { PhaseList } from "./phase-list.tsx";
import { PlanView } from "./plan-view.tsx";
import { ProposalCard } from "./proposal-card.tsx";
import { SystemRow } from "./system-row.tsx";
import { ToolRow } from "./tool-row.tsx";
import { TurnFoot } from "./turn-foot.tsx";
import { TurnReader, type Block, type DecisionBlock, type Turn } from "./turn.ts";

export interface TurnActions {
  /** What an error's buttons do for this turn, where it is more than what the workbench itself can do. */
  readonly handlersOf: (entry: ConversationEntry, turn: Turn) => ErrorHandlers;
  readonly onOpenChange: (path: string) => void;
  readonly onReview: () => void;
  readonly onShowCheckpoint: (checkpointId: string) => void;
  readonly onRestore?: (checkpointId: string) => void;
  readonly restoreGate: string | undefined;
  readonly onRegenerate?: (entry: ConversationEntry, withAnotherModel: boolean) => void;
  readonly onUndo?: (entry: ConversationEntry) => void;
  /** Why no turn can be taken back or asked again now. */
  readonly turnGate: string | undefined;
  /** The only one that can be asked again. */
  readonly newestTurn: string | undefined;
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

  const said = isTurn(entry);
  return (
    <article aria-label={entry.task ?? entry.kind} className="flex flex-col gap-2">
      {said && (
        <div className="ml-10 self-end rounded-xl rounded-br-sm border border-line bg-sunken px-3.5 py-2 break-words whitespace-pre-wrap">
          {entry.task}
        </div>
      )}
      {!said && <SystemRow entry={entry} turn={turn} />}
      <div className="flex min-w-0 flex-col gap-1.5">
        {turn.blocks.map((block) => (
          <BlockView key={block.id} block={block} entry={entry} turn={turn} actions={actions} />
        ))}
        {said && turn.status === "running" && turn.blocks.length === 0 && (
          <p className="flex items-center gap-2 text-sm text-muted">
            <LoaderCircle size={13} aria-hidden className="spin text-accent-ink" />
            Waiting for the first word…
          </p>
        )}
      </div>
      {feed.failure !== undefined && <ErrorNotice failure={feed.failure} />}
      {said && <TurnFoot entry={entry} turn={turn} actions={actions} />}
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
      if (block.name === "propose_changes") {
        return (
          <ProposalCard
            tool={block}
            runId={entry.runId}
            artifacts={turn.artifacts}
            onOpenFile={actions.onOpenChange}
            onReview={actions.onReview}
          />
        );
      }
      // Each plan says all of it: the newest stands for the others.
      if (block.name === "plan") return block === newestPlan(turn) ? <PlanView plan={block.arguments} /> : null;
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
        <CheckpointCard
          entry={entry}
          turn={turn}
          event={block.event}
          restoreGate={actions.restoreGate}
          onShow={actions.onShowCheckpoint}
          {...(actions.onRestore !== undefined && { onRestore: actions.onRestore })}
        />
      );
    default:
      return <ErrorNotice failure={block.failure} handlers={actions.handlersOf(entry, turn)} />;
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

function newestPlan(turn: Turn): Block | undefined {
  return turn.blocks.findLast((block) => block.kind === "tool" && block.name === "plan");
}
