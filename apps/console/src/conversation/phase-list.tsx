import { publishPhases } from "@benchtop/operations";
import { Check, Circle, LoaderCircle, Undo2 } from "lucide-react";
import { classes } from "../components/classes.ts";
import { formatCount, formatNumber } from "../components/format.ts";
import type { PhaseState } from "./turn.ts";

const names: Readonly<Record<string, string>> = {
  validating: "Check the Draft",
  conflict_check: "Look for outside changes",
  checkpoint_pre_publish: "Keep a checkpoint of what is there",
  swap_directories: "Swap the files in one step",
  finalizing: "Finish up",
  rolling_back: "Roll back to what was there",
};

/** The phases of a publish or restore as they happen; what has not begun is shown too. */
export function PhaseList(props: { readonly phases: readonly PhaseState[]; readonly failed: boolean }) {
  const { phases, failed } = props;
  const known = new Set(phases.map(({ phase }) => phase));
  const ahead = failed ? [] : publishPhases.filter((step) => !known.has(step));
  return (
    <ol className="tabular flex flex-col gap-1">
      {phases.map((phase, index) => {
        const last = index === phases.length - 1;
        const running = last && !phase.finished && !failed;
        return (
          <li key={phase.phase} className="flex items-center gap-2">
            {phase.phase === "rolling_back" ? (
              <Undo2 size={14} aria-hidden className="text-draft" />
            ) : running ? (
              <LoaderCircle size={14} aria-label="Going on" className="spin text-accent-ink" />
            ) : last && failed ? (
              <Circle size={14} aria-label="Failed" className="text-bad" />
            ) : (
              <Check size={14} aria-label="Done" className="text-good" />
            )}
            <span className={classes(!running && "text-muted")}>
              {names[phase.phase] ?? phase.phase.replaceAll("_", " ")}
            </span>
            {phase.total !== undefined && phase.total > 0 && (
              <span className="text-sm text-faint">
                {phase.finished ? "" : `${formatNumber(phase.done ?? 0)} of `}
                {formatCount(phase.total, "file")}
              </span>
            )}
          </li>
        );
      })}
      {ahead.map((step) => (
        <li key={step} className="flex items-center gap-2 text-faint">
          <Circle size={14} aria-label="Not yet" />
          {names[step]}
        </li>
      ))}
    </ol>
  );
}
