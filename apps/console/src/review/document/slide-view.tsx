import type { DocumentDiff, SlideChanges, SlideShape } from "@benchtop/operations";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ChartColumn, Image as ImageIcon, Table2 } from "lucide-react";
import { useMemo, useRef, useState, type Ref } from "react";
import { classes } from "../../components/classes.ts";
import { formatCount } from "../../components/format.ts";
import { MergedText, SideText } from "./marked-text.tsx";
import { partBackground, partLine, PartMark, wordsOf } from "./part-mark.tsx";
import { useChangeHandle, type ChangeHandle } from "./steps.ts";

type Slides = Extract<DocumentDiff, { kind: "slides" }>;

/** Slides in order: a strip to go by, and for each slide where its parts lie and what their texts were and are. */
export function SlideView(props: {
  readonly diff: Slides;
  readonly view: "split" | "inline";
  readonly handle: Ref<ChangeHandle>;
}) {
  const { diff, view, handle } = props;
  const { slides } = diff;
  const scroller = useRef<HTMLDivElement>(null);
  const [current, setCurrent] = useState(-1);
  const [openedSame, setOpenedSame] = useState<ReadonlySet<number>>(new Set());
  const stops = useMemo(() => slides.flatMap(({ change }, index) => (change === "same" ? [] : [index])), [slides]);
  const virtualizer = useVirtualizer({
    count: slides.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => (slides[index]?.change === "same" ? 36 : 280),
    overscan: 3,
    gap: 10,
    paddingStart: 12,
    paddingEnd: 40,
  });
  const go = (index: number) => {
    setCurrent(index);
    virtualizer.scrollToIndex(index, { align: "start" });
  };
  useChangeHandle(handle, {
    step: (by) => {
      const next = by === 1 ? stops.find((stop) => stop > current) : stops.findLast((stop) => stop < current);
      if (next !== undefined) go(next);
    },
  });
  const counts = (["added", "removed", "changed", "moved"] as const)
    .map((change) => [change, slides.filter((slide) => slide.change === change).length] as const)
    .filter(([, count]) => count > 0)
    .map(([change, count]) => `${count} ${wordsOf(change).toLowerCase()}`);
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <nav aria-label="Slides" className="shrink-0 border-b border-line px-3 py-1.5">
        <p className="tabular mb-1 text-sm text-muted">
          {formatCount(slides.length, "slide")}
          {counts.length > 0 && ` · ${counts.join(", ")}`}
        </p>
        <ol className="flex gap-1 overflow-x-auto pb-1">
          {slides.map((slide, index) => (
            <li key={index}>
              <button
                type="button"
                title={slide.title}
                aria-current={index === current || undefined}
                aria-label={`${wordsOf(slide.change)}: ${titleOf(slide)}`}
                onClick={() => go(index)}
                className={classes(
                  "tabular flex h-6 items-center rounded-sm border px-1.5 text-xs font-medium",
                  index === current ? "border-accent ring-1 ring-accent" : partLine[slide.change],
                  slide.change === "same" ? "text-faint hover:bg-hover" : partBackground[slide.change],
                )}
              >
                {slide.change !== "same" && <PartMark change={slide.change} className="-ml-1" />}
                {slide.newNumber ?? slide.oldNumber}
              </button>
            </li>
          ))}
        </ol>
      </nav>
      <div
        ref={scroller}
        tabIndex={0}
        role="region"
        aria-label={`Slides of ${diff.path}`}
        className="min-h-0 flex-1 overflow-y-auto bg-canvas focus-visible:-outline-offset-2"
      >
        <div className="relative" style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map((item) => {
            const slide = slides[item.index];
            return (
              slide !== undefined && (
                <div
                  key={item.key}
                  data-index={item.index}
                  ref={virtualizer.measureElement}
                  className="absolute inset-x-0 px-3"
                  style={{ transform: `translateY(${item.start}px)` }}
                >
                  {slide.change === "same" && !openedSame.has(item.index) ? (
                    <button
                      type="button"
                      onClick={() => setOpenedSame(new Set([...openedSame, item.index]))}
                      className="flex h-8 w-full items-center gap-2 rounded-md px-3 text-left text-sm text-muted hover:bg-hover"
                    >
                      <span className="tabular font-medium">Slide {slide.newNumber}</span>
                      <span className="min-w-0 flex-1 truncate">{slide.title}</span>
                      <span className="text-xs text-faint">Unchanged</span>
                    </button>
                  ) : (
                    <SlideCard
                      slide={slide}
                      size={diff.slideSize}
                      view={view}
                      current={item.index === current}
                      whole={diff.change !== "modified"}
                    />
                  )}
                </div>
              )
            );
          })}
        </div>
      </div>
    </div>
  );
}

function titleOf(slide: SlideChanges): string {
  const { oldNumber, newNumber, title } = slide;
  const number =
    oldNumber !== null && newNumber !== null && oldNumber !== newNumber
      ? `Slide ${oldNumber}, now ${newNumber}`
      : `Slide ${newNumber ?? oldNumber}`;
  return title === "" ? number : `${number} · ${title}`;
}

