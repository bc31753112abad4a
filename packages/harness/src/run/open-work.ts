import type { EventInput, Failure } from "@benchtop/protocol";
import { round } from "./totals.ts";

interface Open {
  readonly started: number;
  close(durationMs: number, canceled: boolean, error: Failure): EventInput;
}

/**
 * What a run has begun and not ended, seen in the events it writes. A program that fails in the middle of a step leaves
 * it to this to close calls, tools and the step, the one opened last first, so that no journal ends with open work.
 */
export class OpenWork {
  readonly #open = new Map<string, Open>();

  record(event: EventInput): void {
    switch (event.type) {
      case "StepStarted":
        this.#opened("step", () => ({ type: "StepFinished", step: event.step }));
        return;
      case "StepFinished":
        this.#open.delete("step");
        return;
      case "ProviderCallStarted":
        this.#opened(`call ${event.callId}`, (canceled, error) => ({
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
        this.#opened(`tool ${event.callId}`, (_, error) => ({
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
      default:
    }
  }

  /** The events that close everything still open, in order. */
  closing(canceled: boolean, error: Failure): EventInput[] {
    const now = performance.now();
    return [...this.#open.values()].toReversed().map((open) => open.close(round(now - open.started), canceled, error));
  }

  #opened(key: string, closing: (canceled: boolean, error: Failure) => Closing): void {
    this.#open.set(key, {
      started: performance.now(),
      close: (durationMs, canceled, error) => ({ ...closing(canceled, error), durationMs }),
    });
  }
}

/** A closing event before its duration is known. */
type Closing =
  EventInput<"StepFinished" | "ProviderCallFinished" | "ToolCallFinished"> extends infer Event
    ? Event extends unknown
      ? Omit<Event, "durationMs">
      : never
    : never;
