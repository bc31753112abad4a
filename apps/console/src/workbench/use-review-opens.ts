import type { Workbench } from "@benchtop/operations";
import { useEffect, useRef } from "react";

/**
 * Review opens by itself when a Draft exists or appears, and closes when the Draft is gone. A person who closed it is
 * not asked again until the next Draft. Where there is room for one pane only, it waits until the run has ended.
 */
export function useReviewOpens(options: {
  readonly workbench: Workbench;
  readonly pane: string | undefined;
  readonly wait: boolean;
  /** The address asks for something else: a link is honoured. */
  readonly elsewhere: boolean;
  readonly open: () => void;
  readonly close: () => void;
}): void {
  const { workbench, pane, wait, elsewhere, open, close } = options;
  const { hasDraft } = workbench;
  const latest = useRef({ pane, elsewhere, open, close });
  useEffect(() => {
    latest.current = { pane, elsewhere, open, close };
  });
  const seen = useRef<boolean>(undefined);
  useEffect(() => {
    if (hasDraft && wait) return;
    const before = seen.current;
    seen.current = hasDraft;
    const asked = before === undefined && latest.current.elsewhere;
    if (hasDraft && before !== true && !asked && latest.current.pane !== "review") latest.current.open();
    if (!hasDraft && before === true && latest.current.pane === "review") latest.current.close();
  }, [hasDraft, wait]);
}
