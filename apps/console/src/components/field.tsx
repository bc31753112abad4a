import { useId, type ComponentProps, type ReactNode } from "react";

/** A labelled text field; the hint or the error is tied to it for screen readers. */
export function TextField(
  props: ComponentProps<"input"> & {
    readonly label: string;
    readonly hint?: ReactNode;
    readonly error?: string | undefined;
  },
) {
  const { label, hint, error, id: givenId, ...rest } = props;
  const ownId = useId();
  const id = givenId ?? ownId;
  const noteId = `${id}-note`;
  const note = error ?? hint;
  return (
    <div>
      <label htmlFor={id} className="mb-1 block text-sm font-medium text-muted">
        {label}
      </label>
      <input
        {...rest}
        id={id}
        className={`field ${rest.className ?? ""}`}
        aria-invalid={error !== undefined || undefined}
        aria-describedby={note === undefined ? undefined : noteId}
      />
      {note !== undefined && (
        <p id={noteId} className={`mt-1 text-sm ${error === undefined ? "text-faint" : "text-bad"}`}>
          {note}
        </p>
      )}
    </div>
  );
}
