import type { RunningModel } from "@benchtop/operations";
import { CircleAlert, CircleCheck, CircleDashed, LoaderCircle } from "lucide-react";
import { Chip } from "../components/chip.tsx";
import { formatBytes, formatExact } from "../components/format.ts";
import { Tooltip } from "../components/tooltip.tsx";

/** What the process of a model does now: a shape, a word, and when it leaves. */
export function ModelState(props: { readonly running: RunningModel | undefined }) {
  const { running } = props;
  if (running === undefined) {
    return (
      <Chip icon={<CircleDashed size={12} aria-hidden />}>
        <span className="sr-only">Model is </span>not loaded
      </Chip>
    );
  }
  switch (running.state) {
    case "loading":
      return (
        <Chip tone="accent" icon={<LoaderCircle size={12} aria-hidden className="spin" />}>
          Loading
        </Chip>
      );
    case "busy":
      return (
        <Explained running={running}>
          <Chip tone="accent" icon={<LoaderCircle size={12} aria-hidden className="spin" />}>
            Busy{running.busy > 0 && ` with ${running.busy}`}
            {running.waiting > 0 && `, ${running.waiting} waiting`}
          </Chip>
        </Explained>
      );
    case "failed":
      return (
        <Chip tone="bad" icon={<CircleAlert size={12} aria-hidden />}>
          Could not be loaded
        </Chip>
      );
    default:
      return (
        <Explained running={running}>
          <Chip tone="good" icon={<CircleCheck size={12} aria-hidden />}>
            Loaded
          </Chip>
        </Explained>
      );
  }
}

/** When an idle model leaves: `leaves in 4 min`, or that it stays. */
export function whenItLeaves({ state, expiresAt }: RunningModel, now: number): string | undefined {
  if (state !== "ready") return undefined;
  if (expiresAt === null) return "stays loaded";
  const seconds = Math.max(0, Math.round((new Date(expiresAt).getTime() - now) / 1000));
  return seconds < 90 ? `leaves in ${seconds} s` : `leaves in ${Math.round(seconds / 60)} min`;
}

function Explained(props: { readonly running: RunningModel; readonly children: React.ReactNode }) {
  const { memoryBytes, device, adapters, contextTokens, tokensPerSecond, expiresAt } = props.running;
  const facts: readonly (readonly [string, string])[] = [
    ...(memoryBytes === null ? [] : [["memory", formatBytes(memoryBytes)] as const]),
    ...(contextTokens === null ? [] : [["context", `${contextTokens.toLocaleString("en-US")} tokens`] as const]),
    ...(device === null ? [] : [["runs on", device.toUpperCase()] as const]),
    ...(adapters.length === 0 ? [] : [["adapters", adapters.join(", ")] as const]),
    ...(tokensPerSecond === null ? [] : [["last answer", `${Math.round(tokensPerSecond)} tokens/s`] as const]),
    ...(expiresAt === null ? [] : [["leaves", formatExact(new Date(expiresAt))] as const]),
  ];
  return (
    <Tooltip
      content={
        <dl className="tabular grid grid-cols-[auto_1fr] gap-x-3">
          {facts.map(([name, value]) => (
            <div key={name} className="contents">
              <dt className="text-muted">{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      }
    >
      <span className="inline-flex rounded-full" tabIndex={0}>
        {props.children}
      </span>
    </Tooltip>
  );
}
