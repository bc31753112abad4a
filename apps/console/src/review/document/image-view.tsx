import type { DocumentDiff } from "@benchtop/operations";
import { useState } from "react";
import { formatBytes } from "../../components/format.ts";
import { CompareImages, CompareModes, type CompareMode, type PicturedSide } from "./compare-images.tsx";

type Image = Extract<DocumentDiff, { kind: "image" }>;

/** What browsers draw without running anything; SVG is not among them. */
const drawn = /^image\/(png|jpeg|gif|webp|avif|bmp)$/;

/** A picture before and after: side by side, with a border to drag, or one shining through the other. */
export function ImageView(props: { readonly diff: Image; readonly workbenchId: string; readonly version: string }) {
  const { diff } = props;
  const [mode, setMode] = useState<CompareMode>("side");
  const picture = (side: "before" | "after"): PicturedSide | null => {
    const facts = diff[side];
    if ((side === "before" ? diff.bytesBefore : diff.bytesAfter) === null) return null;
    if (!drawn.test(facts?.mediaType ?? diff.mediaType)) return null;
    return {
      source: contentAddress(props.workbenchId, diff.path, side === "before" ? "published" : "draft", props.version),
      alt: `${diff.path} ${side}`,
      ...(facts !== null && { size: [facts.width, facts.height] as const }),
    };
  };
  const caption = (side: "before" | "after") => {
    const bytes = side === "before" ? diff.bytesBefore : diff.bytesAfter;
    if (bytes === null) return null;
    const facts = diff[side];
    return (
      <span>
        {facts !== null &&
          `${facts.width} × ${facts.height} · ${facts.mediaType.replace("image/", "").toUpperCase()} · `}
        {formatBytes(bytes)}
      </span>
    );
  };
  const missing = (side: "before" | "after") =>
    (side === "before" ? diff.bytesBefore : diff.bytesAfter) === null
      ? side === "before"
        ? "Not there before"
        : "Not there any more"
      : "This kind of picture is not drawn here. Look at its bytes, or download it.";
  const before = picture("before");
  const after = picture("after");
  const resized =
    diff.before !== null &&
    diff.after !== null &&
    (diff.before.width !== diff.after.width || diff.before.height !== diff.after.height);
  return (
    <div
      tabIndex={0}
      role="region"
      aria-label={`Pictures of ${diff.path}`}
      className="min-h-0 flex-1 overflow-y-auto p-4 focus-visible:-outline-offset-2"
    >
      {before !== null && after !== null && (
        <div className="mb-3 flex flex-wrap items-center gap-3">
          <CompareModes mode={mode} onMode={setMode} onion />
          {resized && (
            <span className="text-sm text-draft">The size changed: laid over each other they are stretched.</span>
          )}
        </div>
      )}
      <CompareImages
        before={before}
        after={after}
        mode={mode}
        captions={{ before: caption("before"), after: caption("after") }}
        missing={{ before: missing("before"), after: missing("after") }}
      />
    </div>
  );
}

export function contentAddress(
  workbenchId: string,
  path: string,
  side: "published" | "draft",
  version: string,
): string {
  const query = new URLSearchParams({ path, side, v: version });
  return `/api/v1/workbenches/${encodeURIComponent(workbenchId)}/files/content?${query.toString()}`;
}
