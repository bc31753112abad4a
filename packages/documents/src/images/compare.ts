import type { DocumentComparison, ImageSide, ReviewWarning } from "../comparison.ts";
import type { ComparisonInput } from "../format.ts";
import { readImage } from "./read-image.ts";
import { warningsOfSvg } from "./svg.ts";

/** Images that claim more pixels than this are not handed to a browser, whose memory they would fill. */
const mostPixels = 120_000_000;

/** What two images are. Whether their pixels differ is for eyes: a browser shows them side by side. */
export function compare({
  before,
  after,
}: Pick<ComparisonInput, "before" | "after">): Extract<DocumentComparison, { kind: "image" }> {
  const warnings: ReviewWarning[] = [];
  return {
    kind: "image",
    before: sideOf(before, "before", warnings),
    after: sideOf(after, "after", warnings),
    warnings,
    truncated: false,
  };
}

/** What an image is, for a model that cannot see it. */
export function describe({ bytes }: { readonly bytes: Uint8Array }): string {
  const image = readImage(bytes);
  return image
    ? `An image of type ${image.mediaType}, ${image.width} × ${image.height} pixels, ${bytes.length} bytes.`
    : `An image whose size cannot be read, ${bytes.length} bytes.`;
}

function sideOf(bytes: Uint8Array | null, side: "before" | "after", warnings: ReviewWarning[]): ImageSide | null {
  if (!bytes) return null;
  const image = readImage(bytes);
  if (!image) {
    warnings.push({ kind: "unreadable", message: "The size of the image cannot be read.", where: side });
    return null;
  }
  if (image.width * image.height > mostPixels) {
    const claim = `${image.width} × ${image.height}`;
    warnings.push({ kind: "unreadable", message: `The image claims ${claim} pixels and is not shown.`, where: side });
    return null;
  }
  if (image.mediaType === "image/svg+xml" && side === "after") {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 20_000_000)).toString("utf8");
    warnings.push(...warningsOfSvg(text));
  }
  return image;
}
