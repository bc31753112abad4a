import type { Json, RunEvent } from "@benchtop/protocol";
import { Link } from "@tanstack/react-router";
import { X } from "lucide-react";
import { useMemo, type ReactNode } from "react";
import { CodeView } from "../code/code-view.tsx";
import { Button, IconButton } from "../components/button.tsx";
import { ArgumentsView, TextBlock } from "../components/arguments-view.tsx";
import { useCopy } from "../components/copy-text.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatClock, formatCost, formatDuration, formatNumber } from "../components/format.ts";
import { Markdown } from "../components/markdown.tsx";
import { Segmented } from "../components/segmented.tsx";
import type { EventRow } from "./event-rows.ts";

/** Everything one event says, for reading or as it is in the journal. */
export function Inspector(props: {
  readonly events: readonly RunEvent[];
  readonly row: EventRow;
  /** What can be done from this event on. */
  readonly actions?: ReactNode;
  readonly raw: boolean;
  readonly onRaw: (raw: boolean) => void;
  readonly onClose: () => void;
}) {
  const { events, row, raw } = props;
  const event = events[row.first];
  const json = useMemo(() => {
    const shown = events.slice(row.first, row.last + 1);
    return JSON.stringify(shown.length === 1 ? shown[0] : shown, null, 2);
  }, [events, row.first, row.last]);
  const { copied, copy } = useCopy(json);
  if (event === undefined) return null;
  return (
    <section aria-label="Event" className="flex min-h-0 min-w-0 flex-1 flex-col">
      <header className="tabular flex min-h-10 shrink-0 flex-wrap items-center gap-2 border-b border-line py-1 pr-2 pl-3.5">
        <h2 className="font-semibold">{event.type}</h2>
        <span className="text-sm text-faint">
          #{row.first === row.last ? event.seq : `${event.seq}–${events[row.last]?.seq}`} ·{" "}
          {formatClock(new Date(event.at))}
        </span>
        <span className="flex-1" />
        <Segmented
          label="How the event is shown"
          value={raw ? "raw" : "rendered"}
          onChange={(value) => props.onRaw(value === "raw")}
          options={[
            { value: "rendered", label: "Reading" },
            { value: "raw", label: "JSON" },
          ]}
        />
        <Button size="small" tone="quiet" className="max-sm:hidden" onClick={copy}>
          {copied ? "Copied" : "Copy"}
        </Button>
        <IconButton label="Close the event" size="small" onClick={props.onClose}>
          <X size={14} aria-hidden />
        </IconButton>
      </header>
      {raw ? (
        <CodeView text={json} path="event.json" />
      ) : (
        <div
          className="min-h-0 flex-1 overflow-y-auto p-3.5"
          tabIndex={0}
          role="region"
          aria-label="What the event says"
        >
          <Rendered event={event} events={events} row={row} />
        </div>
      )}
      {props.actions}
    </section>
  );
}

