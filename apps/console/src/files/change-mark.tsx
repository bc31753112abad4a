import { classes } from "../components/classes.ts";
import type { FileChange } from "./tree.ts";

const marks = {
  added: { letter: "A", style: "text-good", words: "Added by the Draft" },
  modified: { letter: "M", style: "text-draft", words: "Modified by the Draft" },
  deleted: { letter: "D", style: "text-bad", words: "Deleted by the Draft" },
} as const;

/** A, M or D, as in version control. */
export function ChangeMark(props: { readonly change: FileChange }) {
  const { letter, style, words } = marks[props.change];
  return (
    <span title={words} className={classes("w-4 shrink-0 text-center font-mono text-xs font-semibold", style)}>
      {letter}
      <span className="sr-only"> ({words})</span>
    </span>
  );
}
