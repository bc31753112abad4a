import type { ReviewWarning } from "../comparison.ts";
import type { Pdf } from "./pdf.ts";

/** What in a PDF could do something when another program opens it. Nothing of that is ever run here. */
export function warningsOfPdf(pdf: Pdf): ReviewWarning[] {
  const found = namesIn(pdf.plainObjects());
  const has = (...names: string[]): boolean => names.some((name) => found.has(name));
  const warnings: ReviewWarning[] = [];
  const warn = (kind: ReviewWarning["kind"], message: string): void =>
    void warnings.push({ kind, message, where: null });
  const atOnce = has("OpenAction", "AA") ? " and may run it as soon as the file is opened" : "";
  if (has("JavaScript", "JS")) warn("macro", `The PDF holds JavaScript. Other programs can run it${atOnce}.`);
  if (has("Launch")) warn("macro", "The PDF holds actions that start other programs.");
  if (has("RichMedia", "3D", "Movie", "Screen")) warn("macro", "The PDF holds media that other programs can play.");
  if (has("XFA")) warn("macro", "The PDF holds an XFA form, which can hold programs and is not shown here.");
  if (has("SubmitForm")) warn("external-reference", "The PDF holds a form that sends what is filled in to an address.");
  if (has("GoToR", "GoToE", "ImportData", "Thread")) {
    warn("external-reference", "The PDF holds actions that open or read other files.");
  }
  const attached = Math.max(pdf.attachments, 0);
  if (attached > 0 || has("EmbeddedFile", "EmbeddedFiles")) {
    const files = attached === 0 ? "files" : attached === 1 ? "one file" : `${attached} files`;
    warn("external-reference", `The PDF carries ${files} inside, not shown here.`);
  }
  return warnings;
}

const whitespace = new Set([0, 9, 10, 12, 13, 32]);
const delimiters = new Set(Buffer.from("()<>[]{}/%"));

/** Every name (`/Name`) outside of strings and streams, its `#xx` resolved. ISO 32000-1, 7.2 and 7.3. */
export function namesIn(objects: Buffer): Set<string> {
  const names = new Set<string>();
  let at = 0;
  let depth = 0;
  let streamLength = 0;
  let previous = "";
  const regular = (): string => {
    const start = at;
    while (at < objects.length && !whitespace.has(objects[at] ?? 0) && !delimiters.has(objects[at] ?? 0)) at += 1;
    return objects.toString("latin1", start, at);
  };
  while (at < objects.length) {
    const byte = objects[at] ?? 0;
    if (whitespace.has(byte)) at += 1;
    else if (byte === 0x25) while (at < objects.length && objects[at] !== 10 && objects[at] !== 13) at += 1;
    else if (byte === 0x28) at = afterString(objects, at);
    else if (byte === 0x2f) {
      at += 1;
      previous = regular().replaceAll(/#([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
      names.add(previous);
    } else if (byte === 0x3c || byte === 0x3e) {
      if (objects[at + 1] === byte) {
        depth += byte === 0x3c ? 1 : -1;
        at += 2;
      } else if (byte === 0x3c) at = Math.max(objects.indexOf(">", at), at) + 1;
      else at += 1;
    } else if (delimiters.has(byte)) at += 1;
    else {
      const word = regular();
      if (word === "obj") [depth, streamLength] = [0, 0];
      if (depth === 1 && previous === "Length" && /^\d+$/.test(word)) streamLength = Number(word);
      previous = "";
      // PDFium ends the word with CR LF and gives the length as a number, so what follows is skipped exactly.
      if (word === "stream") at += 2 + streamLength;
    }
  }
  return names;
}

function afterString(objects: Buffer, start: number): number {
  let depth = 0;
  for (let at = start; at < objects.length; at += 1) {
    const byte = objects[at];
    if (byte === 0x5c) at += 1;
    else if (byte === 0x28) depth += 1;
    else if (byte === 0x29) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return objects.length;
}
