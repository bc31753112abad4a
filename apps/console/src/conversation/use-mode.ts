import { useCallback, useState } from "react";

/** `message`: one answer, with proposed changes. `agent`: it works with tools until it is done. */
export type AskMode = "message" | "agent";

const lastKey = "benchtop.mode";

/** How questions are asked in a workbench; remembered for it, and for the next new one. */
export function useAskMode(workbenchId: string): readonly [AskMode, (mode: AskMode) => void] {
  const key = `${lastKey}.${workbenchId}`;
  const [mode, setMode] = useState<AskMode>(() =>
    (localStorage.getItem(key) ?? localStorage.getItem(lastKey)) === "message" ? "message" : "agent",
  );
  const choose = useCallback(
    (next: AskMode) => {
      localStorage.setItem(key, next);
      localStorage.setItem(lastKey, next);
      setMode(next);
    },
    [key],
  );
  return [mode, choose];
}
