import { BenchtopError, type EventInput, type EventOf, type RunEvent } from "@benchtop/protocol";
import { forkedAt } from "../replay/past.ts";
import type { RunBody, RunScope } from "../run/scope.ts";
import { round } from "../run/totals.ts";
import { mayHaveTakenEffect } from "../tools/call-tool.ts";
import type { ToolRegistry } from "../tools/registry.ts";
import type { Tool } from "../tools/tool.ts";

/** A finished tool call of the run that is undone. */
export interface UndoneCall {
  readonly requested: EventOf<"ToolCallRequested">;
  readonly finished: EventOf<"ToolCallFinished">;
  /** What the tool recorded while it ran, oldest first. */
  readonly events: readonly RunEvent[];
}

/**
 * The calls of a run that may have changed something, newest first: what undoing it has to take back. `after` leaves out those
 * up to that event. What a fork began with is its origin's to undo.
 */
export function callsToUndo(events: readonly RunEvent[], after = -1): UndoneCall[] {
  const from = Math.max(after, forkedAt(events));
  const requested = new Map<string, EventOf<"ToolCallRequested">>();
  const bySpan = new Map<string, RunEvent[]>();
  const calls: UndoneCall[] = [];
  for (const event of events) {
    if (event.type === "ToolCallRequested") {
      requested.set(event.callId, event);
      bySpan.set(event.spanId, []);
    } else if (event.type === "ToolCallFinished") {
      const request = requested.get(event.callId);
      if (!request || request.seq <= from || !mayHaveTakenEffect(event)) continue;
      calls.push({ requested: request, finished: event, events: bySpan.get(event.spanId) ?? [] });
    } else {
      bySpan.get(event.spanId)?.push(event);
    }
  }
  return calls.toReversed();
}

/**
 * The program that takes back what a run did: its tools' compensations, the newest call first, each journaled as
 * `Compensated` before the next. It is a run of its own, and what is undone stays in its journal.
 *
 * A tool without effects has nothing to take back; one without a compensation is named as not undone, and does not stop the
 * rest. A compensation that fails ends the undo with `TOOL_FAILED`: what came before it may depend on what it did not undo.
 * Resumed after a crash, it goes on with the first call that is not recorded as taken back.
 */
export function undoRun(calls: readonly UndoneCall[], tools: ToolRegistry): RunBody {
  return async (run) => {
    const counts = { success: 0, error: 0, skipped: 0 };
    for (const call of calls) {
      const { outcome } =
        run.past?.takeIf("Compensated") ?? (await compensate(run, call, tools.get(call.requested.name)));
      counts[outcome] += 1;
      if (outcome === "error") {
        throw new BenchtopError(
          "TOOL_FAILED",
          `"${call.requested.name}" could not be taken back; what it built on stays.`,
          {
            subphase: "undo",
            detail: { tool: call.requested.name, undone: counts.success },
          },
        );
      }
    }
    const result = { undone: counts.success, skipped: counts.skipped };
    return {
      output: `Taken back: ${counts.success}. Nothing to take back, or no way to: ${counts.skipped}.`,
      result,
    };
  };
}

async function compensate(run: RunScope, call: UndoneCall, tool: Tool | undefined): Promise<EventInput<"Compensated">> {
  const { requested, finished } = call;
  const started = performance.now();
  const ended = async (
    outcome: EventInput<"Compensated">["outcome"],
    more: { reason?: string; error?: BenchtopError } = {},
  ): Promise<EventInput<"Compensated">> => {
    const { reason, error } = more;
    const event: EventInput<"Compensated"> = {
      type: "Compensated",
      targetRunId: requested.runId,
      targetCallId: requested.callId,
      name: requested.name,
      outcome,
      ...(reason !== undefined && { reason }),
      ...(error && { error: { message: error.message, ...error.info } }),
      durationMs: round(performance.now() - started),
    };
    await run.emit(event);
    return event;
  };

  run.signal.throwIfAborted();
  if (!tool) return await ended("skipped", { reason: "There is no such tool any more." });
  if (tool.effects === "none") return await ended("skipped", { reason: "It changed nothing." });
  if (!tool.compensate) return await ended("skipped", { reason: "This tool cannot take its effect back." });
  try {
    const compensation = tool.compensate(requested.arguments, {
      runId: run.runId,
      callId: requested.callId,
      signal: run.signal,
      run,
      emit: (event) => run.emit(event),
      target: { runId: requested.runId, callId: requested.callId },
      outcome: finished.outcome,
      content: finished.content,
      events: call.events,
    });
    await unlessAbandoned(compensation, run.signal);
  } catch (thrown) {
    run.signal.throwIfAborted();
    const error = BenchtopError.from(thrown);
    return await ended("error", {
      error:
        error.code === "INTERNAL" ? new BenchtopError("TOOL_FAILED", "The tool failed.", { cause: thrown }) : error,
    });
  }
  return await ended("success");
}

/** How long a compensation may go on after the undo was canceled before it is abandoned, in milliseconds. */
const graceMs = 5000;

async function unlessAbandoned(compensation: Promise<void>, signal: AbortSignal): Promise<void> {
  const abandoned = Promise.withResolvers<never>();
  let grace: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    grace = setTimeout(() => abandoned.reject(signal.reason), graceMs);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([compensation, abandoned.promise]);
  } finally {
    clearTimeout(grace);
    signal.removeEventListener("abort", onAbort);
  }
}
