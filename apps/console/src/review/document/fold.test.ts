import { expect, test } from "vitest";
import { foldSame } from "./fold.ts";

const changedAt = (count: number, ...at: number[]) => Array.from({ length: count }, (_, index) => at.includes(index));

test("two parts stay around a change; longer stretches become one row", () => {
  expect(foldSame(changedAt(12, 5), new Set())).toEqual([
    { kind: "fold", from: 0, to: 2 },
    ...[3, 4, 5, 6, 7].map((index) => ({ kind: "part", index })),
    { kind: "fold", from: 8, to: 11 },
  ]);
});

test("an opened stretch and a single part are shown", () => {
  expect(foldSame(changedAt(7, 3), new Set())).toEqual([0, 1, 2, 3, 4, 5, 6].map((index) => ({ kind: "part", index })));
  expect(foldSame(changedAt(9, 4), new Set([0])).filter(({ kind }) => kind === "fold")).toEqual([
    { kind: "fold", from: 7, to: 8 },
  ]);
});
