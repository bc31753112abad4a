import { useEffect, useImperativeHandle, useRef, type Ref } from "react";

/** What the keys n and p do in the part of Review that shows a change. */
export interface ChangeHandle {
  /** Goes to the next (1) or previous (-1) change. */
  readonly step: (by: 1 | -1) => void;
  /** Accepts or rejects the change that is current, where a change can be decided apart from its file. */
  readonly decide?: (decision: "accept" | "reject") => void;
}

/** A handle whose answer is always that of the last render. */
export function useChangeHandle(handle: Ref<ChangeHandle>, current: ChangeHandle): void {
  const latest = useRef(current);
  useEffect(() => {
    latest.current = current;
  });
  useImperativeHandle(handle, () => ({
    step: (by) => latest.current.step(by),
    decide: (decision) => latest.current.decide?.(decision),
  }));
}
