import { useState } from "react";
import { failureOf, type Failure } from "../api/client.ts";

/** One thing that is tried, one at a time: whether it goes on, and what went wrong the last time. */
export function useAttempt() {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const attempt = async (action: () => Promise<void>) => {
    setBusy(true);
    setFailure(undefined);
    try {
      await action();
    } catch (thrown) {
      setFailure(failureOf(thrown));
    } finally {
      setBusy(false);
    }
  };
  return { busy, failure, attempt };
}
