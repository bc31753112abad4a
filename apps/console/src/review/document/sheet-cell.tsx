import type { CellContent, SheetChanges, SheetRow } from "@benchtop/operations";
import { MessageSquareText } from "lucide-react";
import { classes } from "../../components/classes.ts";
import { columnName, readRange } from "./cell-names.ts";
import type { Cell, GridRow, Place } from "./sheet-layout.ts";

export const cellLook = { added: "bg-diff-added", removed: "bg-diff-removed", changed: "bg-draft-soft" } as const;

/** Old above new in a changed cell. */
export function CellText(props: { readonly cell: Cell; readonly whole: SheetRow["change"] }) {
  const { before, after, change, comment } = props.cell;
  const shown = after ?? before;
  const comments = comment !== null && (
    <MessageSquareText size={10} className="absolute top-0.5 right-0.5 text-accent-ink" aria-label="Has a comment" />
  );
  if (change === "changed" && before !== null && after !== null) {
    return (
      <span className="flex h-full flex-col justify-center leading-4.5">
        <del className={classes("block truncate text-bad decoration-1", align(before))}>
          <span className="sr-only">was </span>
          <Content content={before} other={after} />
        </del>
        <ins className={classes("block truncate font-medium text-good no-underline", align(after))}>
          <span className="sr-only">, is now </span>
          <Content content={after} other={before} />
        </ins>
        {comments}
      </span>
    );
  }
  const gone = change === "removed" || props.whole === "removed";
  return (
    <span
      className={classes(
        "block h-full truncate leading-6.5",
        shown !== null && align(shown),
        gone && "text-bad line-through",
        !gone && (change === "added" || props.whole === "added") && "text-good",
      )}
    >
      {change !== "same" && props.whole === "changed" && (
        <span className="sr-only">{gone ? "removed: " : "added: "}</span>
      )}
      {shown !== null && <Content content={shown} />}
      {comments}
    </span>
  );
}

/** As it is shown; where only the formula differs, or nobody has computed it yet, the formula. */
function Content(props: { readonly content: CellContent; readonly other?: CellContent }) {
  const { content, other } = props;
  if (content.formula !== null && (isUncomputed(content) || other?.text === content.text)) return `=${content.formula}`;
  return content.text;
}

/** A value that depends on what was changed is not kept: the program that opens the file computes it. */
function isUncomputed({ text, formula }: CellContent): boolean {
  return text === "" && formula !== null;
}

export function align(content: CellContent): string {
  return content.type === "number" || content.type === "date" ? "text-right" : "";
}

/** What the current cell holds on both sides, whole: a formula bar for a comparison. */
export function CellDetail(props: {
  readonly place: Place;
  readonly row: GridRow | undefined;
  readonly cell: Cell | undefined;
  readonly sheet: SheetChanges;
}) {
  const { place, row, cell, sheet } = props;
  if (row === undefined || row.kind === "gap") return null;
  const number = row.row.newRow ?? row.row.oldRow ?? 0;
  const range = sheet.merged.find((text) => {
    const merged = readRange(text);
    return (
      merged !== undefined &&
      place.column >= merged.fromColumn &&
      place.column <= merged.toColumn &&
      number >= merged.fromRow &&
      number <= merged.toRow
    );
  });
  const same = cell?.change === "same" || cell === undefined;
  return (
    <dl
      aria-live="polite"
      className="tabular flex max-h-28 min-h-9 shrink-0 flex-wrap items-baseline gap-x-3 gap-y-0.5 overflow-y-auto border-b border-line px-3 py-1.5 text-sm"
    >
      <div className="flex items-baseline gap-1.5">
        <dt className="sr-only">Cell</dt>
        <dd className="font-mono font-semibold">
          {columnName(place.column)}
          {number}
        </dd>
      </div>
      {range !== undefined && (
        <div className="text-muted">
          <dt className="sr-only">Merged</dt>
          <dd>merged {range}</dd>
        </div>
      )}
      {cell === undefined ? (
        <div className="text-faint">
          <dt className="sr-only">Content</dt>
          <dd>empty</dd>
        </div>
      ) : same ? (
        <Value name="Content" content={cell.after ?? cell.before} />
      ) : (
        <>
          <Value name="Before" content={cell.before} />
          <Value name="After" content={cell.after} />
        </>
      )}
      {cell !== undefined && cell.comment !== null && (
        <div className="flex min-w-0 items-baseline gap-1.5">
          <dt className="text-muted">Comment</dt>
          <dd className="min-w-0 wrap-anywhere">{cell.comment}</dd>
        </div>
      )}
    </dl>
  );
}

function Value(props: { readonly name: string; readonly content: CellContent | null }) {
  const { name, content } = props;
  return (
    <div className="flex min-w-0 items-baseline gap-1.5">
      <dt className="text-muted">{name}</dt>
      <dd className="min-w-0 wrap-anywhere">
        {content === null ? (
          <span className="text-faint">empty</span>
        ) : (
          <>
            <span className={classes("font-medium", name === "Before" && "line-through")}>
              {isUncomputed(content) ? <span className="text-faint">computed when opened</span> : content.text}
            </span>
            {content.formula !== null && <code className="ml-1.5 text-xs text-muted">={content.formula}</code>}
          </>
        )}
      </dd>
    </div>
  );
}
