import type { Json } from "@benchtop/protocol";
import { useState } from "react";

/** A value written as JSON. While it does not parse, what parsed last stays, and the reason stands below. */
export function JsonField(props: {
  readonly id: string;
  readonly value: Json | undefined;
  readonly onChange: (value: Json | undefined) => void;
  readonly rows?: number;
}) {
  const { id, value, onChange } = props;
  const [draft, setDraft] = useState<{ readonly text: string; readonly of: Json | undefined }>();
  const [wrong, setWrong] = useState<string>();
  // Written elsewhere meanwhile: the draft is of a value that is gone.
  const text = draft !== undefined && draft.of === value ? draft.text : textOf(value);
  const change = (next: string) => {
    if (next.trim() === "") {
      setWrong(undefined);
      setDraft({ text: next, of: undefined });
      onChange(undefined);
      return;
    }
    try {
      const parsed = JSON.parse(next) as Json;
      setWrong(undefined);
      setDraft({ text: next, of: parsed });
      onChange(parsed);
    } catch (thrown) {
      setWrong(thrown instanceof Error ? thrown.message : "This is no JSON.");
      setDraft({ text: next, of: value });
    }
  };
  return (
    <>
      <textarea
        id={id}
        className="field h-auto! py-1.5 font-mono text-xs"
        rows={props.rows ?? 3}
        spellCheck={false}
        placeholder="JSON"
        value={text}
        aria-invalid={wrong !== undefined || undefined}
        aria-describedby={wrong === undefined ? undefined : `${id}-wrong`}
        onChange={(event) => change(event.target.value)}
      />
      {wrong !== undefined && (
        <p id={`${id}-wrong`} className="mt-1 text-sm break-words text-bad">
          {wrong}
        </p>
      )}
    </>
  );
}

function textOf(value: Json | undefined): string {
  return value === undefined ? "" : JSON.stringify(value, null, 2);
}
