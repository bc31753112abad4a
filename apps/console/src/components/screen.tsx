import { useEffect, type ReactNode } from "react";
import { classes } from "./classes.ts";

/** A screen of the console: its bar with title and actions, and its content below. Also names the browser tab. */
export function Screen(props: {
  readonly title: string;
  readonly bar?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
  /** The content scrolls as a whole, unless the screen scrolls its own parts. */
  readonly scroll?: boolean;
}) {
  useEffect(() => {
    document.title = `${props.title} · Benchtop`;
  }, [props.title]);
  return (
    <main id="main" tabIndex={-1} className="flex min-h-0 min-w-0 flex-1 flex-col outline-none!">
      <header className="flex h-(--bar) shrink-0 items-center gap-2 border-b border-line px-4">
        {props.bar ?? <h1 className="truncate text-base font-semibold">{props.title}</h1>}
        {props.actions !== undefined && <div className="ml-auto flex items-center gap-2">{props.actions}</div>}
      </header>
      <div className={classes("min-h-0 flex-1", props.scroll === false ? "flex flex-col" : "overflow-y-auto")}>
        {props.children}
      </div>
    </main>
  );
}
