import type { DocumentComparison, PageChanges, ReviewWarning } from "../comparison.ts";
import type { ComparisonInput } from "../format.ts";
import { warningsOfPdf } from "./active-content.ts";
import { align, markWords, similarity } from "../align.ts";
import { Pdf } from "./pdf.ts";

const mostPages = 400;
/** Pages whose words are the same are drawn and compared by look, this many; the others are taken for the same. */
const mostDrawn = 120;
const drawnWidth = 480;
const mostLines = 20_000;

/**
 * The differences of two PDFs, page by page: pages are aligned by what is written on them. A page with the same words and
 * another look is `changed`, with all its lines `same`. Lines are told for pages that are not the same.
 */
export function compare({
  before,
  after,
}: Pick<ComparisonInput, "before" | "after">): Extract<DocumentComparison, { kind: "pages" }> {
  const old = before && Pdf.open(before);
  const now = after && Pdf.open(after);
  const left = pagesOf(old);
  const right = pagesOf(now);
  const warnings: ReviewWarning[] = [...(now ? warningsOfPdf(now) : []), ...right.unreadable];
  const identical = before !== null && after !== null && Buffer.compare(before, after) === 0;
  const budget = { drawn: identical ? 0 : mostDrawn, lines: mostLines, truncated: left.truncated || right.truncated };
  const pages = align(
    left.pages.map(textOf),
    right.pages.map(textOf),
    // Pages that face each other in a gap are versions of one page sooner than not: a fifth of shared words will do.
    (i, j) => Math.min(similarity(textOf(left.pages[i]), textOf(right.pages[j])) + 0.3, 1),
  ).map(([i, j]): PageChanges => {
    const oldPage = i === null ? undefined : left.pages[i];
    const newPage = j === null ? undefined : right.pages[j];
    const size = newPage?.size ?? oldPage?.size ?? [1, 1];
    const place = { oldPage: oldPage?.number ?? null, newPage: newPage?.number ?? null, size };
    if (!oldPage || !newPage || textOf(oldPage) !== textOf(newPage)) {
      const change = oldPage ? (newPage ? "changed" : "removed") : "added";
      return { ...place, change, lines: compareLines(oldPage?.lines ?? [], newPage?.lines ?? [], budget) };
    }
    const sameSize = oldPage.size.every((side, index) => Math.abs(side - (newPage.size[index] ?? 0)) < 0.5);
    if (sameSize && (identical || !old || !now || looksSame(old, oldPage.number, now, newPage.number, budget))) {
      return { ...place, change: "same", lines: [] };
    }
    return { ...place, change: "changed", lines: compareLines(oldPage.lines, newPage.lines, budget) };
  });
  return { kind: "pages", pages, warnings, truncated: budget.truncated };
}

interface Budget {
  drawn: number;
  lines: number;
  truncated: boolean;
}

interface Page {
  readonly number: number;
  readonly size: [number, number];
  readonly lines: readonly string[];
}

function textOf(page: Page | undefined): string {
  return page?.lines.join("\n") ?? "";
}

function pagesOf(pdf: Pdf | null): { pages: Page[]; unreadable: ReviewWarning[]; truncated: boolean } {
  const pages: Page[] = [];
  const unreadable: ReviewWarning[] = [];
  if (!pdf) return { pages, unreadable, truncated: false };
  const count = Math.min(pdf.pageCount, mostPages);
  for (let number = 1; number <= count; number += 1) {
    try {
      pages.push({ number, size: pdf.size(number), lines: pdf.lines(number) });
    } catch {
      // One page that cannot be read is no reason to hide the others.
      pages.push({ number, size: [1, 1], lines: [] });
      if (unreadable.length < 20) {
        unreadable.push({ kind: "unreadable", message: "The page cannot be read.", where: `page ${number}` });
      }
    }
  }
  return { pages, unreadable, truncated: pdf.pageCount > count };
}

function looksSame(old: Pdf, oldPage: number, now: Pdf, newPage: number, budget: Budget): boolean {
  if (budget.drawn === 0) {
    budget.truncated = true;
    return true;
  }
  budget.drawn -= 1;
  const left = draw(old, oldPage);
  const right = draw(now, newPage);
  return left === null || right === null ? left === right : left.equals(right);
}

/** Null for a page that cannot be drawn: it looks the same as another such page. */
function draw(pdf: Pdf, page: number): Buffer | null {
  try {
    return pdf.pixels(page, drawnWidth);
  } catch {
    return null;
  }
}

function compareLines(before: readonly string[], after: readonly string[], budget: Budget): PageChanges["lines"] {
  const lines = align(before, after).map(([i, j]): PageChanges["lines"][number] => {
    const left = i === null ? null : (before[i] ?? "");
    const right = j === null ? null : (after[j] ?? "");
    if (left === null) return { change: "added", before: null, after: right };
    if (right === null) return { change: "removed", before: left, after: null };
    if (left === right) return { change: "same", before: left, after: right };
    return { change: "changed", before: left, after: right, ...markWords(left, right) };
  });
  if (lines.length > budget.lines) budget.truncated = true;
  const kept = lines.slice(0, budget.lines);
  budget.lines -= kept.length;
  return kept;
}
