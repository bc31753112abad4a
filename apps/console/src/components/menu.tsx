import { Menu as Base } from "@base-ui/react/menu";
import type { ReactElement, ReactNode } from "react";
import { classes } from "./classes.ts";

export interface MenuItem {
  readonly label: string;
  readonly icon?: ReactNode;
  readonly onSelect: () => void;
  readonly danger?: boolean;
  /** Shown under the label; the item cannot be chosen. */
  readonly disabledReason?: string | undefined;
}

export function Menu(props: {
  readonly trigger: ReactElement<Record<string, unknown>>;
  readonly items: readonly MenuItem[];
  readonly align?: "start" | "end";
}) {
  return (
    <Base.Root>
      <Base.Trigger render={props.trigger} />
      <Base.Portal>
        <Base.Positioner sideOffset={4} align={props.align ?? "end"} className="z-50">
          <Base.Popup className="floating min-w-48 max-w-80 rounded-lg border border-line bg-raised p-1 shadow-floating">
            {props.items.map((item) => (
              <Base.Item
                key={item.label}
                disabled={item.disabledReason !== undefined}
                onClick={item.onSelect}
                className={classes(
                  "flex gap-2 rounded-md px-2 py-1.25 outline-none data-highlighted:bg-hover",
                  item.danger && "text-bad",
                )}
              >
                <span className="mt-0.75 text-faint">{item.icon}</span>
                <span className={classes("min-w-0", item.disabledReason !== undefined && "text-faint")}>
                  {item.label}
                  {item.disabledReason !== undefined && (
                    <span className="block text-sm text-faint">{item.disabledReason}</span>
                  )}
                </span>
              </Base.Item>
            ))}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
