import { describedCharacters, type DescriptionInput } from "../format.ts";
import { refusal } from "../refusal.ts";
import { deckOf, openDeck, relatedParts, type Deck } from "./deck.ts";
import { notesBody, readSlide, tableOf, type Shape } from "./read.ts";
import { bodyText, levelOf, paragraphsOf, paragraphText } from "./text.ts";

/** A presentation for a model: slides, their shapes with the ids that edits name, and paragraphs by number. */
export function describe({ bytes, part }: Pick<DescriptionInput, "bytes" | "part">): string {
  const deck = openDeck(bytes);
  const count = deck.slides.length;
  const first = part === undefined ? 1 : Number(/^(?:slide )?(\d{1,6})$/.exec(part)?.[1] ?? 0);
  if (count > 0 && (first < 1 || first > count))
    throw refusal(`The presentation has slides 1 to ${count}, and no such part.`);
  const room = describedCharacters - 2_000;
  const texts: string[] = part === undefined ? [headOf(deck)] : [];
  let length = texts.join("").length;
  let number = first;
  for (; number <= count; number += 1) {
    const text = slideText(deck, number - 1);
    if (number > first && length + text.length > room) break;
    texts.push(text.length > room ? `${text.slice(0, room)} … (the slide goes on)` : text);
    length += text.length + 2;
  }
  if (number <= count) texts.push(`More follows: ask for the part "slide ${number}".`);
  return texts.join("\n\n");
}

function headOf(deck: Deck): string {
  const [width, height] = deck.size.map((side) => Math.round(side / 12_700));
  const layouts = relatedParts(deck.pack, deckOf(deck.pack).presentation, "slideMaster")
    .flatMap(({ target }) => relatedParts(deck.pack, target, "slideLayout"))
    .map(({ target }) => deck.pack.xml(target).root.first("cSld")?.attribute("name", "") ?? "")
    .filter((name) => name !== "")
    .map((name) => `"${name}"`);
  const count = deck.slides.length === 1 ? "1 slide" : `${deck.slides.length} slides`;
  return `Presentation of ${count}, ${width} × ${height} points. Layouts: ${[...new Set(layouts)].slice(0, 40).join(", ")}.`;
}

function slideText(deck: Deck, index: number): string {
  const slide = readSlide(deck, index);
  const about = [slide.layout && `layout "${slide.layout}"`, slide.hidden && "hidden"].filter(Boolean).join(", ");
  const lines = [`Slide ${slide.number}${about === "" ? "" : ` (${about})`}`];
  for (const shape of slide.shapes) lines.push(...shapeLines(shape));
  const notes = notesBody(deck.pack, slide.part);
  if (notes && bodyText(notes.body).trim() !== "") {
    lines.push("  notes");
    paragraphsOf(notes.body).forEach((paragraph, at) =>
      lines.push(`    ${at + 1}: ${oneLine(paragraphText(paragraph))}`),
    );
  }
  return lines.join("\n");
}

function shapeLines({ id, role, name, frame, text, element }: Shape): string[] {
  if (role === "notes") return [];
  const place = frame ? ` at ${frame.map((share) => `${Math.round(share * 100)}%`).join(" ")}` : "";
  const named = name === "" ? "" : ` "${oneLine(name)}"`;
  const head = `  shape ${id === "" ? "(not editable)" : id}: ${role}${named}${place}`;
  const table = element ? tableOf(element) : undefined;
  if (table) {
    const rows = table.elements("tr").map((row, at) => {
      const cells = row.elements("tc").map((cell) => oneLine(bodyText(cell.first("txBody"))));
      return `    row ${at + 1}: ${cells.join(" | ")}`;
    });
    return [head, ...rows];
  }
  const paragraphs = paragraphsOf(element?.first("txBody"));
  if (paragraphs.length > 0) {
    if (text.trim() === "" && role === "other") return [head];
    return [
      head,
      ...paragraphs.map((paragraph, at) => {
        const level = levelOf(paragraph);
        return `    ${at + 1}${level > 1 ? ` (level ${level})` : ""}: ${oneLine(paragraphText(paragraph))}`;
      }),
    ];
  }
  return text === "" ? [head] : [head, ...text.split("\n").map((line) => `    ${line}`)];
}

function oneLine(text: string): string {
  return text.replaceAll("\n", " ⏎ ");
}
