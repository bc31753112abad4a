import type { ReviewWarning } from "../comparison.ts";

/** An SVG is a program as much as an image: it is never put into a page of ours, only shown as a file of its own kind. */
export function warningsOfSvg(text: string): ReviewWarning[] {
  const warnings: ReviewWarning[] = [];
  if (/<(?:[\w-]+:)?(?:script|foreignObject|handler|iframe)\b|\son[a-z]{2,30}\s*=|javascript:|<!ENTITY/i.test(text)) {
    warnings.push({ kind: "macro", message: "The SVG image holds scripts or other active content.", where: null });
  }
  if (
    /(?:href|src)\s*=\s*["']\s*(?:[a-z][a-z\d+.-]*:)?\/\/|url\(\s*["']?\s*(?:[a-z][a-z\d+.-]*:)?\/\/|@import/i.test(
      text,
    )
  ) {
    warnings.push({ kind: "external-reference", message: "The SVG image names something elsewhere.", where: null });
  }
  return warnings;
}