function Rendered(props: { readonly event: RunEvent; readonly events: readonly RunEvent[]; readonly row: EventRow }) {
  const { event, events, row } = props;
  switch (event.type) {
    case "OutputDelta": {
      const text = events
        .slice(row.first, row.last + 1)
        .map((each) => (each.type === "OutputDelta" ? each.text : ""))
        .join("");
      return (
        <>
          <Facts
            facts={[
              ["channel", event.channel],
              ["call", event.callId],
            ]}
          />
          <Markdown text={text} />
        </>
      );
    }
    case "ProviderCallFinished":
      return (
        <>
          <Facts
            facts={[
              ["outcome", event.outcome],
              ["finish", event.finishReason],
              ["took", formatDuration(event.durationMs)],
              ["first token", event.firstTokenMs === undefined ? undefined : formatDuration(event.firstTokenMs)],
              ["tokens in", event.usage && formatNumber(event.usage.inputTokens)],
              [
                "tokens out",
                event.usage &&
                  `${formatNumber(event.usage.outputTokens)}${event.usage.estimated ? " (estimated)" : ""}`,
              ],
              ["cost", event.costMicros === undefined ? undefined : formatCost(event.costMicros)],
              ["response", event.responseId],
            ]}
          />
          {event.error !== undefined && <ErrorNotice failure={event.error} />}
          {event.message?.reasoning !== undefined && <Block label="Reasoning" text={event.message.reasoning} />}
          {event.message !== undefined && event.message.content !== "" && <Markdown text={event.message.content} />}
          {event.message?.toolCalls?.map((call) => (
            <Block key={call.callId} label={`Asks for ${call.name}`} value={call.arguments} />
          ))}
        </>
      );
    case "ToolCallRequested": {
      const result = events.find((each) => each.type === "ToolCallFinished" && each.callId === event.callId);
      return (
        <>
          <Facts
            facts={[
              ["tool", event.name],
              ["repeatable", event.idempotent ? "yes" : "no"],
              ["call", event.callId],
            ]}
          />
          <Block label="Arguments" value={event.arguments} />
          {result?.type === "ToolCallFinished" && (
            <Block label={`Result: ${result.outcome} in ${formatDuration(result.durationMs)}`} text={result.content} />
          )}
        </>
      );
    }
    case "ToolCallFinished": {
      const asked = events.find((each) => each.type === "ToolCallRequested" && each.callId === event.callId);
      return (
        <>
          <Facts
            facts={[
              ["tool", event.name],
              ["outcome", event.outcome],
              ["took", formatDuration(event.durationMs)],
              ["call", event.callId],
            ]}
          />
          {event.error !== undefined && <ErrorNotice failure={event.error} />}
          {asked?.type === "ToolCallRequested" && <Block label="Arguments" value={asked.arguments} />}
          <Block label="What the model is told" text={event.content} />
        </>
      );
    }
    case "Error":
      return <ErrorNotice failure={event.error} />;
    case "RetryScheduled":
      return (
        <>
          <Facts
            facts={[
              ["attempt", event.attempt],
              ["after", formatDuration(event.delayMs)],
            ]}
          />
          <ErrorNotice failure={event.error} />
        </>
      );
    case "Completed":
      return (
        <>
          <Facts
            facts={[
              ["finish", event.finishReason],
              ["steps", event.totals.steps],
              ["tool calls", event.totals.toolCalls],
              ["took", formatDuration(event.totals.durationMs)],
            ]}
          />
          <Markdown text={event.output} />
          {event.result !== undefined && <Block label="Result" value={event.result} />}
        </>
      );
    case "SubRunStarted":
    case "SubRunFinished":
      return (
        <>
          <Facts
            facts={[
              ["name", event.type === "SubRunStarted" ? event.name : undefined],
              ["ended", event.type === "SubRunFinished" ? event.status : undefined],
            ]}
          />
          {event.type === "SubRunFinished" && event.error !== undefined && <ErrorNotice failure={event.error} />}
          <p>
            <Link
              to="/runs/$runId"
              params={{ runId: event.childRunId }}
              className="rounded-sm text-accent-ink underline underline-offset-2"
            >
              Open the run that this one started
            </Link>
          </p>
        </>
      );
    case "HintInjected":
      return <Block label="The person said" text={event.text} />;
    case "RunStarted":
      return (
        <>
          <Facts
            facts={[
              ["kind", event.kind],
              ["by", event.userId],
              ["model", event.model],
              ["tool", event.toolId],
              ["session", event.sessionId],
              ["waited", event.queuedMs === undefined ? undefined : formatDuration(event.queuedMs)],
            ]}
          />
          <Block label="Input" value={event.input} />
          <Block label="Contract" text={JSON.stringify(event.contract, null, 2)} />
        </>
      );
    default: {
      const { runId: _runId, seq: _seq, at: _at, traceId: _traceId, type: _type, spanId, ...rest } = event;
      const facts = Object.entries(rest).map(
        ([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : String(value)] as const,
      );
      return <Facts facts={[...facts, ["span", spanId]]} />;
    }
  }
}

function Facts(props: { readonly facts: readonly (readonly [string, string | number | undefined])[] }) {
  return (
    <dl className="tabular mb-3 grid grid-cols-[auto_1fr] gap-x-5 gap-y-1">
      {props.facts.map(([name, value]) =>
        value === undefined || value === "" ? null : (
          <div key={name} className="contents">
            <dt className="text-muted">{name}</dt>
            <dd className="break-all">{value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}

function Block(props: { readonly label: string; readonly text?: string; readonly value?: Json }) {
  return (
    <div className="mb-3">
      <h3 className="mb-1 text-sm font-medium text-muted">{props.label}</h3>
      {props.text !== undefined && <TextBlock text={props.text} limit={200_000} />}
      {props.value !== undefined && <ArgumentsView value={props.value} />}
    </div>
  );
}
