import { Tooltip as Base } from "@base-ui/react/tooltip";
import type { ReactElement, ReactNode } from "react";

/** What an element means, on hover and on keyboard focus. The trigger keeps its own role and handlers. */
export function Tooltip(props: {
  readonly content: ReactNode;
  readonly children: ReactElement<Record<string, unknown>>;
  readonly side?: "top" | "bottom" | "left" | "right";
}) {
  return (
    <Base.Root>
      <Base.Trigger render={props.children} />
      <Base.Portal>
        <Base.Positioner side={props.side ?? "top"} sideOffset={6} collisionPadding={8} className="z-50">
          <Base.Popup className="floating max-w-80 rounded-md border border-line bg-raised px-2 py-1 text-sm text-ink shadow-floating">
            {props.content}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
