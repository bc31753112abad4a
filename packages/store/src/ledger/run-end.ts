import type { EventInput } from "@benchtop/protocol";
import type { RunEnd } from "../journal/storage.ts";

/** What a terminal event makes of the ledger row; undefined for every other event. */
export function runEnd(event: EventInput, at: string): RunEnd | undefined {
  if (event.type !== "Completed" && event.type !== "Error") return undefined;
  const { totals } = event;
  const errorCode = event.type === "Error" ? event.error.error_code : null;
  return {
    status: errorCode === null ? "success" : errorCode === "BUDGET_CAP_REACHED" ? "budget_exceeded" : "error",
    inputTokens: totals.usage.inputTokens,
    outputTokens: totals.usage.outputTokens,
    costMicros: totals.costMicros ?? null,
    steps: totals.steps,
    toolCalls: totals.toolCalls,
    firstTokenMs: totals.firstTokenMs ?? null,
    durationMs: totals.durationMs,
    errorCode,
    finishedAt: at,
  };
}

/** In the order of the columns that both databases' `settle` statements name. */
export function runEndValues(end: RunEnd): (string | number | null)[] {
  return [
    end.status,
    end.inputTokens,
    end.outputTokens,
    end.costMicros,
    end.steps,
    end.toolCalls,
    end.firstTokenMs,
    end.durationMs,
    end.errorCode,
    end.finishedAt,
  ];
}
