import { LoaderCircle } from "lucide-react";
import { useId, type ComponentProps, type ReactNode } from "react";
import { classes } from "./classes.ts";
import { Tooltip } from "./tooltip.tsx";

export type ButtonTone = "primary" | "default" | "quiet" | "danger";

interface ButtonProps extends Omit<ComponentProps<"button">, "disabled"> {
  readonly tone?: ButtonTone;
  readonly size?: "small" | "medium";
  readonly icon?: ReactNode;
  /** Work is going on: the button keeps its place and takes no second click. */
  readonly busy?: boolean;
  /** Why the button cannot be used now. It stays focusable, so that everyone can read the reason. */
  readonly disabledReason?: string | undefined;
  readonly tip?: ReactNode;
}

const tones: Record<ButtonTone, string> = {
  primary: "bg-accent text-on-accent border-transparent shadow-raised",
  default: "bg-raised text-ink border-line-strong shadow-raised",
  quiet: "bg-transparent text-muted border-transparent",
  danger: "bg-raised text-bad border-bad-line shadow-raised",
};
const hovers: Record<ButtonTone, string> = {
  primary: "hover:bg-accent-hover",
  default: "hover:bg-hover",
  quiet: "hover:bg-hover hover:text-ink",
  danger: "hover:bg-bad-soft",
};

export function Button({
  tone = "default",
  size = "medium",
  icon,
  busy = false,
  disabledReason,
  tip,
  className,
  children,
  onClick,
  ...rest
}: ButtonProps) {
  const reasonId = useId();
  const off = busy || disabledReason !== undefined;
  const button = (
    <button
      type="button"
      {...rest}
      aria-disabled={off || undefined}
      aria-busy={busy || undefined}
      aria-describedby={disabledReason === undefined ? rest["aria-describedby"] : reasonId}
      onClick={(event) => {
        if (off) event.preventDefault();
        else onClick?.(event);
      }}
      className={classes(
        "inline-flex shrink-0 items-center justify-center gap-1.5 rounded-md border font-medium whitespace-nowrap transition-colors duration-(--quick) select-none",
        size === "small" ? "h-6.5 px-2 text-sm" : "h-8 px-3 text-base",
        disabledReason === undefined ? classes(tones[tone], !busy && hovers[tone]) : "border-line bg-sunken text-faint",
        className,
      )}
    >
      {busy ? <LoaderCircle size={14} className="spin" aria-hidden /> : icon}
      {children}
      {disabledReason !== undefined && (
        <span id={reasonId} className="sr-only" aria-hidden>
          {disabledReason}
        </span>
      )}
    </button>
  );
  const hint = disabledReason ?? tip;
  return hint === undefined ? button : <Tooltip content={hint}>{button}</Tooltip>;
}

/** A square button that shows only an icon; its label is read aloud and shown as a tooltip. */
export function IconButton({
  label,
  keys,
  disabledReason,
  size = "medium",
  className,
  onClick,
  side,
  ...rest
}: Omit<ComponentProps<"button">, "disabled"> & {
  readonly label: string;
  readonly keys?: string;
  readonly disabledReason?: string | undefined;
  readonly size?: "small" | "medium";
  readonly side?: "top" | "bottom" | "left" | "right";
}) {
  const hint = disabledReason ?? (keys === undefined ? label : `${label} (${keys})`);
  return (
    <Tooltip content={hint} {...(side !== undefined && { side })}>
      <button
        type="button"
        {...rest}
        aria-label={disabledReason === undefined ? label : `${label}: ${disabledReason}`}
        aria-disabled={disabledReason !== undefined || undefined}
        onClick={(event) => {
          if (disabledReason === undefined) onClick?.(event);
        }}
        className={classes(
          "inline-flex shrink-0 items-center justify-center rounded-md transition-colors duration-(--quick)",
          size === "small" ? "size-6" : "size-7.5",
          disabledReason === undefined ? "text-muted hover:bg-hover hover:text-ink" : "text-faint",
          className,
        )}
      />
    </Tooltip>
  );
}
