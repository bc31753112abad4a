import type { EventOf, Failure, RunEvent } from "@benchtop/protocol";
import { formatBytes, formatCost, formatCount, formatDuration, printable, printableText } from "./format.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Shows a run as it happens: the model's text on standard output, and one dim line on standard error for each thing it
 * does. Text that a model wrote cannot steer the terminal.
 */
export class RunPrinter {
  readonly #terminal: Terminal;
  readonly #resultOnly: boolean;
  readonly #arguments = new Map<string, string>();
  readonly #passedOver = new Set<string>();
  #atLineStart = true;

  constructor(terminal: Terminal, { resultOnly }: { readonly resultOnly: boolean }) {
    this.#terminal = terminal;
    this.#resultOnly = resultOnly;
  }

  print(event: RunEvent): void {
    switch (event.type) {
      case "OutputDelta":
        return this.#text(event);
      case "ProviderCallFinished":
        return this.#endLine();
      case "ToolCallRequested":
        this.#arguments.set(event.callId, subjectOf(event.arguments));
        return;
      case "ToolCallFinished":
        return this.#tool(event);
      case "DraftChanged":
        return this.#note(`  ${letterOf(event.change)} ${printable(event.path)} (${formatBytes(event.bytes)})`);
      case "RetryScheduled":
        return this.#note(`${printable(event.error.message)} ${nextAttempt(event)}`);
      case "CandidatesSkipped":
        return this.#skipped(event);
      case "MemoryRetrieved":
        if (event.items.length === 0) return;
        return this.#note(
          `Recalled ${formatCount(event.items.length, "text")} (${formatCount(event.tokens, "token")}).`,
        );
      case "MemoryWritten":
        return this.#note(`Remembered ${event.lane === "working" ? "a note" : "a text"}: ${event.id}`);
      case "TimedOut":
        return this.#note(`Timed out (${event.scope}) after ${formatDuration(event.limitMs)}.`);
      case "ContextTrimmed":
        return this.#note(
          `${formatCount(event.droppedMessages, "earlier message")} left out: the history is too long.`,
        );
      case "HintInjected":
        return this.#note(`Hint: ${printable(event.text)}`);
      case "CheckpointCreated":
        return this.#note(`Checkpoint ${event.checkpointId} (${formatCount(event.fileCount, "file")})`);
      case "PhaseChanged":
        return this.#note(phaseLine(event));
      case "Completed":
      case "Error":
        this.#endLine();
        if (this.#resultOnly && event.type === "Completed") {
          this.#terminal.line(JSON.stringify(event.result ?? null, null, 2));
        }
        this.#terminal.errorLine(this.#terminal.errorColours.dim(closingLine(event)));
        return;
      default:
    }
  }

  #text({ channel, text }: EventOf<"OutputDelta">): void {
    const { dim } = this.#terminal.errorColours;
    if (channel === "reasoning") return this.#terminal.writeError(dim(printableText(text)));
    if (this.#resultOnly) return;
    this.#terminal.write(printableText(text));
    if (text !== "") this.#atLineStart = text.endsWith("\n");
  }

  /** Once for each, however many turns it is passed over. */
  #skipped({ skipped, purpose }: EventOf<"CandidatesSkipped">): void {
    if (purpose !== undefined) return;
    for (const { providerId, modelId, reason } of skipped) {
      const line = printable(`${providerId}/${modelId} is passed over: ${reason}.`);
      if (!this.#passedOver.has(line)) this.#note(line);
      this.#passedOver.add(line);
    }
  }

  #tool(event: EventOf<"ToolCallFinished">): void {
    const name = printable(`${event.name} ${this.#arguments.get(event.callId) ?? ""}`.trimEnd());
    if (event.outcome === "success") return this.#note(`· ${name} (${formatDuration(event.durationMs)})`);
    const why = event.error?.message ?? event.outcome;
    this.#endLine();
    this.#terminal.errorLine(this.#terminal.errorColours.yellow(`✗ ${name}: ${printable(why)}`));
  }

  #note(text: string): void {
    this.#endLine();
    this.#terminal.errorLine(this.#terminal.errorColours.dim(text));
  }

  /** What standard output has begun is finished before standard error says something. */
  #endLine(): void {
    if (this.#atLineStart) return;
    this.#terminal.line();
    this.#atLineStart = true;
  }
}

function nextAttempt({ reason, providerId, modelId, delayMs }: EventOf<"RetryScheduled">): string {
  if (reason === "fallback") return `Asking ${printable(`${providerId}/${modelId}`)} instead.`;
  return `Trying again in ${formatDuration(delayMs)}.`;
}

/** Tokens, cost, time and the run's id, in one line. */
function closingLine(event: EventOf<"Completed"> | EventOf<"Error">): string {
  const { usage, costMicros, durationMs, steps, toolCalls } = event.totals;
  const tokens = `${usage.inputTokens.toLocaleString("en-US")} in + ${usage.outputTokens.toLocaleString("en-US")} out tokens`;
  return [
    event.type === "Completed" ? "Completed" : event.error.error_code === "USER_CANCELED" ? "Aborted" : "Failed",
    formatDuration(durationMs),
    ...(steps > 0 ? [formatCount(steps, "step")] : []),
    ...(toolCalls > 0 ? [formatCount(toolCalls, "tool call")] : []),
    ...(usage.inputTokens + usage.outputTokens > 0 ? [usage.estimated === true ? `about ${tokens}` : tokens] : []),
    ...(costMicros === undefined ? [] : [formatCost(costMicros)]),
    event.runId,
  ].join(" · ");
}

