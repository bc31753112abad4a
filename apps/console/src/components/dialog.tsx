import { Dialog as Base } from "@base-ui/react/dialog";
import { X } from "lucide-react";
import type { ReactNode } from "react";
import { IconButton } from "./button.tsx";
import { classes } from "./classes.ts";

/** A modal window: traps focus, closes on Escape and outside clicks, and gives focus back. */
export function Dialog(props: {
  readonly open: boolean;
  readonly onClose: () => void;
  readonly title: ReactNode;
  readonly description?: ReactNode;
  readonly children?: ReactNode;
  readonly footer?: ReactNode;
  readonly wide?: boolean;
}) {
  return (
    <Base.Root open={props.open} onOpenChange={(open) => !open && props.onClose()}>
      <Base.Portal>
        <Base.Backdrop className="floating fixed inset-0 z-40 bg-scrim" />
        <Base.Viewport className="fixed inset-0 z-40 flex items-start justify-center overflow-y-auto p-3 pt-[12vh] max-sm:items-end max-sm:p-0">
          <Base.Popup
            className={classes(
              "floating w-full rounded-xl border border-line bg-surface shadow-floating max-sm:rounded-b-none",
              props.wide ? "max-w-180" : "max-w-120",
            )}
          >
            <header className="flex items-start gap-3 px-5 pt-4">
              <div className="min-w-0 flex-1">
                <Base.Title className="text-lg font-semibold tracking-tight">{props.title}</Base.Title>
                {props.description !== undefined && (
                  <Base.Description className="mt-0.5 text-muted">{props.description}</Base.Description>
                )}
              </div>
              <Base.Close render={<IconButton label="Close" size="small" className="-mr-1.5" />}>
                <X size={15} aria-hidden />
              </Base.Close>
            </header>
            <div className="px-5 py-4">{props.children}</div>
            {props.footer !== undefined && (
              <footer className="flex flex-wrap items-center justify-end gap-2 border-t border-line px-5 py-3">
                {props.footer}
              </footer>
            )}
          </Base.Popup>
        </Base.Viewport>
      </Base.Portal>
    </Base.Root>
  );
}
