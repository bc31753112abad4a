import type { ModelDownload } from "@benchtop/operations";
import { expect, test } from "vitest";
import { recordedTerminal } from "../../test/recorded-terminal.ts";
import { DownloadBoard } from "./downloads.ts";

const download: ModelDownload = {
  downloadId: "dl_1",
  name: "tiny",
  source: "https://models.example/tiny.gguf",
  state: "running",
  bytesDone: 250_000_000,
  bytesTotal: 1_000_000_000,
  bytesPerSecond: 10_000_000,
  error: null,
  createdAt: "2026-01-01T00:00:00.000Z",
  updatedAt: "2026-01-01T00:00:00.000Z",
};

test("outside a terminal a download has a line when its state changes, and one now and then", () => {
  const terminal = recordedTerminal();
  const board = new DownloadBoard(terminal);
  board.show([{ ...download, state: "queued" }], 0);
  board.show([download], 500);
  board.show([{ ...download, bytesDone: 260_000_000 }], 5000);
  board.show([{ ...download, bytesDone: 500_000_000 }], 11_000);
  board.show([{ ...download, bytesDone: 1_000_000_000, state: "verifying" }], 12_000);
  board.show([{ ...download, bytesDone: 1_000_000_000, state: "done" }], 12_500);
  board.clear();
  expect(terminal.err.split("\n")).toEqual([
    "tiny · waits for its turn",
    "tiny · 25 % · 250 MB of 1.0 GB · 10 MB/s · 1 min 15 s left",
    "tiny · 50 % · 500 MB of 1.0 GB · 10 MB/s · 50 s left",
    "tiny · is checked · 1.0 GB",
    "tiny · installed · 1.0 GB",
    "",
  ]);
  expect(terminal.out).toBe("");
});

test("on a terminal lines are drawn over, cut to its width, and taken away at the end", () => {
  const terminal = Object.assign(recordedTerminal({ width: 40 }), { isErrorTty: true });
  const board = new DownloadBoard(terminal);
  board.show([download, { ...download, downloadId: "dl_2", name: "other" }], 0);
  board.show([download], 100);
  board.clear();
  const [first = "", second = ""] = terminal.err.split("\n");
  expect(first).toMatch(/^tiny █{3}░{9} 25 % · 250 MB of/);
  expect(first.replace("\u001B[K", "")).toHaveLength(39);
  expect(second).toContain("other");
  expect(terminal.err).toContain("\r\u001B[2A");
  expect(terminal.err.endsWith("\r\u001B[1A\u001B[J")).toBe(true);
});

test("what a source says cannot steer the terminal", () => {
  const terminal = recordedTerminal();
  const error = { code: "NOT_FOUND", message: "gone\u001B[2J\r" };
  new DownloadBoard(terminal).show([{ ...download, name: "a\u001B]0;x\u0007", state: "failed", error }], 0);
  expect(terminal.err).toBe("a\\u{1b}]0;x\\u{7} · failed: gone\\u{1b}[2J\\u{d}\n");
});

test("a size that nobody has told yet is not guessed", () => {
  const terminal = recordedTerminal();
  new DownloadBoard(terminal).show([{ ...download, bytesTotal: null }], 0);
  expect(terminal.err).toBe("tiny · 250 MB · 10 MB/s\n");
});
