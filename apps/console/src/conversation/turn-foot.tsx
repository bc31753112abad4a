import type { ConversationEntry } from "@benchtop/operations";
import { Link, useNavigate } from "@tanstack/react-router";
import { Check, Copy, Ellipsis, FileCheck2, RefreshCw, Shuffle, SquareActivity, Undo2 } from "lucide-react";
import { IconButton } from "../components/button.tsx";
import { useCopy } from "../components/copy-text.tsx";
import { Elapsed } from "../components/elapsed.tsx";
import { formatCost, formatDuration, formatNumber } from "../components/format.ts";
import { Menu, type MenuItem } from "../components/menu.tsx";
import type { TurnActions } from "./turn-view.tsx";
import type { Turn } from "./turn.ts";

/** Below a turn: what it took, and what can be done with it. */
export function TurnFoot(props: {
  readonly entry: ConversationEntry;
  readonly turn: Turn;
  readonly actions: TurnActions;
}) {
  const { entry, turn, actions } = props;
  const usage = turn.totals?.usage;
  const tokens = (usage?.inputTokens ?? turn.inputTokens) + (usage?.outputTokens ?? turn.outputTokens);
  const cost = turn.totals?.costMicros ?? turn.costMicros;
  const unchanged = entry.outcome === "no_changes" && turn.status === "success";
  return (
    <div className="flex flex-col gap-0.5">
      {unchanged && (
        <p className="flex items-center gap-2 px-1.5 text-sm text-muted">
          <FileCheck2 size={13} aria-hidden className="shrink-0 text-faint" />
          No changes: the files stay as they are.
        </p>
      )}
      <div className="flex items-center gap-2">
        <p className="tabular flex min-w-0 flex-1 flex-wrap items-center gap-x-1 text-xs text-faint">
          {turn.status === "waiting" ? (
            <span className="text-draft">waits for you</span>
          ) : turn.status === "running" ? (
            <Elapsed since={entry.startedAt} className="text-accent-ink" />
          ) : (
            turn.totals !== undefined && <span>{formatDuration(turn.totals.durationMs)}</span>
          )}
          {turn.totals?.firstTokenMs !== undefined && (
            <span>· first word {formatDuration(turn.totals.firstTokenMs)}</span>
          )}
          {tokens > 0 && <span>· {formatNumber(tokens)} tokens</span>}
          {cost !== undefined && <span>· {formatCost(cost)}</span>}
          {entry.model !== null && <span className="truncate">· {entry.model}</span>}
          {entry.regenerates !== null && <span>· asked again</span>}
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
        <TurnButtons entry={entry} turn={turn} actions={actions} />
      </div>
    </div>
  );
}

function TurnButtons(props: { readonly entry: ConversationEntry; readonly turn: Turn; readonly actions: TurnActions }) {
  const { entry, turn, actions } = props;
  const navigate = useNavigate();
  const answer = turn.blocks.flatMap((block) => (block.kind === "text" ? [block.text] : [])).join("\n\n");
  const { copied, copy } = useCopy(answer);
  const { copy: copyMessage } = useCopy(entry.task ?? "");
  const { onRegenerate, onUndo } = actions;
  const newest = actions.newestTurn === entry.runId;
  const regenerateGate = actions.turnGate ?? (newest ? undefined : "Only the newest turn can be asked again.");
  const items: MenuItem[] = [
    ...(onRegenerate === undefined
      ? []
      : [
          {
            label: "Regenerate",
            icon: <RefreshCw size={14} aria-hidden />,
            onSelect: () => onRegenerate(entry, false),
            disabledReason: regenerateGate,
          },
          {
            label: "Regenerate with another model…",
            icon: <Shuffle size={14} aria-hidden />,
            onSelect: () => onRegenerate(entry, true),
            disabledReason: regenerateGate,
          },
        ]),
    ...(onUndo === undefined
      ? []
      : [
          {
            label: "Undo to here…",
            icon: <Undo2 size={14} aria-hidden />,
            onSelect: () => onUndo(entry),
            disabledReason: actions.turnGate,
          },
        ]),
    { label: "Copy the message", icon: <Copy size={14} aria-hidden />, onSelect: copyMessage },
    ...(answer === "" ? [] : [{ label: "Copy the answer", icon: <Copy size={14} aria-hidden />, onSelect: copy }]),
    {
      label: "Open the run",
      icon: <SquareActivity size={14} aria-hidden />,
      onSelect: () => void navigate({ to: "/runs/$runId", params: { runId: entry.runId } }),
    },
  ];
  return (
    <div className="flex shrink-0 items-center">
      {answer !== "" && (
        <IconButton label={copied ? "Copied" : "Copy the answer"} size="small" onClick={copy}>
          {copied ? <Check size={13} aria-hidden className="text-good" /> : <Copy size={13} aria-hidden />}
        </IconButton>
      )}
      {onRegenerate !== undefined && newest && (
        <IconButton
          label="Regenerate"
          size="small"
          disabledReason={regenerateGate}
          onClick={() => onRegenerate(entry, false)}
        >
          <RefreshCw size={13} aria-hidden />
        </IconButton>
      )}
      <Menu
        trigger={
          <button
            type="button"
            aria-label={`More about the turn “${(entry.task ?? "").slice(0, 60)}”`}
            className="inline-flex size-6 items-center justify-center rounded-md text-muted hover:bg-hover hover:text-ink"
          >
            <Ellipsis size={14} aria-hidden />
          </button>
        }
        items={items}
      />
    </div>
  );
}