function SlideCard(props: {
  readonly slide: SlideChanges;
  readonly size: readonly [width: number, height: number];
  readonly view: "split" | "inline";
  readonly current: boolean;
  readonly whole: boolean;
}) {
  const { slide, size, view } = props;
  const texts = slide.shapes.filter(({ before, after, role }) => (before ?? after ?? "") !== "" || role !== "other");
  return (
    <article
      className={classes(
        "rounded-lg border bg-surface p-3",
        props.current ? "border-accent ring-1 ring-accent" : partLine[slide.change],
      )}
    >
      <h3 className="mb-2 flex items-center gap-1 text-sm font-semibold">
        <PartMark change={slide.change} />
        {titleOf(slide)}
        {slide.change !== "same" && (
          <span className="ml-1 font-normal text-muted">{wordsOf(slide.change).toLowerCase()}</span>
        )}
      </h3>
      <div className="grid gap-3 lg:grid-cols-[minmax(220px,2fr)_3fr]">
        <SlideDrawing slide={slide} size={size} />
        <ul className="grid min-w-0 content-start gap-1.5 text-sm">
          {texts.length === 0 && <li className="text-muted">No text on this slide.</li>}
          {texts.map((shape, index) => (
            <li
              key={index}
              className={classes(
                "grid grid-cols-[16px_1fr] gap-x-1.5 rounded-sm px-1 py-0.5",
                !props.whole && shape.change !== "changed" && partBackground[shape.change],
              )}
            >
              <PartMark change={shape.change} />
              <div className="min-w-0">
                <span className="text-xs text-muted">
                  {shape.role === "notes" ? "Speaker notes" : shape.name}
                  {shape.formatChanged && " · format changed"}
                </span>
                {view === "split" && shape.change === "changed" && shape.before !== null && shape.after !== null ? (
                  <div className="grid grid-cols-2 gap-3 wrap-anywhere whitespace-pre-wrap">
                    <p className="rounded-sm bg-diff-removed px-1">
                      <SideText pair={shape} side="before" />
                    </p>
                    <p className="rounded-sm bg-diff-added px-1">
                      <SideText pair={shape} side="after" />
                    </p>
                  </div>
                ) : (
                  <p className="wrap-anywhere whitespace-pre-wrap">
                    <MergedText
                      pair={
                        props.whole
                          ? { before: shape.after ?? shape.before, after: shape.after ?? shape.before }
                          : shape
                      }
                    />
                  </p>
                )}
              </div>
            </li>
          ))}
        </ul>
      </div>
    </article>
  );
}

const icons = { picture: ImageIcon, chart: ChartColumn, table: Table2 } as const;

/** Where the parts of a slide lie. It is a plan of the slide, not its picture: fonts and colours are left out. */
function SlideDrawing(props: {
  readonly slide: SlideChanges;
  readonly size: readonly [width: number, height: number];
}) {
  const { slide, size } = props;
  const [width, height] = size;
  const placed = slide.shapes.filter(
    (shape): shape is SlideShape & { frame: NonNullable<SlideShape["frame"]> } =>
      shape.frame !== null && shape.role !== "notes",
  );
  const unplaced = slide.shapes.filter(({ frame, role }) => frame === null && role !== "notes");
  return (
    <div
      role="img"
      aria-label={`Plan of the slide: ${formatCount(slide.shapes.filter(({ role }) => role !== "notes").length, "part")}`}
      className="relative w-full overflow-hidden rounded-sm border border-line-strong bg-raised"
      style={{ aspectRatio: `${Math.max(1, width)} / ${Math.max(1, height)}` }}
    >
      {/* What is gone lies below what is there. */}
      {placed
        .toSorted((a, b) => Number(b.change === "removed") - Number(a.change === "removed"))
        .map((shape, index) => {
          const [left, top, wide, high] = shape.frame;
          return (
            <div
              key={index}
              className={classes(
                "absolute overflow-hidden rounded-xs border px-0.5 text-[9px] leading-3",
                shape.change === "removed" ? "border-dashed" : "border-solid",
                partLine[shape.change],
                partBackground[shape.change],
                shape.role === "title" && "font-semibold",
              )}
              style={{
                left: `${left * 100}%`,
                top: `${top * 100}%`,
                width: `${wide * 100}%`,
                height: `${high * 100}%`,
              }}
            >
              <ShapeFace shape={shape} />
            </div>
          );
        })}
      {placed.length === 0 && (
        <div className="absolute inset-0 flex flex-col justify-center gap-1 p-[8%] text-[10px] leading-4">
          {unplaced.slice(0, 6).map((shape, index) => (
            <div
              key={index}
              className={classes(
                "min-h-4 overflow-hidden rounded-xs border px-1",
                partLine[shape.change],
                partBackground[shape.change],
                shape.role === "title" ? "text-center text-[12px] font-semibold" : "max-h-12",
              )}
            >
              <ShapeFace shape={shape} />
            </div>
          ))}
        </div>
      )}
    </div>
  );
}

function ShapeFace({ shape }: { readonly shape: SlideShape }) {
  const Icon = icons[shape.role as keyof typeof icons];
  const sign = { same: "", added: "+ ", removed: "− ", changed: "± " }[shape.change];
  const text = shape.after ?? shape.before ?? "";
  return (
    <span className={classes("flex gap-0.5", shape.change === "removed" && "line-through")}>
      {sign}
      {Icon !== undefined && <Icon size={11} className="shrink-0 text-muted" />}
      <span className="min-w-0 wrap-anywhere">{text === "" ? shape.name : text}</span>
    </span>
  );
}
