import { Radio } from "@base-ui/react/radio";
import { RadioGroup } from "@base-ui/react/radio-group";
import { classes } from "./classes.ts";

/** One of a few choices, each with a sentence about it. */
export function RadioCards<Value extends string>(props: {
  readonly label: string;
  readonly value: Value;
  readonly options: readonly { readonly value: Value; readonly label: string; readonly note: string }[];
  readonly onChange: (value: Value) => void;
}) {
  return (
    <RadioGroup
      aria-label={props.label}
      value={props.value}
      onValueChange={(value) => {
        const chosen = props.options.find((option) => option.value === value);
        if (chosen !== undefined) props.onChange(chosen.value);
      }}
      className="overflow-hidden rounded-lg border border-line-strong bg-raised"
    >
      {props.options.map((option, index) => (
        <label
          key={option.value}
          className={classes(
            "flex items-start gap-2.5 px-3 py-2 hover:bg-hover has-data-checked:bg-accent-soft",
            index > 0 && "border-t border-line",
          )}
        >
          <Radio.Root
            value={option.value}
            className="mt-0.5 flex size-4 shrink-0 items-center justify-center rounded-full border border-line-strong bg-raised data-checked:border-accent data-checked:bg-accent"
          >
            <Radio.Indicator className="size-1.5 rounded-full bg-on-accent" />
          </Radio.Root>
          <span className="min-w-0">
            <span className="block font-medium">{option.label}</span>
            <span className="block text-sm text-muted">{option.note}</span>
          </span>
        </label>
      ))}
    </RadioGroup>
  );
}
