import { CircleAlert } from "lucide-react";

/** A failure in one line of a list, where its actions stand beside it. */
export function FailureLine(props: { readonly code: string; readonly message: string }) {
  return (
    <p role="alert" className="flex gap-2 text-sm">
      <CircleAlert size={13} aria-hidden className="mt-0.5 shrink-0 text-bad" />
      <span className="min-w-0 break-words">
        {props.message} <span className="font-mono text-xs text-muted">{props.code}</span>
      </span>
    </p>
  );
}
