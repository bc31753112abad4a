import type { Json } from "@benchtop/protocol";
import { Check, Circle, CircleDot, CircleSlash } from "lucide-react";
import { factsOf } from "./turn.ts";

const states = {
  planned: { icon: Circle, words: "Planned", style: "text-faint" },
  doing: { icon: CircleDot, words: "Doing", style: "text-accent-ink" },
  done: { icon: Check, words: "Done", style: "text-good" },
  dropped: { icon: CircleSlash, words: "Dropped", style: "text-faint" },
} as const;

/** What an agent says it is going to do, and how far it is. It is a model's text: what cannot be read is left out. */
export function PlanView(props: { readonly plan: Json }) {
  const { steps } = factsOf(props.plan);
  const read = (Array.isArray(steps) ? steps : []).flatMap((each) => {
    const { step, status } = factsOf(each);
    const state = Object.entries(states).find(([name]) => name === status)?.[1];
    return typeof step === "string" && state !== undefined ? [{ step, state }] : [];
  });
  if (read.length === 0) return null;
  return (
    <ol aria-label="Plan" className="flex flex-col gap-0.5 rounded-lg border border-line bg-sunken px-3 py-2 text-sm">
      {read.map(({ step, state: { icon: Icon, words, style } }, index) => (
        <li key={index} className="flex items-start gap-2">
          <Icon size={13} aria-label={words} className={`mt-0.75 shrink-0 ${style}`} />
          <span
            className={words === "Dropped" ? "text-faint line-through" : words === "Done" ? "text-muted" : undefined}
          >
            {step}
          </span>
        </li>
      ))}
    </ol>
  );
}
