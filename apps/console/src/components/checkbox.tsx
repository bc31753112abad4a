import { Checkbox as Base } from "@base-ui/react/checkbox";
import { Check } from "lucide-react";
import type { ReactNode } from "react";

/** A box to tick, with its label and a word about it. */
export function Checkbox(props: {
  readonly label: ReactNode;
  readonly note?: ReactNode;
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
}) {
  return (
    <label className="flex items-start gap-2.5 rounded-md px-1.5 py-1 hover:bg-hover">
      <Base.Root
        checked={props.checked}
        onCheckedChange={props.onChange}
        className="mt-0.5 flex size-4 shrink-0 items-center justify-center rounded-sm border border-line-strong bg-raised data-checked:border-accent data-checked:bg-accent"
      >
        <Base.Indicator className="text-on-accent">
          <Check size={12} strokeWidth={3} aria-hidden />
        </Base.Indicator>
      </Base.Root>
      <span className="min-w-0">
        <span className="block">{props.label}</span>
        {props.note !== undefined && <span className="block text-sm text-muted">{props.note}</span>}
      </span>
    </label>
  );
}
