import { classes } from "../../components/classes.ts";

export type PartChange = "same" | "added" | "removed" | "changed" | "moved";

const looks: Record<PartChange, { readonly sign: string; readonly words: string; readonly style: string }> = {
  same: { sign: "", words: "Unchanged", style: "text-faint" },
  added: { sign: "+", words: "Added", style: "text-good" },
  removed: { sign: "−", words: "Removed", style: "text-bad" },
  changed: { sign: "±", words: "Changed", style: "text-draft" },
  moved: { sign: "↕", words: "Moved", style: "text-accent-ink" },
};

/** What happened to a part, as a sign that needs no colour. */
export function PartMark(props: { readonly change: PartChange; readonly className?: string }) {
  const { sign, words, style } = looks[props.change];
  if (props.change === "same") return <span aria-hidden className={classes("inline-block w-4", props.className)} />;
  return (
    <span
      title={words}
      className={classes("inline-block w-4 text-center font-mono text-sm font-semibold", style, props.className)}
    >
      <span aria-hidden>{sign}</span>
      <span className="sr-only">{words}: </span>
    </span>
  );
}

export function wordsOf(change: PartChange): string {
  return looks[change].words;
}

export const partBackground: Record<PartChange, string> = {
  same: "",
  added: "bg-diff-added",
  removed: "bg-diff-removed",
  changed: "bg-draft-soft",
  moved: "bg-accent-soft",
};

export const partLine: Record<PartChange, string> = {
  same: "border-line",
  added: "border-good-line",
  removed: "border-bad-line",
  changed: "border-draft-line",
  moved: "border-accent-line",
};
