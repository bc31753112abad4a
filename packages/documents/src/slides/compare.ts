import type { DocumentComparison, SlideChanges, SlideShape } from "../comparison.ts";
import type { ComparisonInput } from "../format.ts";
import { markWords, similarity } from "../align.ts";
import { openDeck, type Deck } from "./deck.ts";
import { readSlide, type Shape, type Slide } from "./read.ts";
import { warningsOfDeck } from "./warnings.ts";

const mostSlides = 1_000;

/**
 * The differences of two presentations, slide by slide. Slides are the same by what they say and by what the presentation
 * calls them, wherever they are; one that only changed places is `moved`.
 */
export function compare({
  before,
  after,
}: Pick<ComparisonInput, "before" | "after">): Extract<DocumentComparison, { kind: "slides" }> {
  const old = before && openDeck(before);
  const now = after && openDeck(after);
  const left = slidesOf(old);
  const right = slidesOf(now);
  const pairs = pairSlides(left, right);
  const inPlace = keptInOrder(pairs);
  const slides = right.map((slide, index): SlideChanges => {
    const previous = pairs.get(index);
    const counterpart = previous === undefined ? undefined : left[previous];
    if (!counterpart) return oneSided(slide, "added");
    const shapes = compareShapes(counterpart, slide);
    const same = shapes.every(({ change }) => change === "same");
    const change = !same ? "changed" : inPlace.has(index) ? "same" : "moved";
    return { change, oldNumber: counterpart.number, newNumber: slide.number, title: titleOf(slide), shapes };
  });
  const [width, height] = (now ?? old)?.size ?? [12_700, 12_700];
  return {
    kind: "slides",
    slides: withRemoved(slides, left, new Set(pairs.values())),
    slideSize: [points(width), points(height)],
    warnings: now ? warningsOfDeck(now) : [],
    truncated: [old, now].some((deck) => (deck?.slides.length ?? 0) > mostSlides),
  };
}

function slidesOf(deck: Deck | null): Slide[] {
  return deck ? deck.slides.slice(0, mostSlides).map((_, index) => readSlide(deck, index)) : [];
}

function points(units: number): number {
  return Math.round((units / 12_700) * 100) / 100;
}

/** Which old slide each new one is (by their places, from 0), from the surest signs to the least sure. */
function pairSlides(left: readonly Slide[], right: readonly Slide[]): Map<number, number> {
  const pairs = new Map<number, number>();
  const free = new Set(left.keys());
  const words = new Map<Slide, string>();
  const wordsOf = (slide: Slide): string => {
    const known = words.get(slide) ?? slide.shapes.map(({ text }) => text).join("\n");
    words.set(slide, known);
    return known;
  };
  const pairBy = (fits: (old: Slide, now: Slide) => boolean): void => {
    right.forEach((slide, index) => {
      if (pairs.has(index)) return;
      for (const candidate of free) {
        const old = left[candidate];
        if (!old || !fits(old, slide)) continue;
        pairs.set(index, candidate);
        free.delete(candidate);
        return;
      }
    });
  };
  const sameWords = (old: Slide, now: Slide): boolean => wordsOf(old) === wordsOf(now);
  pairBy((old, now) => old.id === now.id && sameWords(old, now));
  pairBy((old, now) => wordsOf(now).trim() !== "" && sameWords(old, now));
  pairBy(
    (old, now) => old.id === now.id && (titleOf(old) === titleOf(now) || similarity(wordsOf(old), wordsOf(now)) >= 0.3),
  );
  pairBy((old, now) => old.title !== "" && old.title === now.title);
  // Whoever is most alike of what is left; bounded, since it looks at every pair.
  const open = [...right.keys()].filter((index) => !pairs.has(index));
  if (open.length * free.size <= 40_000) {
    const scored = open
      .flatMap((index) => [...free].map((old) => ({ index, old, alike: alikeOf(left[old], right[index], wordsOf) })))
      .filter(({ alike }) => alike >= 0.5)
      .sort((a, b) => b.alike - a.alike);
    for (const { index, old } of scored) {
      if (pairs.has(index) || !free.delete(old)) continue;
      pairs.set(index, old);
    }
  }
  pairBy((old, now) => old.id === now.id && old.part === now.part);
  return pairs;
}

function alikeOf(old: Slide | undefined, now: Slide | undefined, wordsOf: (slide: Slide) => string): number {
  return old && now ? similarity(wordsOf(old), wordsOf(now)) : 0;
}

