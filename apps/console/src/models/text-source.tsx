import { FileUp } from "lucide-react";
import { useId, useRef, type ReactNode } from "react";
import { Button } from "../components/button.tsx";
import { formatCount, formatNumber } from "../components/format.ts";

/** Characters beyond which a text is not shown as a field: drawing it would take longer than reading it. */
const longestShown = 200_000;

/** A text that is pasted or taken from a file; it stays in this browser until it is sent. */
export function TextSource(props: {
  readonly label: string;
  readonly value: string;
  readonly onChange: (text: string) => void;
  readonly placeholder: string;
  readonly hint?: ReactNode;
  readonly error?: string | undefined;
  readonly accept?: string;
}) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const note = props.error ?? props.hint;
  return (
    <div>
      <div className="mb-1 flex items-end justify-between">
        <label htmlFor={id} className="text-sm font-medium text-muted">
          {props.label}
        </label>
        <Button
          size="small"
          tone="quiet"
          icon={<FileUp size={13} aria-hidden />}
          aria-label={`${props.label}: from a file`}
          onClick={() => input.current?.click()}
        >
          From a file…
        </Button>
        <input
          ref={input}
          type="file"
          hidden
          accept={props.accept}
          aria-label={`File for ${props.label}`}
          onChange={(event) => {
            const [file] = event.target.files ?? [];
            event.target.value = "";
            if (file !== undefined) void file.text().then(props.onChange);
          }}
        />
      </div>
      {props.value.length > longestShown ? (
        <div className="tabular flex items-center gap-3 rounded-md border border-line-strong bg-sunken px-3 py-2.5">
          <p id={id} className="min-w-0 flex-1">
            {formatCount(lineCount(props.value), "line")}, {formatNumber(props.value.length)} characters
          </p>
          <Button size="small" onClick={() => props.onChange("")}>
            Take away
          </Button>
        </div>
      ) : (
        <textarea
          id={id}
          className="field h-24! py-1.5 font-mono text-xs"
          spellCheck={false}
          value={props.value}
          placeholder={props.placeholder}
          onChange={(event) => props.onChange(event.target.value)}
          aria-invalid={props.error !== undefined || undefined}
          aria-describedby={note === undefined ? undefined : `${id}-note`}
        />
      )}
      {note !== undefined && (
        <p id={`${id}-note`} className={`mt-1 text-sm ${props.error === undefined ? "text-faint" : "text-bad"}`}>
          {note}
        </p>
      )}
    </div>
  );
}

function lineCount(text: string): number {
  return text.split("\n").filter((line) => line.trim() !== "").length;
}
