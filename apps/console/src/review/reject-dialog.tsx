import type { Change, DiffLine } from "@benchtop/operations";
import { ConfirmDialog } from "../components/confirm-dialog.tsx";
import { formatBytes, formatCount } from "../components/format.ts";

const linesNamed = 8;

/** What a person is about to take out of the Draft. */
export interface Rejection {
  readonly change: Change;
  /** One stretch of the file instead of the whole. */
  readonly stretch?: { readonly id: string; readonly lines: readonly DiffLine[] };
}

/** Asks once before changes leave the Draft, and names them: nothing keeps them. */
export function RejectDialog(props: {
  readonly rejection: Rejection;
  readonly onClose: () => void;
  readonly onConfirm: () => Promise<void>;
}) {
  const { change, stretch } = props.rejection;
  const name = change.path.slice(change.path.lastIndexOf("/") + 1);
  return (
    <ConfirmDialog
      title={stretch !== undefined ? `Reject this change of ${name}?` : `Reject ${name}?`}
      description={describe(props.rejection)}
      action="Reject"
      keep="Keep"
      onClose={props.onClose}
      onConfirm={props.onConfirm}
    >
      {stretch === undefined ? (
        <p className="tabular font-mono text-sm break-all">
          {change.path}
          {change.linesAdded !== null && change.linesRemoved !== null && (
            <span className="ml-2">
              <span className="text-good">+{change.linesAdded}</span>{" "}
              <span className="text-bad">−{change.linesRemoved}</span>
            </span>
          )}
        </p>
      ) : (
        <ul className="rounded-md border border-line bg-sunken p-2 font-mono text-sm">
          {stretch.lines.slice(0, linesNamed).map((line, index) => (
            <li key={index} className="truncate">
              <span aria-hidden>{line.kind === "added" ? "+ " : "− "}</span>
              <span className="sr-only">{line.kind}: </span>
              {line.text}
            </li>
          ))}
          {stretch.lines.length > linesNamed && (
            <li className="font-sans text-muted">and {formatCount(stretch.lines.length - linesNamed, "more line")}</li>
          )}
        </ul>
      )}
    </ConfirmDialog>
  );
}

function describe({ change, stretch }: Rejection): string {
  if (stretch !== undefined) {
    return "These lines become again what is published. The new ones are lost.";
  }
  if (change.change === "added") {
    return `This file is new${change.bytesAfter === null ? "" : ` (${formatBytes(change.bytesAfter)})`}: it leaves the Draft and is lost.`;
  }
  return "This file becomes again what is published. What the Draft changed in it is lost.";
}
