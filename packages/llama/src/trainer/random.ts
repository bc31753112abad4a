/** Numbers from 0 up to 1, the same ones for the same seed on every machine. */
export type Random = () => number;

/**
 * SplitMix32 over a seed and the place that it is used for, so that shuffling the third epoch draws the same numbers whatever
 * was drawn before: nothing of it needs to be kept in a checkpoint.
 */
export function randomFrom(seed: number, ...place: readonly number[]): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
  for (const part of place) state = next() ^ (part >>> 0);
  return () => next() / 2 ** 32;
}

/** Fisher–Yates, on a copy. */
export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const result = [...items];
  for (let at = result.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    const [a, b] = [result[at], result[other]];
    if (a === undefined || b === undefined) continue;
    result[at] = b;
    result[other] = a;
  }
  return result;
}

/** Fills with normally distributed numbers around zero (Box–Muller). */
export function normalNumbers(random: Random, deviation: number, into: Float32Array): void {
  for (let at = 0; at < into.length; at += 2) {
    const radius = deviation * Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    into[at] = radius * Math.cos(angle);
    if (at + 1 < into.length) into[at + 1] = radius * Math.sin(angle);
  }
}
