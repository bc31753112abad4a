import { Check, Circle, LoaderCircle } from "lucide-react";
import { formatBytes, formatNumber } from "../components/format.ts";
import { ProgressBar } from "../components/progress-bar.tsx";
import type { Job, JobPhase } from "./read-job.ts";

const words: Readonly<Record<string, string>> = {
  reading: "Read",
  weighing: "Weigh what matters",
  quantizing: "Quantize",
  checking: "Check the result",
  measuring: "Measure both models",
  vocabulary: "Learn a vocabulary",
  building: "Build the graph",
  training: "Train",
  exporting: "Write the model",
};

export function phaseWords(phase: string): string {
  return words[phase] ?? phase;
}

/** What a job has done and what it does now, with its numbers. */
export function JobPhases(props: { readonly job: Job }) {
  const { phases, ended, failure } = props.job;
  return (
    <ol aria-label="Phases" className="tabular flex flex-col gap-1.5">
      {phases.map((phase, index) => {
        const last = index === phases.length - 1;
        const going = last && !ended;
        return (
          <li key={`${phase.phase} ${index}`} className="flex flex-col gap-1">
            <span className="flex items-center gap-2">
              {going ? (
                <LoaderCircle size={14} aria-label="Going on" className="spin text-accent-ink" />
              ) : last && failure !== undefined ? (
                <Circle size={14} aria-label="Not finished" className="text-draft" />
              ) : (
                <Check size={14} aria-label="Done" className="text-good" />
              )}
              <span className={going ? "font-medium" : "text-muted"}>{phaseWords(phase.phase)}</span>
              <span className="ml-auto text-sm text-faint">{going || failure ? amount(phase) : total(phase)}</span>
            </span>
            {going && phase.total !== undefined && phase.total > 1 && (
              <span className="pl-5.5">
                <ProgressBar label={phaseWords(phase.phase)} done={phase.done ?? 0} total={phase.total} />
              </span>
            )}
          </li>
        );
      })}
    </ol>
  );
}

const countsBytes: ReadonlySet<string> = new Set(["checking"]);

function amount(phase: JobPhase): string {
  const { done = 0, total: all } = phase;
  if (all === undefined || all <= 1) return "";
  return `${inUnit(phase, done)} of ${inUnit(phase, all)}${unitOf(phase)}`;
}

function total(phase: JobPhase): string {
  return phase.total === undefined || phase.total <= 1 ? "" : `${inUnit(phase, phase.total)}${unitOf(phase)}`;
}

/** Reading a file for quantization counts its bytes; reading examples counts nothing. */
function isBytes({ phase, total: all }: JobPhase): boolean {
  return countsBytes.has(phase) || (phase === "reading" && (all ?? 0) > 1);
}

function inUnit(phase: JobPhase, value: number): string {
  return isBytes(phase) ? formatBytes(value) : formatNumber(value);
}

function unitOf(phase: JobPhase): string {
  if (isBytes(phase)) return "";
  return { training: " steps", quantizing: " tensors", measuring: " pieces", weighing: " pieces" }[phase.phase] ?? "";
}
