import { expect, test } from "vitest";
import { readBytes } from "./byte-text.ts";

test("a size is read as it is written, and what is none is not guessed at", () => {
  expect(["50 GB", "1.5TB", "800 mb", "10 MB/s", "1,000 kB"].map(readBytes)).toEqual([
    50_000_000_000, 1_500_000_000_000, 800_000_000, 10_000_000, 1_000_000,
  ]);
  expect(["50", "", "much", "-1 GB", "0 GB", "1e9 GB", "5 GB 3"].map(readBytes)).toEqual(Array(7).fill(undefined));
});
