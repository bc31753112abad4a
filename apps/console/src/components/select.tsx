import { Select as Base } from "@base-ui/react/select";
import { Check, ChevronDown } from "lucide-react";
import type { ReactNode } from "react";
import { classes } from "./classes.ts";

export interface SelectOption {
  readonly value: string;
  readonly label: string;
  readonly icon?: ReactNode;
  readonly note?: string;
}

export function Select(props: {
  readonly label: string;
  readonly value: string;
  readonly options: readonly SelectOption[];
  readonly onChange: (value: string) => void;
  readonly quiet?: boolean;
  readonly className?: string;
  /** Of the control, where a label of its own names it. */
  readonly id?: string;
}) {
  const chosen = props.options.find((option) => option.value === props.value);
  return (
    <Base.Root
      items={props.options.map((option) => ({ value: option.value, label: option.label }))}
      value={props.value}
      onValueChange={(value) => typeof value === "string" && props.onChange(value)}
      modal={false}
    >
      <Base.Trigger
        id={props.id}
        aria-label={props.label}
        className={classes(
          "inline-flex h-7 min-w-0 items-center gap-1.5 rounded-md border px-2 text-sm font-medium transition-colors duration-(--quick)",
          props.quiet
            ? "border-transparent text-muted hover:bg-hover hover:text-ink"
            : "border-line-strong bg-raised text-ink shadow-raised hover:bg-hover",
          props.className,
        )}
      >
        {chosen?.icon}
        <span className="min-w-0 flex-1 truncate text-left">{chosen?.label ?? props.label}</span>
        <ChevronDown size={13} aria-hidden className="shrink-0 text-faint" />
      </Base.Trigger>
      <Base.Portal>
        <Base.Positioner sideOffset={4} alignItemWithTrigger={false} className="z-50">
          <Base.Popup className="floating max-h-(--available-height) min-w-(--anchor-width) overflow-y-auto rounded-lg border border-line bg-raised p-1 shadow-floating">
            {props.options.map((option) => (
              <Base.Item
                key={option.value}
                value={option.value}
                className="flex items-center gap-2 rounded-md px-2 py-1.25 outline-none data-highlighted:bg-hover"
              >
                <span className="flex w-3.5 shrink-0 justify-center">
                  <Base.ItemIndicator>
                    <Check size={13} aria-hidden />
                  </Base.ItemIndicator>
                </span>
                {option.icon}
                <Base.ItemText className="flex-1">{option.label}</Base.ItemText>
                {option.note !== undefined && <span className="pl-3 text-sm text-faint">{option.note}</span>}
              </Base.Item>
            ))}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
