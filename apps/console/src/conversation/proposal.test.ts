import type { EventOf } from "@benchtop/protocol";
import { expect, test } from "vitest";
import { readProposal } from "./proposal.ts";

function changed(path: string, change: EventOf<"DraftChanged">["change"]): EventOf<"DraftChanged"> {
  const place = { runId: "r", seq: 1, at: "", traceId: "t", spanId: "s" };
  return {
    type: "DraftChanged",
    draftId: "d",
    revision: 1,
    path,
    change,
    sha256: "x",
    previousSha256: null,
    bytes: 7,
    ...place,
  };
}

test("S3 a proposal shows its summary and each file with what became of it", () => {
  const proposal = {
    summary: "Correct the totals.",
    changes: [
      { path: "data.csv", action: "edit", edits: [], summary: "total" },
      { path: "new.md", action: "write", content: "x" },
      { path: "old.txt", action: "delete" },
    ],
  };
  expect(readProposal(proposal, [])).toEqual({
    summary: "Correct the totals.",
    files: [
      { path: "data.csv", change: "modified", summary: "total", bytes: undefined },
      { path: "new.md", change: "added", summary: "", bytes: undefined },
      { path: "old.txt", change: "deleted", summary: "", bytes: undefined },
    ],
  });
  // What was written over something that is there is no addition.
  const { files } = readProposal(proposal, [changed("new.md", "modified"), changed("other.md", "added")]);
  expect(files.map(({ path, change, bytes }) => [path, change, bytes])).toEqual([
    ["data.csv", "modified", undefined],
    ["new.md", "modified", 7],
    ["old.txt", "deleted", undefined],
    ["other.md", "added", 7],
  ]);
});

test("S3 a proposal of any shape is shown as far as it can be read", () => {
  for (const proposal of [null, 3, "x", [], {}, { changes: "no" }, { changes: [null, { path: 3 }], summary: 4 }]) {
    expect(readProposal(proposal, [])).toEqual({ summary: "", files: [] });
  }
});
