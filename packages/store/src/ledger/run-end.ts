import type { RunEnd } from "@benchtop/protocol/records";

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
