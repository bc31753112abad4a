import type { OfferedTool } from "./conversation.ts";
import { toolbox, type Plan, type Step } from "./toolbox.ts";

/** Paths that must never leave the workbench, nor become files inside it under a name that some system reads otherwise. */
export const hostilePaths: readonly string[] = [
  "../../etc/passwd",
  "../outside.txt",
  "notes/../../outside.txt",
  "/etc/passwd",
  "//etc/passwd",
  String.raw`C:\Windows\win.ini`,
  String.raw`..\..\outside.txt`,
  "notes.md\u0000.txt",
  "/proc/self/environ",
  "./../outside.txt",
  "..",
  "",
  "con.txt",
  "NUL",
  "a/./b.txt",
  "trailing./x.txt",
  "line\nbreak.txt",
  `${"n".repeat(300)}.txt`,
  "file:stream.txt",
  "\u202Eexe.txt",
];

/** Each hostile path with each tool that takes one, one call a move. */
export function attacks(tools: readonly OfferedTool[]): Plan {
  const tool = toolbox(tools);
  const steps: Step[] = hostilePaths.flatMap((path) => [
    tool.read(path),
    tool.write(path, "owned"),
    tool.change({ kind: "edit", path, before: "root", after: "owned", whole: "owned", says: "" }),
    tool.change({ kind: "delete", path, says: "" }),
  ]);
  return { steps, atOnce: 1, answer: "I tried everything I know." };
}
