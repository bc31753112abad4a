import type { ReactNode } from "react";
import { classes } from "./classes.ts";

export type Tone = "neutral" | "accent" | "good" | "draft" | "bad";

const tones: Record<Tone, string> = {
  neutral: "border-line bg-surface text-muted",
  accent: "border-accent-line bg-accent-soft text-accent-ink",
  good: "border-good-line bg-good-soft text-good",
  draft: "border-draft-line bg-draft-soft text-draft",
  bad: "border-bad-line bg-bad-soft text-bad",
};

/** A small label of state. It always has words; the colour only repeats them. */
export function Chip(props: {
  readonly tone?: Tone;
  readonly icon?: ReactNode;
  readonly children: ReactNode;
  readonly className?: string;
}) {
  return (
    <span
      className={classes(
        "tabular inline-flex h-5.5 min-w-0 shrink-0 items-center gap-1 rounded-full border px-2 text-xs font-medium whitespace-nowrap",
        tones[props.tone ?? "neutral"],
        props.className,
      )}
    >
      {props.icon}
      {props.children}
    </span>
  );
}
