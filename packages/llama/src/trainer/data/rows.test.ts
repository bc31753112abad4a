import * as fc from "fast-check";
import { expect, test } from "vitest";
import { fillInputs, lossOf, packRows, RowStream } from "./rows.ts";
import type { Sequence } from "./sequences.ts";

const sequence = (...tokens: number[]): Sequence => ({
  tokens: Int32Array.from(tokens),
  counts: Uint8Array.from(tokens, (_, at) => (at > 0 ? 1 : 0)),
});

test("packing loses nothing, doubles nothing and overfills no row", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 32 }), { maxLength: 200 }), (lengths) => {
      const sequences = lengths.map((length, id) => sequence(...Array<number>(length).fill(id)));
      const rows = packRows(sequences, 32);
      expect(new Set(rows.flat())).toEqual(new Set(sequences));
      expect(rows.flat()).toHaveLength(sequences.length);
      for (const row of rows) expect(row.reduce((sum, { tokens }) => sum + tokens.length, 0)).toBeLessThanOrEqual(32);
    }),
  );
});

test("a stream goes on from any position as if it had come there", () => {
  const sequences = Array.from({ length: 40 }, (_, id) => sequence(...Array<number>(3 + (id % 9)).fill(id)));
  const stream = new RowStream(sequences, 16, 7);
  stream.take(13);
  const { position } = stream;
  const next = stream.take(50);
  const other = new RowStream(sequences, 16, 7);
  other.seek(position);
  expect(other.take(50)).toEqual(next);
  expect(stream.position.epoch).toBeGreaterThan(0);
  // Another epoch, another order.
  expect(new RowStream(sequences, 16, 7).take(8)).not.toEqual(new RowStream(sequences, 16, 8).take(8));
});

test("a network is asked what counts, and sequences in one row do not see each other", () => {
  const rowTokens = 4;
  const places = 8;
  const inputs = {
    tokens: new Int32Array(places),
    positions: new Int32Array(places),
    mask: new Float32Array(2 * rowTokens * rowTokens),
    askedPlaces: new Int32Array(3),
    answeredPlaces: new Int32Array(3),
    counted: new Float32Array(3),
    targets: new Int32Array(3),
    longTargets: new BigInt64Array(3),
  };
  fillInputs(inputs, [[sequence(5, 6), sequence(7, 8)]], { rowTokens, vocabularySize: 10 });
  expect([...inputs.tokens]).toEqual([5, 6, 7, 8, 0, 0, 0, 0]);
  expect([...inputs.positions]).toEqual([0, 1, 0, 1, 0, 0, 0, 0]);
  const sees = (query: number): number[] => [0, 1, 2, 3].filter((key) => inputs.mask[query * rowTokens + key] === 0);
  expect([0, 1, 2, 3, 4, 7].map(sees)).toEqual([[0], [0, 1], [2], [2, 3], [0], [3]]);
  expect([...inputs.askedPlaces]).toEqual([0, 2, 0]);
  // What is left over hands its gradient to the place after the last.
  expect([...inputs.answeredPlaces]).toEqual([0, 2, 8]);
  expect([...inputs.targets]).toEqual([6, 18, 20]);
  expect([...inputs.counted]).toEqual([1, 1, 0]);
  expect(lossOf(inputs, Float32Array.of(0.5, 0.25, 0))).toBeCloseTo(Math.log(8), 6);
});
