/** A text as a text field keeps it, and what it takes to write it back as it was. */
export interface EditableText {
  /** With `\n` alone between lines. */
  readonly text: string;
  readonly lineEnd: "\n" | "\r\n";
  /** Its lines end in different ways: writing it back makes them alike. */
  readonly mixed: boolean;
  /** A byte order mark stands before it. */
  readonly mark: boolean;
}

/** Takes a text apart for editing: a text field knows one way to end a line only. */
export function openText(content: string): EditableText {
  const mark = content.startsWith("\uFEFF");
  const body = mark ? content.slice(1) : content;
  const pairs = body.match(/\r\n/g)?.length ?? 0;
  const carriages = body.match(/\r/g)?.length ?? 0;
  const feeds = body.match(/\n/g)?.length ?? 0;
  const lineEnd = pairs > 0 && pairs * 2 >= feeds ? "\r\n" : "\n";
  const mixed = carriages > pairs || (pairs > 0 && feeds > pairs);
  return { text: body.replace(/\r\n?/g, "\n"), lineEnd, mixed, mark };
}

/** The whole content again, with the line ends and the mark that it had. */
export function closeText(text: string, { lineEnd, mark }: Pick<EditableText, "lineEnd" | "mark">): string {
  const body = lineEnd === "\n" ? text : text.replaceAll("\n", lineEnd);
  return mark ? `\uFEFF${body}` : body;
}

/** The text of UTF-8 bytes with its mark, or undefined when they are something else. */
export function decodeText(bytes: ArrayBuffer): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.includes("\0") ? undefined : text;
  } catch (notText) {
    if (notText instanceof TypeError) return undefined;
    throw notText;
  }
}
