import { describedCharacters, type DescriptionInput } from "../format.ts";
import { refusal } from "../refusal.ts";
import { Pdf } from "./pdf.ts";

/** A page of a PDF as a PNG, `width` pixels wide where its proportions allow. Pages count from 1. */
export function renderPage({ bytes, page, width }: PageToRender): Uint8Array {
  return Pdf.open(bytes).png(page, width);
}

export interface PageToRender {
  readonly bytes: Uint8Array;
  readonly page: number;
  readonly width: number;
}

/** The text of a PDF for a model: as many pages as fit, at least one, from the page on that `part` names. */
export function describe({ bytes, part }: Pick<DescriptionInput, "bytes" | "part">): string {
  const pdf = Pdf.open(bytes);
  if (pdf.pageCount === 0) throw refusal("The PDF has no pages.");
  const first = part === undefined ? 1 : Number(/^(?:page )?(\d{1,6})$/.exec(part)?.[1] ?? 0);
  if (first < 1 || first > pdf.pageCount) throw refusal(`The PDF has pages 1 to ${pdf.pageCount}, and no such part.`);
  const room = describedCharacters - 200;
  const texts: string[] = [];
  let length = 0;
  let page = first;
  for (; page <= pdf.pageCount && texts.length < 200; page += 1) {
    const text = textOf(pdf, page);
    if (texts.length > 0 && length + text.length > room) break;
    texts.push(text.length > room ? `${text.slice(0, room)} … (the page goes on)` : text);
    length += text.length + 2;
  }
  if (page <= pdf.pageCount) texts.push(`More follows: ask for the part "page ${page}".`);
  return texts.join("\n\n");
}

function textOf(pdf: Pdf, page: number): string {
  const [width, height] = pdf.size(page);
  const lines = pdf.lines(page);
  const head = `Page ${page} of ${pdf.pageCount} (${Math.round(width)} × ${Math.round(height)} points)`;
  return `${head}\n${lines.length > 0 ? lines.join("\n") : "(no text: it is blank, or an image)"}`;
}
