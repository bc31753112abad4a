import { classes } from "../../components/classes.ts";
import { paint } from "../paint.ts";
import { mergeMarks } from "./merge-marks.ts";

interface Pair {
  readonly before: string | null;
  readonly after: string | null;
  readonly marksBefore?: readonly (readonly [number, number])[] | undefined;
  readonly marksAfter?: readonly (readonly [number, number])[] | undefined;
}

const removed = "rounded-xs bg-diff-removed-mark decoration-bad line-through decoration-1";
const added = "rounded-xs bg-diff-added-mark underline decoration-good decoration-1 underline-offset-2";

/** A text of both sides in one, with words struck through and words underlined; one below the other where that fails. */
export function MergedText(props: { readonly pair: Pair }) {
  const { before, after, marksBefore, marksAfter } = props.pair;
  // A part that is new or gone as a whole has its sign beside it: single words need no mark.
  if (before === null) return <ins className="no-underline">{after}</ins>;
  if (after === null) return <del className="decoration-bad decoration-1">{before}</del>;
  if (before === after) return <>{after}</>;
  const hasMarks = (marksBefore?.length ?? 0) + (marksAfter?.length ?? 0) > 0;
  const merged = hasMarks ? mergeMarks(before, after, marksBefore ?? [], marksAfter ?? []) : undefined;
  if (merged === undefined) {
    return (
      <>
        <span className="block">
          <Deleted>{before}</Deleted>
        </span>
        <span className="block">
          <Inserted>{after}</Inserted>
        </span>
      </>
    );
  }
  return (
    <>
      {merged.map(({ text, kind }, index) =>
        kind === "same" ? (
          <span key={index}>{text}</span>
        ) : kind === "removed" ? (
          <Deleted key={index}>{text}</Deleted>
        ) : (
          <Inserted key={index}>{text}</Inserted>
        ),
      )}
    </>
  );
}

function Deleted(props: { readonly children: string }) {
  return (
    <del className={removed}>
      <span className="sr-only">removed: </span>
      {props.children}
    </del>
  );
}

function Inserted(props: { readonly children: string }) {
  return (
    <ins className={added}>
      <span className="sr-only">added: </span>
      {props.children}
    </ins>
  );
}

/** One side alone, with the words that differ marked. */
export function SideText(props: { readonly pair: Pair; readonly side: "before" | "after" }) {
  const { pair, side } = props;
  const text = pair[side] ?? "";
  const marks = (side === "before" ? pair.marksBefore : pair.marksAfter) ?? [];
  return (
    <>
      {paint(text, undefined, marks).map((segment, index) => (
        <span key={index} className={classes(segment.marked && (side === "before" ? removed : added))}>
          {segment.text}
        </span>
      ))}
    </>
  );
}
