import type { Change } from "@benchtop/operations";
import { useEffect, useState } from "react";

/** What was on screen, by Draft. It is of this page alone: another person looks for themselves. */
const seen = new Map<string, Set<string>>();

const key = (change: Change): string => `${change.path}\0${change.sha256After}`;

/** Notes that a person has a change before their eyes; tells which changes nobody looked at here or accepted. */
export function useLookedAt(draftId: string | null | undefined, shown: Change | undefined) {
  const [, setCount] = useState(0);
  const of = draftId ?? "";
  const current = shown === undefined ? undefined : key(shown);
  useEffect(() => {
    if (current === undefined) return;
    const ofDraft = seen.get(of) ?? new Set();
    seen.set(of, ofDraft.add(current));
    setCount(ofDraft.size);
  }, [of, current]);
  return (change: Change): boolean => seen.get(of)?.has(key(change)) === true;
}
