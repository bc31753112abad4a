import { ToggleGroup } from "@base-ui/react/toggle-group";
import { Toggle } from "@base-ui/react/toggle";
import type { ReactNode } from "react";

/** One of a few choices, all visible. */
export function Segmented<Value extends string>(props: {
  readonly label: string;
  readonly value: Value;
  readonly options: readonly { readonly value: Value; readonly label: string; readonly icon?: ReactNode }[];
  readonly onChange: (value: Value) => void;
}) {
  return (
    <ToggleGroup
      aria-label={props.label}
      value={[props.value]}
      onValueChange={(values) => {
        const chosen = props.options.find((option) => values.includes(option.value));
        if (chosen !== undefined) props.onChange(chosen.value);
      }}
      className="inline-flex rounded-md border border-line bg-sunken p-0.5"
    >
      {props.options.map((option) => (
        <Toggle
          key={option.value}
          value={option.value}
          className="flex h-6 items-center gap-1.5 rounded-sm px-2 text-sm font-medium text-muted transition-colors duration-(--quick) hover:text-ink data-pressed:bg-raised data-pressed:text-ink data-pressed:shadow-raised data-pressed:ring-1 data-pressed:ring-line-strong"
        >
          {option.icon}
          {option.label}
        </Toggle>
      ))}
    </ToggleGroup>
  );
}
