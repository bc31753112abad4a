import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { classes } from "./classes.ts";
import { shortId } from "./format.ts";

/** An id in short form; a click copies the whole of it. */
export function CopyId(props: { readonly id: string; readonly label: string; readonly className?: string }) {
  const { copied, copy } = useCopy(props.id);
  return (
    <button
      type="button"
      title={`${props.label}: ${props.id}`}
      aria-label={copied ? `${props.label} copied` : `Copy ${props.label} ${props.id}`}
      onClick={copy}
      className={classes(
        "inline-flex items-center gap-1 rounded-sm font-mono text-xs text-muted hover:text-ink",
        props.className,
      )}
    >
      {shortId(props.id)}
      {copied ? <Check size={12} aria-hidden className="text-good" /> : <Copy size={12} aria-hidden />}
    </button>
  );
}

/** True for a moment after `copy` put the text on the clipboard. */
export function useCopy(text: string): { readonly copied: boolean; readonly copy: () => void } {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return { copied, copy: () => void copy() };
}
