import { useState, type ReactNode } from "react";
import { classes } from "../../components/classes.ts";
import { Segmented } from "../../components/segmented.tsx";

export type CompareMode = "side" | "swipe" | "onion";

export interface PicturedSide {
  readonly source: string;
  readonly alt: string;
  /** Width by height, for the room it takes before it is there. */
  readonly size?: readonly [width: number, height: number];
}

/** How two pictures are compared. */
export function CompareModes(props: {
  readonly mode: CompareMode;
  readonly onMode: (mode: CompareMode) => void;
  readonly onion?: boolean;
}) {
  return (
    <Segmented
      label="How the pictures are compared"
      value={props.mode}
      onChange={props.onMode}
      options={[
        { value: "side", label: "Side by side" },
        { value: "swipe", label: "Swipe" },
        ...(props.onion === true ? [{ value: "onion" as const, label: "Onion skin" }] : []),
      ]}
    />
  );
}

/** Two pictures beside each other, one over the other with a border to drag, or one shining through the other. */
export function CompareImages(props: {
  readonly before: PicturedSide | null;
  readonly after: PicturedSide | null;
  readonly mode: CompareMode;
  /** Below each side: its size and so on. */
  readonly captions?: { readonly before: ReactNode; readonly after: ReactNode };
  /** What to say in the place of a side that is not there. */
  readonly missing?: { readonly before: string; readonly after: string };
}) {
  const { before, after, mode, captions } = props;
  if (before === null || after === null || mode === "side") {
    return (
      <div className={classes("grid items-start gap-4", "sm:grid-cols-2")}>
        {(["before", "after"] as const).map((side) => {
          const picture = props[side];
          return (
            <figure key={side} className="min-w-0">
              <figcaption className="tabular mb-1 flex flex-wrap gap-x-2 text-sm text-muted">
                <span className="font-semibold">{side === "before" ? "Before" : "After"}</span>
                {captions?.[side]}
              </figcaption>
              {picture === null ? (
                <p className="rounded-md border border-dashed border-line-strong px-3 py-6 text-center text-sm text-muted">
                  {props.missing?.[side] ?? (side === "before" ? "Not there before" : "Not there any more")}
                </p>
              ) : (
                <Picture picture={picture} />
              )}
            </figure>
          );
        })}
      </div>
    );
  }
  return <Overlaid before={before} after={after} mode={mode} {...(captions !== undefined && { captions })} />;
}

function Overlaid(props: {
  readonly before: PicturedSide;
  readonly after: PicturedSide;
  readonly mode: "swipe" | "onion";
  readonly captions?: { readonly before: ReactNode; readonly after: ReactNode };
}) {
  const { before, after, mode } = props;
  const [share, setShare] = useState(50);
  return (
    <div className="mx-auto max-w-200">
      <div className="relative">
        <Picture picture={after} />
        <div
          className="absolute inset-0"
          style={mode === "swipe" ? { clipPath: `inset(0 ${100 - share}% 0 0)` } : { opacity: 1 - share / 100 }}
        >
          <Picture picture={before} fill />
        </div>
        {mode === "swipe" && (
          <span
            aria-hidden
            className="pointer-events-none absolute inset-y-0 w-0.5 -translate-x-1/2 bg-accent"
            style={{ left: `${share}%` }}
          />
        )}
      </div>
      <div className="mt-2 flex items-center gap-3 text-sm text-muted">
        <span>{mode === "swipe" ? "After" : "Before"}</span>
        <input
          type="range"
          min={0}
          max={100}
          value={share}
          aria-label={
            mode === "swipe" ? "How much of the picture before is shown" : "How much the picture after covers"
          }
          aria-valuetext={`${share} %`}
          onChange={(event) => setShare(Number(event.target.value))}
          className="min-w-0 flex-1 accent-accent"
        />
        <span>{mode === "swipe" ? "Before" : "After"}</span>
      </div>
      {props.captions !== undefined && (
        <p className="tabular mt-1 flex flex-wrap justify-between gap-2 text-sm text-muted">
          <span className="flex gap-1.5">
            <b className="font-semibold">Before</b> {props.captions.before}
          </span>
          <span className="flex gap-1.5">
            <b className="font-semibold">After</b> {props.captions.after}
          </span>
        </p>
      )}
    </div>
  );
}

/** One picture, in the room that it will take. */
export function Picture(props: { readonly picture: PicturedSide; readonly fill?: boolean }) {
  const { source, alt, size } = props.picture;
  const [failed, setFailed] = useState(false);
  if (failed) {
    return (
      <p className="rounded-md border border-line bg-sunken px-3 py-6 text-center text-sm text-muted">
        This picture could not be drawn.
      </p>
    );
  }
  return (
    <img
      src={source}
      alt={alt}
      loading="lazy"
      decoding="async"
      onError={() => setFailed(true)}
      {...(size !== undefined && { width: size[0], height: size[1] })}
      className={classes(
        "checkered block border border-line",
        props.fill === true ? "h-full w-full object-contain" : "h-auto max-w-full",
        size !== undefined && props.fill !== true && "w-full",
      )}
    />
  );
}
