import type { EvalRun } from "@benchtop/operations";
import type { EvalSample } from "@benchtop/protocol";
import type { Tone } from "../components/chip.tsx";

export type Outcome = EvalSample["outcome"];

export const outcomeNames: Readonly<Record<Outcome, string>> = {
  passed: "Passed",
  failed: "Failed",
  error: "Error",
  ungraded: "Ungraded",
  "not-run": "Not run",
};

export const outcomeTones: Readonly<Record<Outcome, Tone>> = {
  passed: "good",
  failed: "bad",
  error: "bad",
  ungraded: "draft",
  "not-run": "neutral",
};

/** How an evaluation stands, in a word and a tone. */
export function stateOf(run: Pick<EvalRun, "status" | "errorCode" | "summary">): {
  readonly label: string;
  readonly tone: Tone;
} {
  if (run.status === "pending") return { label: "Running", tone: "accent" };
  if (run.status === "budget_exceeded") return { label: "Over budget", tone: "draft" };
  if (run.errorCode === "USER_CANCELED") return { label: "Stopped", tone: "neutral" };
  if (run.errorCode === "RUN_INTERRUPTED") return { label: "Interrupted", tone: "draft" };
  if (run.status !== "success" || run.summary === null) return { label: "Could not run", tone: "bad" };
  if (run.summary.thresholds.length === 0) return { label: "Done", tone: "neutral" };
  return run.summary.outcome === "passed"
    ? { label: "Passed", tone: "good" }
    : { label: "Below threshold", tone: "bad" };
}

/** `75 %`; a dash for nothing. */
export function formatRate(rate: number | null | undefined): string {
  if (rate === null || rate === undefined) return "–";
  return `${(rate * 100).toFixed(rate === 0 || rate === 1 ? 0 : 1)} %`;
}

export function formatScore(score: number | null | undefined): string {
  return score === null || score === undefined ? "–" : score.toFixed(2);
}
