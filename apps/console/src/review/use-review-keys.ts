import { useEffect, useRef } from "react";
import { isCovered, isTyping } from "../frame/frame-keys.ts";

export interface ReviewKeys {
  readonly file: (by: 1 | -1) => void;
  readonly change: (by: 1 | -1) => void;
  readonly toggleView: () => void;
  readonly toggleShownAs: () => void;
  readonly accept: () => void;
  readonly reject: () => void;
  readonly decideChange: (decision: "accept" | "reject") => void;
  readonly confirm: () => void;
  readonly edit: () => void;
  readonly publish: () => void;
}

/** The keys of Review, while nobody writes and no window is above it. */
export function useReviewKeys(keys: ReviewKeys): void {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || isCovered()) return;
      const actions: Record<string, () => void> = {
        j: () => latest.current.file(1),
        k: () => latest.current.file(-1),
        n: () => latest.current.change(1),
        p: () => latest.current.change(-1),
        v: () => latest.current.toggleView(),
        t: () => latest.current.toggleShownAs(),
        a: () => latest.current.accept(),
        x: () => latest.current.reject(),
        A: () => latest.current.decideChange("accept"),
        X: () => latest.current.decideChange("reject"),
        y: () => latest.current.confirm(),
        e: () => latest.current.edit(),
        ...(event.shiftKey && { Enter: () => latest.current.publish() }),
      };
      const action = actions[event.key];
      if (action === undefined) return;
      event.preventDefault();
      action();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
