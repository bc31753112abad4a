import { expect, test } from "vitest";
import { parsePrometheus, sumOf } from "./prometheus.ts";

test("P2.3 samples are read with labels in any form, and what is none is passed over", () => {
  const samples = parsePrometheus(
    [
      "# HELP a_total With {braces} 1",
      "# TYPE a_total counter",
      'a_total{model="org/{tiny}",quote="a \\"b\\" \\\\ c\\nd"} 1.5e1 1700000000000',
      'a_total{model="other"} 5',
      "plain 3",
      "up +Inf",
      "unknown NaN",
      "spaces   7  ",
      'broken{a="b 1',
      "<html>",
      "no_value",
      "",
    ].join("\r\n"),
  );
  expect(samples.get("a_total")).toEqual([
    { labels: { model: "org/{tiny}", quote: 'a "b" \\ c\nd' }, value: 15 },
    { labels: { model: "other" }, value: 5 },
  ]);
  expect([...samples.keys()]).toEqual(["a_total", "plain", "up", "spaces"]);
  expect([sumOf(samples, "a_total"), sumOf(samples, "gone", "plain"), sumOf(samples, "gone")]).toEqual([
    20,
    3,
    undefined,
  ]);
});

test("P2.3 a hostile text of metrics takes no time", () => {
  const started = performance.now();
  for (const text of [`a{${'b="c",'.repeat(50_000)}`, `a{${"{".repeat(200_000)}`, `a{b="${"\\".repeat(200_001)}`]) {
    expect(parsePrometheus(text).size).toBe(0);
  }
  expect(performance.now() - started).toBeLessThan(1000);
});
