import type { Interval } from "@benchtop/protocol";

/** The 95 % Wilson score interval of a proportion; null for no observations. (E. B. Wilson, 1927.) */
export function wilsonInterval(passed: number, total: number): Interval | null {
  if (total === 0) return null;
  const z = 1.959963984540054;
  const rate = passed / total;
  const denominator = 1 + (z * z) / total;
  const centre = (rate + (z * z) / (2 * total)) / denominator;
  const half = (z * Math.sqrt((rate * (1 - rate)) / total + (z * z) / (4 * total * total))) / denominator;
  return {
    low: passed === 0 ? 0 : Math.max(0, centre - half),
    high: passed === total ? 1 : Math.min(1, centre + half),
  };
}

/**
 * Two-sided exact sign test: how likely a split at least as uneven as this one is when better and worse are equally likely.
 * With one pass or fail on each side this is McNemar's exact test.
 */
export function signTest(better: number, worse: number): number {
  const total = better + worse;
  if (total === 0) return 1;
  const least = Math.min(better, worse);
  // Sums binomial terms as logarithms: the terms themselves underflow for some thousand cases.
  let logTerm = -total * Math.LN2;
  let tail = Math.exp(logTerm);
  for (let k = 1; k <= least; k += 1) {
    logTerm += Math.log(total - k + 1) - Math.log(k);
    tail += Math.exp(logTerm);
  }
  return Math.min(1, 2 * tail);
}

export function mean(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The value that this share of the sorted values does not exceed (nearest rank). */
export function percentile(sorted: readonly number[], share: number): number | null {
  if (sorted.length === 0) return null;
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}
