import type { DocumentDiff, SheetChanges } from "@benchtop/operations";
import { EyeOff } from "lucide-react";
import { useId, useRef, useState, type Ref } from "react";
import { classes } from "../../components/classes.ts";
import { formatCount, formatNumber } from "../../components/format.ts";
import { PartMark } from "./part-mark.tsx";
import { Grid, type GridHandle } from "./sheet-grid.tsx";
import { useChangeHandle, type ChangeHandle } from "./steps.ts";

type Sheets = Extract<DocumentDiff, { kind: "sheets" }>;

/** A spreadsheet as one: a tab for each sheet, a grid with the old and the new content of each changed cell. */
export function SheetView(props: { readonly diff: Sheets; readonly handle: Ref<ChangeHandle> }) {
  const { diff, handle } = props;
  const { sheets } = diff;
  const [chosen, setChosen] = useState(() => Math.max(0, sheets.findIndex(hasChanges)));
  const sheet = sheets[Math.min(chosen, sheets.length - 1)];
  const grid = useRef<GridHandle>(null);
  const landing = useRef<1 | -1>(undefined);
  const prefix = useId();
  useChangeHandle(handle, {
    step: (by) => {
      if (grid.current?.step(by) === true) return;
      const next = sheets.findIndex((each, index) => hasChanges(each) && (by === 1 ? index > chosen : false));
      const before = sheets.findLastIndex((each, index) => hasChanges(each) && index < chosen);
      const target = by === 1 ? next : before;
      if (target < 0) return;
      landing.current = by;
      setChosen(target);
    },
  });
  const hasTabs = sheets.length > 1 || (sheet !== undefined && (sheet.oldName !== null || sheet.hidden));
  if (sheet === undefined) return <p className="p-6 text-center text-muted">This file holds no sheet.</p>;
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      {hasTabs && (
        <div
          role="tablist"
          aria-label="Sheets"
          className="flex shrink-0 gap-0.5 overflow-x-auto border-b border-line bg-sunken px-2 pt-1"
          onKeyDown={(event) => {
            const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
            if (by === 0) return;
            event.preventDefault();
            const target = (chosen + by + sheets.length) % sheets.length;
            setChosen(target);
            (event.currentTarget.children[target] as HTMLElement | undefined)?.focus();
          }}
        >
          {sheets.map((each, index) => (
            <button
              key={index}
              type="button"
              role="tab"
              id={`${prefix}-tab-${index}`}
              aria-controls={`${prefix}-sheet`}
              aria-selected={index === chosen}
              tabIndex={index === chosen ? 0 : -1}
              onClick={() => setChosen(index)}
              className={classes(
                "tabular flex h-7 shrink-0 items-center gap-1 rounded-t-md border border-b-0 px-2 text-sm font-medium",
                index === chosen
                  ? "border-line bg-surface text-ink"
                  : "border-transparent text-muted hover:bg-hover hover:text-ink",
              )}
            >
              {each.change !== "same" && <PartMark change={each.change} />}
              {each.hidden && <EyeOff size={12} aria-label="Hidden sheet" className="text-muted" />}
              <span className={classes("max-w-48 truncate", each.change === "removed" && "line-through")}>
                {each.name}
              </span>
              {each.changedCells > 0 && (
                <span className="rounded-full bg-draft-soft px-1.5 text-xs text-draft">
                  {formatNumber(each.changedCells)}
                  <span className="sr-only"> changed cells</span>
                </span>
              )}
            </button>
          ))}
        </div>
      )}
      <div
        id={`${prefix}-sheet`}
        {...(hasTabs && {
          role: "tabpanel",
          "aria-labelledby": `${prefix}-tab-${chosen}`,
        })}
        className="flex min-h-0 flex-1 flex-col"
      >
        <SheetFacts sheet={sheet} />
        {sheet.rows.length === 0 ? (
          <p className="p-6 text-center text-muted">
            {sheet.change === "same" ? "No cell of this sheet changed." : "This sheet holds no cell."}
          </p>
        ) : (
          <Grid key={chosen} sheet={sheet} handle={grid} landing={landing} label={`${sheet.name}, ${diff.path}`} />
        )}
        {sheet.truncated && (
          <p className="border-t border-line bg-draft-soft px-3 py-1.5 text-sm text-draft">
            This sheet is long: not every changed row is shown. The count of changed cells speaks of what was compared.
          </p>
        )}
      </div>
    </div>
  );
}

function hasChanges(sheet: SheetChanges): boolean {
  return sheet.changedCells > 0 || sheet.change !== "same";
}

function SheetFacts(props: { readonly sheet: SheetChanges }) {
  const { sheet } = props;
  const facts = [
    sheet.oldName !== null && `was named ${sheet.oldName}`,
    sheet.oldRows === sheet.newRows
      ? formatCount(sheet.newRows, "row")
      : `${formatCount(sheet.oldRows, "row")} → ${formatNumber(sheet.newRows)}`,
    formatCount(sheet.changedCells, "changed cell"),
    sheet.hidden && "hidden",
    sheet.formatChanged && "formats, widths or merged cells changed too",
  ].filter((fact) => fact !== false);
  return <p className="tabular shrink-0 border-b border-line px-3 py-1 text-sm text-muted">{facts.join(" · ")}</p>;
}
