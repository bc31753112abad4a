/** One measured value. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Round numbers from `low` to `high`, about `count` of them, at equal distances. */
export function ticksOf(low: number, high: number, count: number): number[] {
  if (!(high > low)) return [low];
  const step = roundStep((high - low) / Math.max(1, count));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  // Beyond what numbers can tell apart there is nothing to mark.
  if (!Number.isFinite(first) || !Number.isFinite(last)) return [low];
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

/** Marks of an axis that counts in powers of ten: these, and what is between them where there are few. `low` is above 0. */
export function logTicksOf(low: number, high: number): number[] {
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  const parts = last - first <= 2 ? [1, 2, 5] : [1];
  const powers = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const every = Math.ceil(powers.length / 6);
  return powers
    .filter((_, index) => index % every === 0)
    .flatMap((power) => parts.map((part) => Number((part * 10 ** power).toPrecision(6))))
    .filter((tick) => tick >= low && tick <= high);
}

/** The next of 1, 2 and 5 with zeros, so that the numbers of an axis can be read at a glance. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  const share = step / power;
  return power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
}

/** At most about `most` points, with the lowest and the highest of each stretch: what stands out still does. */
export function thinned(points: readonly Point[], most: number): readonly Point[] {
  if (points.length <= most) return points;
  const stretch = Math.ceil(points.length / Math.max(1, Math.floor(most / 2)));
  const kept: Point[] = [];
  for (let start = 0; start < points.length; start += stretch) {
    const part = points.slice(start, start + stretch);
    const low = part.reduce((found, point) => (point.y < found.y ? point : found));
    const high = part.reduce((found, point) => (point.y > found.y ? point : found));
    kept.push(...(low === high ? [low] : low.x < high.x ? [low, high] : [high, low]));
  }
  const last = points.at(-1);
  if (last !== undefined && kept.at(-1) !== last) kept.push(last);
  return kept;
}

/** The last point that was measured up to `x`. Points stand in the order of `x`. */
export function pointAt(points: readonly Point[], x: number): Point | undefined {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((points[middle]?.x ?? Infinity) <= x) low = middle + 1;
    else high = middle;
  }
  return points[low - 1];
}

/** `2.31`, `0.00042`, `12,400`: three digits that count. */
export function formatValue(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e7) return value.toExponential(2);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  if (size < 0.0001) return value.toExponential(1);
  const decimals = Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(size))));
  return Number(value.toFixed(decimals)).toString();
}
