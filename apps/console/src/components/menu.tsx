import { Menu as Base } from "@base-ui/react/menu";
import { Check } from "lucide-react";
import type { ReactElement, ReactNode } from "react";
import { classes } from "./classes.ts";

export interface MenuItem {
  readonly label: string;
  readonly icon?: ReactNode;
  readonly onSelect: () => void;
  readonly danger?: boolean;
  /** Said at the end of the line. */
  readonly note?: string;
  /** Present where one of several items is the current one. */
  readonly checked?: boolean;
  /** Shown under the label; the item cannot be chosen. */
  readonly disabledReason?: string | undefined;
}

export interface MenuGroup {
  readonly heading?: string;
  readonly items: readonly MenuItem[];
}

export function Menu(props: {
  readonly trigger: ReactElement<Record<string, unknown>>;
  readonly items: readonly MenuItem[] | readonly MenuGroup[];
  /** Above the items: what the menu is about. */
  readonly title?: ReactNode;
  readonly align?: "start" | "end";
}) {
  const groups = props.items.flatMap((each) => ("items" in each ? [each] : []));
  const shown: readonly MenuGroup[] = groups.length > 0 ? groups : [{ items: props.items as readonly MenuItem[] }];
  return (
    <Base.Root>
      <Base.Trigger render={props.trigger} />
      <Base.Portal>
        <Base.Positioner sideOffset={4} align={props.align ?? "end"} collisionPadding={8} className="z-50">
          <Base.Popup className="floating max-h-(--available-height) max-w-80 min-w-48 overflow-y-auto rounded-lg border border-line bg-raised p-1 shadow-floating">
            {props.title !== undefined && <div className="border-b border-line px-2 pt-1 pb-2">{props.title}</div>}
            {shown.map((group, index) => (
              <Base.Group
                key={group.heading ?? index}
                className={classes(
                  (index > 0 || props.title !== undefined) && "pt-1",
                  index > 0 && "mt-1 border-t border-line",
                )}
              >
                {group.heading !== undefined && (
                  <Base.GroupLabel className="px-2 py-1 text-xs font-semibold text-faint">
                    {group.heading}
                  </Base.GroupLabel>
                )}
                {group.items.map((item) => (
                  <Item key={item.label} item={item} />
                ))}
              </Base.Group>
            ))}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

function Item({ item }: { readonly item: MenuItem }) {
  return (
    <Base.Item
      disabled={item.disabledReason !== undefined}
      onClick={item.onSelect}
      aria-current={item.checked === true ? "true" : undefined}
      className={classes(
        "flex gap-2 rounded-md px-2 py-1.25 outline-none data-highlighted:bg-hover",
        item.danger && "text-bad",
      )}
    >
      <span className="mt-0.75 text-faint">{item.icon}</span>
      <span className={classes("min-w-0 flex-1 break-words", item.disabledReason !== undefined && "text-faint")}>
        {item.label}
        {item.disabledReason !== undefined && <span className="block text-sm text-faint">{item.disabledReason}</span>}
      </span>
      {item.note !== undefined && <span className="shrink-0 pl-3 text-sm text-faint">{item.note}</span>}
      {item.checked !== undefined && (
        <Check
          size={13}
          aria-hidden
          className={classes("mt-1 shrink-0 text-accent-ink", !item.checked && "invisible")}
        />
      )}
    </Base.Item>
  );
}
