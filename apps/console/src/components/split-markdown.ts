/**
 * Cuts Markdown into parts that can be parsed apart: at blank lines outside of code fences, and only where the next
 * line begins a block of its own (not an indented line that continues a list item).
 */
export function splitMarkdown(text: string): string[] {
  const parts: string[] = [];
  let part: string[] = [];
  let fence: string | undefined;
  let blank = false;
  let inList = false;
  for (const line of text.split("\n")) {
    const opened = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    const isItem = /^\s*([-*+]|\d+[.)])\s/.test(line);
    const continuesList = inList && (isItem || /^\s/.test(line));
    if (blank && fence === undefined && line.trim() !== "" && !continuesList) {
      parts.push(part.join("\n"));
      part = [];
      inList = false;
    }
    if (opened !== undefined) {
      if (fence === undefined) fence = opened;
      else if (opened.startsWith(fence)) fence = undefined;
    }
    if (fence === undefined && isItem) inList = true;
    blank = line.trim() === "";
    part.push(line);
  }
  if (part.length > 0) parts.push(part.join("\n"));
  return parts.filter((each) => each.trim() !== "");
}
