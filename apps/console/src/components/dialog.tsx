import { Dialog as Base } from "@base-ui/react/dialog";
import { X } from "lucide-react";
import { useEffect, useRef, useState, type ReactNode } from "react";
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
  /** What it shows is lost when it closes: only its own buttons close it. */
  readonly staysOpen?: boolean;
}) {
  const popup = useRef<HTMLDivElement>(null);
  const [before] = useState(() => document.activeElement);
  useEffect(
    () => () => {
      // A window that is taken away while it is open gives the focus back, too; at least to the screen below.
      setTimeout(() => {
        if (document.activeElement !== document.body) return;
        const target = before?.isConnected === true ? before : document.querySelector("#main");
        if (target instanceof HTMLElement) target.focus();
      });
    },
    [before],
  );
  return (
    <Base.Root open={props.open} onOpenChange={(open) => !open && props.staysOpen !== true && props.onClose()}>
      <Base.Portal>
        <Base.Backdrop className="floating fixed inset-0 z-40 bg-scrim" />
        <Base.Viewport className="fixed inset-0 z-40 flex items-start justify-center overflow-y-auto p-3 pt-[12vh] max-sm:items-end max-sm:p-0">
          <Base.Popup
            ref={popup}
            // A field that asked for the focus keeps it; otherwise the window itself has it, not its Close button.
            initialFocus={() => (popup.current?.contains(document.activeElement) ? false : popup.current)}
            className={classes(
              "floating w-full rounded-xl outline-none! border border-line bg-surface shadow-floating max-sm:rounded-b-none",
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
              {props.staysOpen !== true && (
                <Base.Close
                  aria-label="Close"
                  className="-mr-1.5 flex size-6 shrink-0 items-center justify-center rounded-md text-muted hover:bg-hover hover:text-ink"
                >
                  <X size={15} aria-hidden />
                </Base.Close>
              )}
            </header>
            <div className="px-5 py-4">{props.children}</div>
            {props.footer !== undefined && props.footer !== false && (
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
