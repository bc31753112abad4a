import type { EventOf } from "@benchtop/protocol";

/** How a run ended that another one had started, as the other's journal tells it. */
export type SubRunResult = Pick<
  EventOf<"SubRunFinished">,
  "childRunId" | "status" | "output" | "result" | "error" | "totals"
>;

export type Terminal = EventOf<"Completed"> | EventOf<"Error">;

export function subRunResult(childRunId: string, end: Terminal): SubRunResult {
  const { totals } = end;
  if (end.type === "Completed") {
    const { output, result } = end;
    return { childRunId, status: "success", output, ...(result !== undefined && { result }), totals };
  }
  const status = end.error.error_code === "BUDGET_CAP_REACHED" ? "budget_exceeded" : "error";
  return { childRunId, status, output: "", error: end.error, totals };
}
