import { operations, type DocumentDiff, type PageChanges } from "@benchtop/operations";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef, useState, type Ref } from "react";
import { classes } from "../../components/classes.ts";
import { Checkbox } from "../../components/checkbox.tsx";
import { formatCount } from "../../components/format.ts";
import { CompareImages, CompareModes, Picture, type CompareMode, type PicturedSide } from "./compare-images.tsx";
import { MergedText } from "./marked-text.tsx";
import { PartMark, wordsOf } from "./part-mark.tsx";
import { useChangeHandle, type ChangeHandle } from "./steps.ts";

type Pages = Extract<DocumentDiff, { kind: "pages" }>;

/** The pages of a PDF as pictures of both sides, changed ones first, with the lines that changed. */
export function PageView(props: {
  readonly diff: Pages;
  readonly workbenchId: string;
  /** Changes whenever the pictures may have. */
  readonly version: string;
  readonly handle: Ref<ChangeHandle>;
}) {
  const { diff, handle } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const [mode, setMode] = useState<CompareMode>("side");
  const [changedFirst, setChangedFirst] = useState(true);
  const [current, setCurrent] = useState(-1);
  const pages = useMemo(
    () =>
      changedFirst
        ? [...diff.pages].sort((a, b) => Number(a.change === "same") - Number(b.change === "same"))
        : diff.pages,
    [diff.pages, changedFirst],
  );
  const stops = useMemo(() => pages.flatMap((page, index) => (page.change === "same" ? [] : [index])), [pages]);
  const virtualizer = useVirtualizer({
    count: pages.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => (pages[index]?.change === "same" ? 320 : 560),
    overscan: 1,
    gap: 16,
    paddingStart: 12,
    paddingEnd: 40,
  });
  useChangeHandle(handle, {
    step: (by) => {
      const next = Math.max(0, Math.min(stops.length - 1, current + by));
      setCurrent(next);
      virtualizer.scrollToIndex(stops[next] ?? 0, { align: "start" });
    },
  });
  const changed = stops.length;
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="tabular flex shrink-0 flex-wrap items-center gap-x-4 gap-y-1 border-b border-line px-3 py-1.5 text-sm">
        <span className="flex-1 text-muted">
          {formatCount(diff.pages.length, "page")}, {changed} changed
        </span>
        {changed > 0 && changed < diff.pages.length && (
          <Checkbox label="Changed pages first" checked={changedFirst} onChange={setChangedFirst} />
        )}
        {diff.change === "modified" && <CompareModes mode={mode} onMode={setMode} />}
      </div>
      <div
        ref={scroller}
        tabIndex={0}
        role="region"
        aria-label={`Pages of ${diff.path}`}
        className="min-h-0 flex-1 overflow-y-auto bg-canvas focus-visible:-outline-offset-2"
      >
        <div className="relative" style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map((item) => {
            const page = pages[item.index];
            return (
              page !== undefined && (
                <div
                  key={item.key}
                  data-index={item.index}
                  ref={virtualizer.measureElement}
                  className="absolute inset-x-0 px-3"
                  style={{ transform: `translateY(${item.start}px)` }}
                >
                  <PageCard
                    page={page}
                    mode={diff.change === "modified" ? mode : "side"}
                    alone={diff.change !== "modified"}
                    current={item.index === stops[current]}
                    source={(side, number) => pageAddress(props.workbenchId, diff.path, side, number, props.version)}
                  />
                </div>
              )
            );
          })}
        </div>
      </div>
    </div>
  );
}

function PageCard(props: {
  readonly page: PageChanges;
  readonly mode: CompareMode;
  /** There is one side only. */
  readonly alone: boolean;
  readonly current: boolean;
  readonly source: (side: "published" | "draft", page: number) => string;
}) {
  const { page, source } = props;
  const { oldPage, newPage, change } = page;
  const title =
    oldPage !== null && newPage !== null && oldPage !== newPage
      ? `Page ${oldPage}, now ${newPage}`
      : `Page ${newPage ?? oldPage}`;
  const picture = (side: "published" | "draft", number: number | null): PicturedSide | null =>
    number === null
      ? null
      : {
          source: source(side, number),
          alt: `Page ${number} ${side === "draft" ? "after" : "before"}`,
          size: page.size,
        };
  const before = picture("published", oldPage);
  const after = picture("draft", newPage);
  const lines = page.lines.filter((line) => line.change !== "same");
  const only = after ?? before;
  return (
    <article
      className={classes(
        "rounded-lg border bg-surface p-3",
        props.current ? "border-accent ring-1 ring-accent" : "border-line",
      )}
    >
      <h3 className="mb-2 flex items-center gap-1 text-sm font-semibold">
        <PartMark change={change} />
        {title}
        <span className="ml-1 font-normal text-muted">{change === "same" ? "" : wordsOf(change).toLowerCase()}</span>
      </h3>
      {(change === "same" || props.alone) && only !== null ? (
        <div className="mx-auto max-w-120">
          <Picture picture={only} />
        </div>
      ) : (
        <CompareImages before={before} after={after} mode={props.mode} />
      )}
      {lines.length > 0 && !props.alone && (
        <details className="mt-3 text-sm" open={lines.length <= 12}>
          <summary className="font-medium text-muted">{formatCount(lines.length, "changed line")} of text</summary>
          <ul className="mt-1.5 grid gap-0.5">
            {lines.map((line, index) => (
              <li key={index} className="flex gap-1 wrap-anywhere">
                <PartMark change={line.change} className="shrink-0" />
                <span className="min-w-0">
                  <MergedText pair={line} />
                </span>
              </li>
            ))}
          </ul>
        </details>
      )}
      {change === "changed" && lines.length === 0 && (
        <p className="mt-2 text-sm text-muted">No line of its text changed: compare the pictures.</p>
      )}
    </article>
  );
}

function pageAddress(
  workbenchId: string,
  path: string,
  side: "published" | "draft",
  page: number,
  version: string,
): string {
  const address = operations["review.getPage"].path.replace("{workbenchId}", encodeURIComponent(workbenchId));
  return `${address}?${new URLSearchParams({ path, side, page: String(page), v: version }).toString()}`;
}
