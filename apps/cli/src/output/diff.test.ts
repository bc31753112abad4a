import type { Change, TextDiff } from "@benchtop/operations";
import { describe, expect, test } from "vitest";
import { recordedTerminal } from "../../test/recorded-terminal.ts";
import { printDiff } from "./diff.ts";

const change: Change = {
  path: "data.csv",
  change: "modified",
  view: "text",
  mediaType: "text/csv",
  bytesBefore: 10,
  bytesAfter: 10,
  sha256Before: null,
  sha256After: null,
  linesAdded: 1,
  linesRemoved: 1,
  runId: null,
  summary: null,
  document: null,
  accepted: false,
  warnings: [],
};
const diff: TextDiff = {
  path: "data.csv",
  change: "modified",
  view: "text",
  hunks: [
    {
      oldStart: 1,
      oldLines: 2,
      newStart: 1,
      newLines: 2,
      lines: [
        { kind: "context", text: "a", oldLine: 1, newLine: 1 },
        { kind: "removed", text: "Total,16", oldLine: 2, newLine: null, marks: [[6, 8]], noNewline: true },
        { kind: "added", text: "Total,15", oldLine: null, newLine: 2, marks: [[6, 8]] },
      ],
      id: "1",
      stretches: [],
      accepted: false,
    },
  ],
  linesAdded: 1,
  linesRemoved: 1,
  truncated: false,
  oldLineCount: 2,
  newLineCount: 2,
  warnings: [],
};

describe("a file's change", () => {
  test("is printed as git prints it", () => {
    const terminal = recordedTerminal();
    printDiff(terminal, change, diff);
    expect(terminal.out).toBe(
      [
        "diff --git a/data.csv b/data.csv",
        "--- a/data.csv",
        "+++ b/data.csv",
        "@@ -1,2 +1,2 @@",
        " a",
        "-Total,16",
        String.raw`\ No newline at end of file`,
        "+Total,15",
        "",
      ].join("\n"),
    );
  });

  test("has the words that differ marked, in colour", () => {
    const terminal = recordedTerminal({ colour: true });
    printDiff(terminal, change, diff);
    expect(terminal.out).toContain("<green>+</green><green>Total,</green><green><inverse>15</inverse></green>");
  });

  test("of a file that is not text is told by its sizes", () => {
    const terminal = recordedTerminal();
    const opaque = { ...change, path: "a.png", mediaType: "image/png", bytesBefore: 12_000, bytesAfter: 15_500 };
    printDiff(terminal, opaque, { ...diff, view: "opaque", hunks: [] });
    expect(terminal.out).toContain("Binary files a/a.png and b/a.png differ (12 kB → 16 kB, image/png)");
  });

  test("quotes a name that would break the line", () => {
    const terminal = recordedTerminal();
    printDiff(terminal, { ...change, path: 'a"b.csv' }, diff);
    expect(terminal.out).toContain(String.raw`--- "a/a\"b.csv"`);
  });
});