/** One line for one event, for `runs events` and `runs show --events`. */
export function eventLine(event: RunEvent, startedAt: string): string {
  const at = `+${((Date.parse(event.at) - Date.parse(startedAt)) / 1000).toFixed(3)}s`;
  return `${String(event.seq).padStart(5)}  ${at.padStart(10)}  ${event.type.padEnd(20)}  ${printable(factsOf(event))}`;
}

function factsOf(event: RunEvent): string {
  switch (event.type) {
    case "RunStarted":
      return [event.kind, event.model, event.workbenchId].filter(Boolean).join(" ");
    case "StepStarted":
      return `step ${event.step}`;
    case "StepFinished":
      return `step ${event.step}, ${formatDuration(event.durationMs)}`;
    case "ProviderCallStarted":
      return `${event.providerId}/${event.modelId}, ${formatCount(event.messageCount, "message")}, attempt ${event.attempt}`;
    case "OutputDelta":
      return JSON.stringify(event.text.length > 80 ? `${event.text.slice(0, 80)}…` : event.text);
    case "ProviderCallFinished":
      return `${event.outcome}, ${formatDuration(event.durationMs)}${failureOf(event.error)}`;
    case "ToolCallRequested":
      return `${event.name} ${subjectOf(event.arguments)}`;
    case "ToolCallFinished":
      return `${event.name} ${event.outcome}, ${formatDuration(event.durationMs)}${failureOf(event.error)}`;
    case "PhaseChanged":
      return phaseLine(event);
    case "RetryScheduled":
      return event.reason === "fallback"
        ? `to ${event.providerId}/${event.modelId}${failureOf(event.error)}`
        : `in ${formatDuration(event.delayMs)}${failureOf(event.error)}`;
    case "TimedOut":
      return `${event.scope} after ${formatDuration(event.limitMs)}`;
    case "ContextTrimmed":
      return `${formatCount(event.droppedMessages, "message")} dropped, ${event.keptMessages} kept`;
    case "HintInjected":
      return event.text;
    case "ConsentRequired":
      return `${event.providerId}/${event.modelId}, ${formatCount(event.fileCount, "file")}, ${formatBytes(event.totalBytes)}`;
    case "BudgetExceeded":
      return `${event.limit}: ${event.actual} of ${event.allowed}`;
    case "CandidatesSkipped":
      return event.skipped.map(({ providerId, modelId, reason }) => `${providerId}/${modelId}: ${reason}`).join(", ");
    case "ContextAssembled":
      return formatBytes(event.bytes);
    case "MemoryRetrieved":
      return `${event.lane}, ${formatCount(event.items.length, "item")}, ${formatCount(event.tokens, "token")}`;
    case "MemoryWritten":
      return `${event.lane}, ${formatCount(event.tokens, "token")}`;
    case "GateDecided":
      return `${event.gate} (${event.point}, ${event.mode}): ${event.decision}${event.reason === undefined ? "" : `, ${event.reason}`}`;
    case "Suspended":
      return `${event.reason}: ${event.question}`;
    case "Resumed":
      return event.decision === undefined ? event.reason : `${event.reason}: ${event.decision}`;
    case "SubRunStarted":
      return `${event.name} ${event.childRunId}`;
    case "SubRunFinished":
      return `${event.childRunId} ${event.status}${failureOf(event.error)}`;
    case "MetricLogged":
      return `${event.name} ${event.value}`;
    case "Compensated":
      return `${event.name} ${event.outcome}${event.reason === undefined ? "" : `, ${event.reason}`}${failureOf(event.error)}`;
    case "DraftChanged":
      return `${letterOf(event.change)} ${event.path} (${formatBytes(event.bytes)}), revision ${event.revision}`;
    case "CheckpointCreated":
      return `${event.checkpointId}, ${event.reason}, ${formatCount(event.fileCount, "file")}`;
    case "ArtifactWritten":
      return `${event.name} (${formatBytes(event.bytes)})`;
    case "Completed":
      return closingLine(event);
    case "Error":
      return closingLine(event) + failureOf(event.error);
    default:
      // An event of a newer version of the daemon.
      return "";
  }
}

function phaseLine({ phase, done, total }: EventOf<"PhaseChanged">): string {
  const words = phase.replaceAll("_", " ");
  return done === undefined || total === undefined ? words : `${words} ${done}/${total}`;
}

function failureOf(error: Failure | undefined): string {
  return error === undefined ? "" : ` — ${error.message} [${error.error_code}]`;
}

/** What a tool call is about: its path or first text, shortened. */
function subjectOf(input: unknown): string {
  if (typeof input !== "object" || input === null) return "";
  const values: Readonly<Record<string, unknown>> = { ...input };
  const value = values["path"] ?? Object.values(values).find((value) => typeof value === "string");
  if (typeof value !== "string") return "";
  return value.length > 80 ? `${value.slice(0, 80)}…` : value;
}

function letterOf(change: EventOf<"DraftChanged">["change"]): string {
  return { added: "A", modified: "M", deleted: "D", reverted: "=" }[change];
}
