import type { RunEvent, RunEventType } from "@benchtop/protocol";

/** A line of the event list: one event, or adjacent deltas of one call joined. */
export interface EventRow {
  readonly first: number;
  /** Index of the last event of the row in the whole list. */
  last: number;
  readonly type: RunEventType;
  readonly seq: number;
}

/** Lays events out as rows and counts their types; `read` looks at each event of a growing list once. */
export class EventRows {
  #seen = 0;
  #rows: EventRow[] = [];
  readonly #counts = new Map<RunEventType, number>();

  read(events: readonly RunEvent[]): {
    readonly rows: readonly EventRow[];
    readonly counts: ReadonlyMap<RunEventType, number>;
  } {
    let grown = false;
    for (; this.#seen < events.length; this.#seen++) {
      const event = events[this.#seen];
      if (event === undefined) continue;
      grown = true;
      this.#counts.set(event.type, (this.#counts.get(event.type) ?? 0) + 1);
      const last = this.#rows.at(-1);
      const before = events[this.#seen - 1];
      if (
        last !== undefined &&
        event.type === "OutputDelta" &&
        before?.type === "OutputDelta" &&
        before.callId === event.callId &&
        before.channel === event.channel
      ) {
        last.last = this.#seen;
      } else this.#rows.push({ first: this.#seen, last: this.#seen, type: event.type, seq: event.seq });
    }
    if (grown) this.#rows = this.#rows.slice();
    return { rows: this.#rows, counts: new Map(this.#counts) };
  }
}

/** One line about an event, for the list. Never longer than a glance. */
export function summarize(event: RunEvent): string {
  switch (event.type) {
    case "RunStarted":
      return event.model === undefined ? event.kind : `${event.kind} · ${event.model}`;
    case "StepStarted":
    case "StepFinished":
      return `step ${event.step}`;
    case "ProviderCallStarted":
      return `${event.providerId}/${event.modelId}${event.attempt > 1 ? ` · attempt ${event.attempt}` : ""} · ${event.messageCount} messages`;
    case "OutputDelta":
      return event.text;
    case "ProviderCallFinished":
      return event.outcome === "success" ? (event.finishReason ?? "success") : (event.error?.message ?? event.outcome);
    case "ToolCallRequested":
      return `${event.name} ${JSON.stringify(event.arguments)}`;
    case "ToolCallFinished":
      return `${event.name} · ${event.outcome}`;
    case "PhaseChanged":
      return event.total === undefined ? event.phase : `${event.phase} ${event.done ?? 0}/${event.total}`;
    case "RetryScheduled":
      return `attempt ${event.attempt} in ${Math.round(event.delayMs)} ms · ${event.error.message}`;
    case "TimedOut":
      return `${event.scope} after ${event.limitMs} ms`;
    case "CandidatesSkipped":
      return event.skipped.map(({ providerId, modelId, reason }) => `${providerId}/${modelId}: ${reason}`).join(" · ");
    case "ContextTrimmed":
      return event.summary === undefined
        ? `${event.droppedMessages} messages left out`
        : `${event.droppedMessages} messages summarized`;
    case "ContextAssembled":
      return `${event.bytes} bytes`;
    case "MemoryRetrieved":
      return `${event.lane} · ${event.items.length} remembered · ${event.tokens} tokens`;
    case "MemoryWritten":
      return `${event.lane} · ${event.tokens} tokens`;
    case "GateDecided":
      return `${event.gate} · ${event.point} · ${event.decision}${event.mode === "shadow" ? " (shadow)" : ""}`;
    case "HintInjected":
      return event.text;
    case "ConsentRequired":
      return `${event.providerId}/${event.modelId} · ${event.fileCount} files`;
    case "BudgetExceeded":
      return `${event.limit}: ${event.actual} of ${event.allowed}`;
    case "Suspended":
      return `${event.reason} · ${event.tool}`;
    case "Resumed":
      return event.decision === undefined ? event.reason : `${event.reason} · ${event.decision}`;
    case "SubRunStarted":
      return `${event.name} · ${event.childRunId}`;
    case "SubRunFinished":
      return `${event.childRunId} · ${event.status}`;
    case "DraftChanged":
      return `${event.change} ${event.path}`;
    case "CheckpointCreated":
      return `${event.reason} · ${event.fileCount} files`;
    case "ArtifactWritten":
      return event.name;
    case "MetricLogged":
      return event.step === undefined
        ? `${event.name} ${event.value}`
        : `${event.name} ${event.value} · step ${event.step}`;
    case "Compensated":
      return `${event.name} · ${event.outcome}`;
    case "Completed":
      return event.finishReason;
    default:
      return `${event.error.error_code} · ${event.error.message}`;
  }
}
