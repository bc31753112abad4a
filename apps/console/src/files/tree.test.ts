import { expect, test } from "vitest";
import { treeRows } from "./tree.ts";

const file = (path: string, bytes = 1) => ({ path, bytes });

test("folders come first, then files, by name and with numbers in order", () => {
  const rows = treeRows([file("b10.txt"), file("b2.txt"), file("z/a.txt")], new Map(), new Set());
  expect(rows.map((row) => row.path)).toEqual(["z", "z/a.txt", "b2.txt", "b10.txt"]);
});

test("a closed folder says how much it holds and hides it", () => {
  const rows = treeRows([file("z/a", 3), file("z/y/b", 4)], new Map(), new Set(["z"]));
  expect(rows).toMatchObject([{ path: "z", files: 2, bytes: 7, open: false }]);
});

test("a file that the Draft deletes is still shown, as deleted", () => {
  const rows = treeRows([file("a")], new Map([["gone", "deleted"]]), new Set());
  expect(rows.map(({ path, change }) => [path, change])).toEqual([
    ["a", undefined],
    ["gone", "deleted"],
  ]);
});