/** The new places that stay in order when the others are taken out: a longest increasing subsequence of the old ones. */
function keptInOrder(pairs: ReadonlyMap<number, number>): Set<number> {
  const entries = [...pairs].sort(([a], [b]) => a - b);
  /** For each length, the entry that ends the sequence of that length with the smallest old place. */
  const ends: number[] = [];
  const before: number[] = [];
  entries.forEach(([, old], at) => {
    let length = ends.findIndex((end) => (entries[end]?.[1] ?? 0) > old);
    if (length === -1) length = ends.length;
    before[at] = ends[length - 1] ?? -1;
    ends[length] = at;
  });
  const kept = new Set<number>();
  for (let at = ends.at(-1) ?? -1; at >= 0; at = before[at] ?? -1) kept.add(entries[at]?.[0] ?? -1);
  return kept;
}

/** Removed slides stand where they were: after the old slide before them, or at the start. */
function withRemoved(
  slides: readonly SlideChanges[],
  left: readonly Slide[],
  kept: ReadonlySet<number>,
): SlideChanges[] {
  const result = [...slides];
  left.forEach((slide, index) => {
    if (kept.has(index)) return;
    const previous = result.findIndex(({ oldNumber }) => oldNumber === slide.number - 1);
    result.splice(previous + 1, 0, oneSided(slide, "removed"));
  });
  return result;
}

function titleOf(slide: Slide): string {
  return slide.title === "" ? `Slide ${slide.number}` : slide.title;
}

function oneSided(slide: Slide, change: "added" | "removed"): SlideChanges {
  const shapes = slide.shapes.map((shape): SlideShape => ({
    ...facts(shape),
    change,
    before: change === "removed" ? shape.text : null,
    after: change === "added" ? shape.text : null,
    formatChanged: false,
  }));
  return {
    change,
    oldNumber: change === "removed" ? slide.number : null,
    newNumber: change === "added" ? slide.number : null,
    title: titleOf(slide),
    shapes,
  };
}

function facts({ name, role, frame }: Shape): Pick<SlideShape, "name" | "role" | "frame"> {
  return { name, role, frame };
}

function compareShapes(old: Slide, now: Slide): SlideShape[] {
  const pairs = pairShapes(old.shapes, now.shapes);
  const shapes = now.shapes.map((shape): SlideShape => {
    const previous = pairs.get(shape);
    if (!previous) return { ...facts(shape), change: "added", before: null, after: shape.text, formatChanged: false };
    const formatChanged = previous.look !== shape.look || String(previous.frame) !== String(shape.frame);
    const both = { ...facts(shape), before: previous.text, after: shape.text, formatChanged };
    if (previous.text === shape.text) return { ...both, change: formatChanged ? "changed" : "same" };
    return { ...both, change: "changed", ...markWords(previous.text, shape.text) };
  });
  const used = new Set(pairs.values());
  for (const shape of old.shapes) {
    if (used.has(shape)) continue;
    shapes.push({ ...facts(shape), change: "removed", before: shape.text, after: null, formatChanged: false });
  }
  const formatChanged = old.look !== now.look;
  if (old.hidden !== now.hidden || formatChanged) {
    const [before, after] = [old, now].map(({ hidden }) => (hidden ? "hidden" : "shown"));
    shapes.unshift({
      change: "changed",
      name: "Slide",
      role: "other",
      frame: null,
      before: before ?? null,
      after: after ?? null,
      formatChanged,
    });
  }
  return shapes;
}

/** The old shape that each new one is. Ids alone say little: LibreOffice numbers all shapes anew whenever it saves. */
function pairShapes(before: readonly Shape[], after: readonly Shape[]): Map<Shape, Shape> {
  const pairs = new Map<Shape, Shape>();
  const free = new Set(before);
  const pairBy = (fits: (old: Shape, now: Shape) => boolean): void => {
    for (const shape of after) {
      if (pairs.has(shape)) continue;
      for (const candidate of free) {
        if (candidate.role !== shape.role || !fits(candidate, shape)) continue;
        pairs.set(shape, candidate);
        free.delete(candidate);
        break;
      }
    }
  };
  pairBy((old, now) => old.id === now.id && sameName(old, now) && old.text === now.text);
  pairBy((old, now) => old.text === now.text && old.look === now.look && String(old.frame) === String(now.frame));
  pairBy((old, now) => now.text !== "" && old.text === now.text);
  pairBy((old, now) => old.id === now.id && sameName(old, now));
  pairBy((old, now) => now.name !== "" && sameName(old, now));
  pairBy((old, now) => now.frame !== null && String(old.frame) === String(now.frame));
  // The only one that costs something, so it is left out where there are very many.
  if (free.size * (after.length - pairs.size) <= 10_000) {
    pairBy((old, now) => similarity(old.text, now.text) >= 0.5);
  }
  pairBy((old, now) => now.role === "title" || now.role === "notes" || old.id === now.id);
  return pairs;
}

function sameName(old: Shape, now: Shape): boolean {
  return old.name === now.name;
}
