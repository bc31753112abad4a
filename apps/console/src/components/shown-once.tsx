import { Check, Copy } from "lucide-react";
import { Button } from "./button.tsx";
import { useCopy } from "./copy-text.tsx";

/** Something that nobody will ever see again, to be copied now. */
export function ShownOnce(props: { readonly label: string; readonly secret: string; readonly takesFocus?: boolean }) {
  const { copied, copy } = useCopy(props.secret);
  return (
    <div>
      <p className="mb-1 text-sm font-medium text-muted">{props.label}</p>
      <div className="flex items-start gap-2 rounded-lg border border-line-strong bg-sunken p-2 pl-3 max-sm:flex-col">
        <code aria-label={props.label} className="min-w-0 flex-1 self-center text-sm break-all select-all">
          {props.secret}
        </code>
        <Button
          size="small"
          autoFocus={props.takesFocus === true}
          className="max-sm:w-full"
          icon={copied ? <Check size={13} aria-hidden className="text-good" /> : <Copy size={13} aria-hidden />}
          onClick={copy}
        >
          {copied ? "Copied" : "Copy"}
        </Button>
      </div>
      <span role="status" className="sr-only">
        {copied ? `${props.label} copied` : ""}
      </span>
    </div>
  );
}
