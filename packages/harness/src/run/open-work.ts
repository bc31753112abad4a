import type { EventInput, Failure, RunTotals } from "@benchtop/protocol";
import { round } from "./totals.ts";

interface Open {
  readonly started: number;
  close(durationMs: number, canceled: boolean, error: Failure): EventInput;
}

/**
 * What a run has begun and not ended, seen in its events. A program that fails in the middle of a step leaves it to this to
 * close calls, tools and the step, the one opened last first, so that no journal ends with open work. So does a crash:
 * then the events come from the journal, with the times (`at`, milliseconds) at which they were written.
 */
export class OpenWork {
  readonly #open = new Map<string, Open>();

  record(event: EventInput, at?: number): void {
    switch (event.type) {
      case "StepStarted":
        this.#opened("step", at, () => ({ type: "StepFinished", step: event.step }));
        return;
      case "StepFinished":
        this.#open.delete("step");
        return;
      case "ProviderCallStarted":
        this.#opened(`call ${event.callId}`, at, (canceled, error) => ({
          type: "ProviderCallFinished",
          callId: event.callId,
          outcome: canceled ? "canceled" : "error",
          error,
        }));
        return;
      case "ProviderCallFinished":
        this.#open.delete(`call ${event.callId}`);
        return;
      case "ToolCallRequested":
        this.#opened(`tool ${event.callId}`, at, (_, error) => ({
          type: "ToolCallFinished",
          callId: event.callId,
          name: event.name,
          outcome: "unknown",
          content: "The run ended while this tool ran; nobody knows whether it took effect.",
          error,
        }));
        return;
      case "ToolCallFinished":
        this.#open.delete(`tool ${event.callId}`);
        return;
      case "SubRunStarted":
        this.#opened(`run ${event.childRunId}`, at, (_, error) => ({
          type: "SubRunFinished",
          childRunId: event.childRunId,
          status: "error",
          output: "",
          error,
          totals: nothingUsed,
        }));
        return;
      case "SubRunFinished":
        this.#open.delete(`run ${event.childRunId}`);
        return;
      default:
    }
  }

  /** The events that close everything still open, in order. */
  closing(canceled: boolean, error: Failure, now: number = performance.now()): EventInput[] {
    return [...this.#open.values()].toReversed().map((open) => open.close(round(now - open.started), canceled, error));
  }

  #opened(key: string, at: number | undefined, closing: (canceled: boolean, error: Failure) => Closing): void {
    this.#open.set(key, {
      started: at ?? performance.now(),
      close: (durationMs, canceled, error) => {
        const event = closing(canceled, error);
        return event.type === "SubRunFinished" ? event : { ...event, durationMs };
      },
    });
  }
}

/** What is known of a child that was not heard of again; its own journal says what it used. */
const nothingUsed: RunTotals = {
  steps: 0,
  toolCalls: 0,
  usage: { inputTokens: 0, outputTokens: 0 },
  queuedMs: 0,
  durationMs: 0,
};

/** A closing event before its duration is known. */
type Closing =
  | EventInput<"SubRunFinished">
  | (EventInput<"StepFinished" | "ProviderCallFinished" | "ToolCallFinished"> extends infer Event
      ? Event extends unknown
        ? Omit<Event, "durationMs">
        : never
      : never);
