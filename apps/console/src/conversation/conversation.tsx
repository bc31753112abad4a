import type { ConversationEntry } from "@benchtop/operations";
import { ArrowDown, MessagesSquare } from "lucide-react";
import { useEffect, useLayoutEffect, useRef, useState, type ReactNode } from "react";
import { Button } from "../components/button.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { TurnView, type TurnActions } from "./turn-view.tsx";

/** The runs of a workbench, oldest first. Stays at the end while it grows, unless the person has scrolled up to read. */
export function Conversation(props: {
  readonly entries: readonly ConversationEntry[];
  readonly actions: TurnActions;
  readonly earlier: { readonly load: () => void; readonly busy: boolean } | undefined;
  readonly hasFiles: boolean;
  readonly suggestions: ReactNode;
  readonly top?: ReactNode;
}) {
  const { entries } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const pinned = useRef(true);
  const seen = useRef({ scrollTop: 0, scrollHeight: 0, clientHeight: 0 });
  const [away, setAway] = useState(false);
  const newest = entries.at(-1)?.runId;

  const toEnd = () => {
    pinned.current = true;
    scroller.current?.scrollTo({ top: scroller.current.scrollHeight });
  };
  useLayoutEffect(toEnd, [newest]);
  useEffect(() => {
    // The room for it changes, too: when a pane opens, when the field below grows.
    const elements = [content.current, scroller.current];
    const observer = new ResizeObserver(() => {
      if (pinned.current) scroller.current?.scrollTo({ top: scroller.current.scrollHeight });
    });
    for (const element of elements) if (element !== null) observer.observe(element);
    return () => observer.disconnect();
  }, []);

  return (
    <div className="relative min-h-0 flex-1">
      <div
        ref={scroller}
        tabIndex={0}
        role="log"
        aria-label="Conversation"
        className="h-full overflow-y-auto focus-visible:-outline-offset-2"
        onScroll={(event) => {
          const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
          const before = seen.current;
          seen.current = { scrollTop, scrollHeight, clientHeight };
          // The browser keeps what is read in place while the layout changes around it: nobody has scrolled up.
          const isLaidOut = scrollHeight !== before.scrollHeight || clientHeight !== before.clientHeight;
          if (pinned.current && isLaidOut && scrollTop >= before.scrollTop) return;
          pinned.current = scrollHeight - scrollTop - clientHeight < 60;
          setAway(!pinned.current);
        }}
      >
        <div ref={content} className="mx-auto flex max-w-190 flex-col gap-6 px-4 pt-4 pb-5">
          {props.top}
          {props.earlier !== undefined && (
            <Button
              size="small"
              tone="quiet"
              busy={props.earlier.busy}
              onClick={props.earlier.load}
              className="self-center"
            >
              Show earlier
            </Button>
          )}
          {entries.length === 0 && (
            <EmptyState
              icon={<MessagesSquare size={18} aria-hidden />}
              title={props.hasFiles ? "Ask for a change" : "First add some files"}
              action={props.suggestions}
            >
              {props.hasFiles
                ? "The agent reads the files on the left and writes a Draft. Nothing is real until you have reviewed and published it."
                : "Drop files or folders on the left. They are copied; the originals are never touched."}
            </EmptyState>
          )}
          {entries.map((entry) => (
            <TurnView key={entry.runId} entry={entry} actions={props.actions} />
          ))}
        </div>
      </div>
      {away && (
        <div className="absolute inset-x-0 bottom-2 flex justify-center">
          <Button size="small" icon={<ArrowDown size={13} aria-hidden />} onClick={toEnd} className="shadow-floating">
            Jump to now
          </Button>
        </div>
      )}
    </div>
  );
}
