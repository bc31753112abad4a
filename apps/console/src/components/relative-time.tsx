import { useSyncExternalStore } from "react";
import { formatExact, formatRelative } from "./format.ts";

/** A relative time that stays true, with the exact one on hover. */
export function RelativeTime(props: { readonly at: string; readonly className?: string }) {
  const now = useSyncExternalStore(subscribe, read);
  const at = new Date(props.at);
  return (
    <time dateTime={props.at} title={formatExact(at)} className={props.className}>
      {formatRelative(at, now)}
    </time>
  );
}

let current = new Date();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    current = new Date();
    for (const each of listeners) each();
  }, 10_000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

function read(): Date {
  if (timer === undefined && Date.now() - current.getTime() > 1000) current = new Date();
  return current;
}
