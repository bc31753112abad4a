import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { guideFolder } from "../scripts/guide/examples.ts";
import { scoreGuide, type GuideScore } from "../scripts/guide/score.ts";

/** The guide that ships, asked what nothing of it was made from, by the way of every chat. */

const published = JSON.parse(readFileSync(join(guideFolder, "score.json"), "utf8")) as GuideScore;

/** Another processor rounds otherwise: a question or two may fall to the other side. */
const tolerance = 0.015;

test("P2.1 the guide is as good as it says on questions that it never saw", { timeout: 120_000 }, async () => {
  const { score } = await scoreGuide();
  expect(score.heldOut.questions).toBeGreaterThanOrEqual(200);
  expect(score.heldOut.right).toBeGreaterThanOrEqual(published.heldOut.right - tolerance);
  expect(score.heldOut.wrong).toBeLessThanOrEqual(published.heldOut.wrong + tolerance);
  expect(score.outside.refused).toBeGreaterThanOrEqual(published.outside.refused - tolerance);
});

test("the guide is small, and all of it is there", () => {
  expect(["guide.gguf", "gate.json"].filter((file) => !existsSync(join(guideFolder, file)))).toEqual([]);
  expect(statSync(join(guideFolder, "guide.gguf")).size).toBeLessThan(6_000_000);
});

test("what is published of it is what was measured", () => {
  const text = readFileSync(join(import.meta.dirname, "../docs/benchmarks.md"), "utf8");
  for (const share of [published.heldOut.right, published.heldOut.wrong, published.outside.refused]) {
    expect(text).toContain(`${(100 * share).toFixed(1)} %`);
  }
});
