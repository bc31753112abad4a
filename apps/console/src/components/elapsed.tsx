import { useEffect, useState } from "react";
import { formatDuration } from "./format.ts";

/** Time since `since`, ten times a second at first and once a second later. */
export function Elapsed(props: { readonly since: string; readonly className?: string }) {
  const start = new Date(props.since).getTime();
  const [now, setNow] = useState(() => Date.now());
  const elapsed = Math.max(0, now - start);
  const pace = elapsed < 60_000 ? 100 : 1000;
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), pace);
    return () => clearInterval(timer);
  }, [pace]);
  return <span className={props.className}>{formatDuration(Math.floor(elapsed / 100) * 100)}</span>;
}
