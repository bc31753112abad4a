import { Link } from "@tanstack/react-router";
import { Brain, Info, LoaderCircle, Square } from "lucide-react";
import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { client, type Failure } from "../api/client.ts";
import { queryClient } from "../api/queries.ts";
import { useRunFeed } from "../api/run-feed.ts";
import { Button } from "../components/button.tsx";
import type { ErrorHandlers } from "../components/error-actions.ts";
import { ErrorNotice } from "../components/error-notice.tsx";
import { Elapsed } from "../components/elapsed.tsx";
import { formatCost, formatDuration, formatNumber } from "../components/format.ts";
import { Markdown } from "../components/markdown.tsx";
import { TurnReader, type Block, type Turn } from "../conversation/turn.ts";
import { useMay } from "../identity/identity.ts";
import { guideRef } from "./guide.ts";

/** One answer as it comes: the words, what they took, and a way to stop them. */
export function AnswerView(props: {
  readonly runId: string;
  readonly model: string;
  readonly handlersOf?: (failure: Failure) => ErrorHandlers;
  readonly onEnded?: () => void;
}) {
  const { runId, model, onEnded } = props;
  const feed = useRunFeed(runId);
  const [reader] = useState(() => new TurnReader());
  const turn = useMemo(() => reader.read(feed.events), [reader, feed]);
  const running = turn.status === "running" && feed.state !== "failed";
  useEffect(() => {
    if (running) return;
    onEnded?.();
    // The rail says at once that nothing runs.
    void queryClient.invalidateQueries({ queryKey: ["runs.list"] });
    // Once, when it ends: `onEnded` is a new function with every drawing.
  }, [running]);
  const started = feed.events[0]?.at;
  const log = useFollowed(turn);
  return (
    <div className="flex min-w-0 flex-1 flex-col gap-3">
      <div
        ref={log}
        role="log"
        tabIndex={0}
        aria-label={`Answer of ${model}`}
        aria-busy={running}
        className="flex max-h-[56vh] flex-1 flex-col gap-2 overflow-y-auto rounded-sm"
      >
        {turn.blocks.map((block) => (
          <BlockView
            key={block.id}
            block={block}
            model={model}
            {...(props.handlersOf && { handlersOf: props.handlersOf })}
          />
        ))}
        {running && turn.blocks.length === 0 && (
          <p className="flex items-center gap-2 text-sm text-muted">
            <LoaderCircle size={13} aria-hidden className="spin text-accent-ink" />
            Waiting for the first word…
          </p>
        )}
        {feed.failure !== undefined && <ErrorNotice failure={feed.failure} />}
      </div>
      <AnswerNumbers runId={runId} turn={turn} running={running} startedAt={started} />
    </div>
  );
}

/** Keeps the newest words in sight, unless somebody has scrolled up to read. */
function useFollowed(turn: Turn) {
  const log = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  useEffect(() => {
    const element = log.current;
    if (element === null) return undefined;
    const onScroll = () => {
      isAtEnd.current = element.scrollTop + element.clientHeight >= element.scrollHeight - 24;
    };
    element.addEventListener("scroll", onScroll, { passive: true });
    return () => element.removeEventListener("scroll", onScroll);
  }, []);
  useEffect(() => {
    if (isAtEnd.current && turn.status === "running") log.current?.scrollTo({ top: log.current.scrollHeight });
  }, [turn]);
  return log;
}

function BlockView(props: {
  readonly block: Block;
  readonly model: string;
  readonly handlersOf?: (failure: Failure) => ErrorHandlers;
}) {
  const { block, model, handlersOf } = props;
  switch (block.kind) {
    case "text":
      return block.refusal ? (
        <div className="border-l-2 border-draft-line pl-3">
          <p className="text-sm font-medium text-draft">
            {model === guideRef ? "It does not know this, and says so instead of guessing:" : "The model declined:"}
          </p>
          <Markdown text={block.text} />
        </div>
      ) : (
        <Markdown text={block.text} />
      );
    case "reasoning":
      return (
        <details className="text-sm text-muted">
          <summary className="flex cursor-default items-center gap-2">
            <Brain size={13} aria-hidden className={block.live ? "pulse text-accent-ink" : "text-faint"} />
            {block.live ? "Thinking…" : "What it thought"}
          </summary>
          <p className="mt-1 pl-5 whitespace-pre-wrap">{block.text}</p>
        </details>
      );
    case "note":
      return (
        <p className="flex items-start gap-2 text-sm text-muted">
          <Info size={13} aria-hidden className="mt-0.75 shrink-0 text-faint" />
          {block.text}
        </p>
      );
    case "error":
      return block.failure.error_code === "USER_CANCELED" ? (
        <p className="text-sm font-medium text-muted">Stopped.</p>
      ) : (
        <ErrorNotice failure={block.failure} {...(handlersOf && { handlers: handlersOf(block.failure) })} />
      );
    default:
      // A prompt calls no tools, asks nobody and changes no files.
      return null;
  }
}

/** Milliseconds after the first token below which a speed says more about the clock than about the model. */
const shortestMeasured = 50;

function AnswerNumbers(props: {
  readonly runId: string;
  readonly turn: Turn;
  readonly running: boolean;
  readonly startedAt: string | undefined;
}) {
  const { runId, turn, running, startedAt } = props;
  const mayStop = useMay("runs:write");
  const { totals } = turn;
  const facts: readonly (readonly [string, ReactNode])[] = [
    ...(running && startedAt !== undefined ? [["time", <Elapsed key="time" since={startedAt} />] as const] : []),
    ...(totals?.firstTokenMs === undefined ? [] : [["first token", formatDuration(totals.firstTokenMs)] as const]),
    ...(totals?.tokensPerSecond === undefined || totals.durationMs - (totals.firstTokenMs ?? 0) < shortestMeasured
      ? []
      : [["speed", `${formatNumber(Math.round(totals.tokensPerSecond))} tokens/s`] as const]),
    ...(totals === undefined
      ? []
      : ([
          [
            "tokens",
            `${formatNumber(totals.usage.inputTokens ?? 0)} in, ${formatNumber(totals.usage.outputTokens ?? 0)} out`,
          ],
          ["cost", formatCost(totals.costMicros)],
          ["time", formatDuration(totals.durationMs)],
        ] as const)),
  ];
  return (
    <div className="flex flex-wrap items-end gap-x-4 gap-y-2 border-t border-line pt-2">
      <dl className="tabular flex min-w-0 flex-1 flex-wrap gap-x-4 gap-y-1 text-sm">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt className="text-xs text-faint">{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {running && mayStop ? (
        <Button
          size="small"
          tone="danger"
          icon={<Square size={11} aria-hidden fill="currentColor" />}
          onClick={() => void client.call("runs.abort", { runId, reason: "Stopped in the console." })}
        >
          Stop
        </Button>
      ) : (
        <Link
          to="/runs/$runId"
          params={{ runId }}
          className="rounded-sm text-sm text-muted underline-offset-2 hover:text-ink hover:underline"
        >
          View run
        </Link>
      )}
    </div>
  );
}
