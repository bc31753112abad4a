import type { Change } from "@benchtop/operations";
import { useEffect, useState } from "react";

/** What was on screen, by Draft, as far as this tab remembers: another person looks for themselves. */
const seen = new Map<string, Set<string>>();

const storageKey = (draftId: string): string => `benchtop.seen.${draftId}`;
const keyOf = (change: Change): string => `${change.sha256After?.slice(0, 12) ?? ""} ${change.path}`;

/** Notes that a person has a change before their eyes; tells whether they had another one, as it is now. */
export function useLookedAt(draftId: string | null | undefined, shown: Change | undefined) {
  const [, setCount] = useState(0);
  const current = shown === undefined ? undefined : keyOf(shown);
  useEffect(() => {
    if (draftId == null || current === undefined) return;
    const ofDraft = seenOf(draftId).add(current);
    sessionStorage.setItem(storageKey(draftId), JSON.stringify([...ofDraft]));
    setCount(ofDraft.size);
  }, [draftId, current]);
  return (change: Change): boolean => draftId != null && seenOf(draftId).has(keyOf(change));
}

function seenOf(draftId: string): Set<string> {
  let ofDraft = seen.get(draftId);
  if (ofDraft === undefined) seen.set(draftId, (ofDraft = new Set(kept(draftId))));
  return ofDraft;
}

/** What an earlier load of this tab noted, unless it is damaged. */
function kept(draftId: string): string[] {
  try {
    const list: unknown = JSON.parse(sessionStorage.getItem(storageKey(draftId)) ?? "[]");
    return Array.isArray(list) ? list.filter((each) => typeof each === "string") : [];
  } catch {
    return [];
  }
}
