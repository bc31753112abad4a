import type { Change, DiffLine, Hunk, TextDiff } from "@benchtop/operations";
import { formatBytes, printable } from "./format.ts";
import type { Terminal } from "./terminal.ts";

/** Prints one file's change as a unified diff. Plain, it is a patch that `git apply` takes; in colour, changed words are marked. */
export function printDiff(terminal: Terminal, change: Change, diff: TextDiff): void {
  const { bold, cyan, yellow } = terminal.colours;
  const [a, b] = [nameOf("a", change.path), nameOf("b", change.path)];
  const before = change.change === "added" ? "/dev/null" : a;
  const after = change.change === "deleted" ? "/dev/null" : b;
  terminal.line(bold(`diff --git ${a} ${b}`));
  if (change.change === "added") terminal.line(bold("new file mode 100644"));
  if (change.change === "deleted") terminal.line(bold("deleted file mode 100644"));
  if (diff.view !== "text") {
    const sizes = [change.bytesBefore, change.bytesAfter].filter((bytes) => bytes !== null).map(formatBytes);
    const what = diff.view === "too-large" ? "Files too large to compare by line" : "Binary files";
    terminal.line(
      yellow(`${what} ${before} and ${after} differ (${sizes.join(" → ")}, ${printable(change.mediaType)})`),
    );
    return;
  }
  if (diff.hunks.length > 0) {
    // A tab ends a name that holds spaces, as git writes it.
    for (const line of [`--- ${before}`, `+++ ${after}`]) {
      terminal.line(bold(change.path.includes(" ") ? `${line}\t` : line));
    }
  }
  for (const hunk of diff.hunks) {
    terminal.line(cyan(`@@ -${rangeOf(hunk.oldStart, hunk.oldLines)} +${rangeOf(hunk.newStart, hunk.newLines)} @@`));
    printHunk(terminal, hunk);
  }
  if (diff.truncated) terminal.errorLine("The diff goes on; it is cut here because it is very long.");
}

/** Git puts names in quotes when they hold something that would break the line. */
function nameOf(side: "a" | "b", path: string): string {
  const name = `${side}/${path}`;
  return /["\\]|\p{Cc}/u.test(name) ? JSON.stringify(name) : name;
}

function rangeOf(start: number, lines: number): string {
  return lines === 1 ? String(start) : `${start},${lines}`;
}

function printHunk(terminal: Terminal, hunk: Hunk): void {
  for (const line of hunk.lines) {
    terminal.line(paintLine(terminal, line));
    if (line.noNewline === true) terminal.line(String.raw`\ No newline at end of file`);
  }
}

function paintLine({ colours }: Terminal, line: DiffLine): string {
  if (line.kind === "context") return ` ${shown(line.text)}`;
  const paint = line.kind === "added" ? colours.green : colours.red;
  const sign = line.kind === "added" ? "+" : "-";
  let painted = paint(sign);
  let at = 0;
  for (const [start, end] of line.marks ?? []) {
    painted += paint(shown(line.text.slice(at, start))) + paint(colours.inverse(shown(line.text.slice(start, end))));
    at = end;
  }
  return painted + paint(shown(line.text.slice(at)));
}

/** On a terminal file content must not steer it; into a file it goes as it is, so that the patch applies. */
function shown(text: string): string {
  return process.stdout.isTTY ? text.split("\t").map(printable).join("\t") : text;
}
