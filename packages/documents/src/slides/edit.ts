import type { Edited, EditInput } from "../format.ts";
import type { OfficePackage } from "../package.ts";
import { refusal } from "../refusal.ts";
import type { XmlElement } from "../xml.ts";
import { addSlide, deleteSlide, duplicateSlide, moveSlide } from "./arrange.ts";
import { deckOf, openDeck, type SlidePlace } from "./deck.ts";
import { SlideEdit } from "./edits.ts";
import { setNotes } from "./notes.ts";
import { namingOf, notesBody, shapesIn, tableOf } from "./read.ts";
import { paragraphsOf, paragraphText } from "./text.ts";
import { addParagraph, setBodyText, setParagraphText } from "./write-text.ts";

const mostEdits = 500;

/** Makes the edits one after the other. Parts that none of them touches keep their bytes. */
export function edit({ bytes, edits }: Pick<EditInput, "bytes" | "edits">): Edited {
  if (edits.length > mostEdits) throw refusal(`At most ${mostEdits} edits are made at once.`);
  const { pack } = openDeck(bytes);
  const summary = edits.map((candidate, index) => {
    const parsed = SlideEdit.safeParse(candidate);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw refusal(`Edit ${index + 1} is not valid: ${issue?.path.join(".") || "edit"}: ${issue?.message ?? ""}`);
    }
    return apply(pack, parsed.data);
  });
  return { bytes: pack.save(), summary };
}

function apply(pack: OfficePackage, change: SlideEdit): string {
  switch (change.edit) {
    case "set-text":
      return onShape(pack, change, (element) => {
        const body = bodyOf(element);
        if (change.paragraph === undefined) setBodyText(body, change.text);
        else setParagraphText(paragraphAt(body, change.paragraph), change.text);
        const where = change.paragraph === undefined ? "" : `paragraph ${change.paragraph} of `;
        return `Set the text of ${where}shape ${change.shape} on slide ${change.slide}.`;
      });
    case "set-cell":
      return onShape(pack, change, (element) => {
        const cell = tableOf(element)?.elements("tr")[change.row - 1]?.elements("tc")[change.column - 1];
        const body = cell?.first("txBody");
        if (!body) throw refusal(`Shape ${change.shape} on slide ${change.slide} has no such cell.`);
        setBodyText(body, change.text);
        return `Set row ${change.row}, column ${change.column} of the table on slide ${change.slide}.`;
      });
    case "add-paragraph":
      return onShape(pack, change, (element) => {
        const body = bodyOf(element);
        if (change.after === 0) {
          const [first] = paragraphsOf(body);
          addParagraph(body, undefined, change.text, change.level);
          const added = paragraphsOf(body).at(-1);
          if (first && added && added !== first) body.insert(added, first);
        } else {
          const after = change.after === undefined ? undefined : paragraphAt(body, change.after);
          addParagraph(body, after, change.text, change.level);
        }
        return `Added a paragraph to shape ${change.shape} on slide ${change.slide}.`;
      });
    case "remove-paragraph":
      return onShape(pack, change, (element) => {
        const body = bodyOf(element);
        const paragraph = paragraphAt(body, change.paragraph);
        // A body of text without any paragraph is not valid.
        if (paragraphsOf(body).length === 1) setParagraphText(paragraph, "");
        else body.remove(paragraph);
        return `Removed paragraph ${change.paragraph} of shape ${change.shape} on slide ${change.slide}.`;
      });
    case "replace-text":
      return replaceText(pack, change.find, change.replace, change.slide);
    case "set-notes":
      setNotes(pack, slideAt(pack, change.slide).part, change.text);
      return `Set the notes of slide ${change.slide}.`;
    case "delete-slide":
      deleteSlide(pack, slideAt(pack, change.slide));
      return `Deleted slide ${change.slide}.`;
    case "duplicate-slide":
      duplicateSlide(pack, slideAt(pack, change.slide));
      return `Duplicated slide ${change.slide}: the copy is slide ${change.slide + 1}.`;
    case "move-slide":
      slideAt(pack, change.to);
      moveSlide(pack, slideAt(pack, change.slide), change.to);
      return `Moved slide ${change.slide}: it is slide ${change.to}.`;
    case "add-slide":
      return added(pack, change);
    default:
      return change satisfies never;
  }
}

function added(pack: OfficePackage, change: Extract<SlideEdit, { edit: "add-slide" }>): string {
  const after = change.after ?? deckOf(pack).slides.length;
  if (after > 0) slideAt(pack, after);
  const layout = addSlide(pack, after, change);
  return `Added slide ${after + 1} with the layout "${layout}".`;
}

function slideAt(pack: OfficePackage, number: number): SlidePlace {
  const { slides } = deckOf(pack);
  const slide = slides[number - 1];
  if (!slide) throw refusal(`The presentation has ${slides.length} slides, and no slide ${number}.`);
  return slide;
}

function onShape(
  pack: OfficePackage,
  { slide, shape }: { readonly slide: number; readonly shape: string },
  work: (element: XmlElement) => string,
): string {
  const { part } = slideAt(pack, slide);
  const document = pack.xml(part);
  const tree = document.root.at("cSld", "spTree");
  for (const { element } of tree ? shapesIn(tree) : []) {
    if (namingOf(element)?.attribute("id", "") !== shape) continue;
    const summary = work(element);
    pack.put(part, document.toString());
    return summary;
  }
  throw refusal(`Slide ${slide} has no shape with the id "${shape.slice(0, 20)}".`);
}

function bodyOf(element: XmlElement): XmlElement {
  const body = element.first("txBody");
  if (!body) throw refusal("The shape has no text of its own. Cells of a table are set with set-cell.");
  return body;
}

function paragraphAt(body: XmlElement, number: number): XmlElement {
  const paragraphs = paragraphsOf(body);
  const paragraph = paragraphs[number - 1];
  if (!paragraph) throw refusal(`The shape has ${paragraphs.length} paragraphs, and no paragraph ${number}.`);
  return paragraph;
}

function replaceText(pack: OfficePackage, find: string, replace: string, slide: number | undefined): string {
  const slides = slide === undefined ? deckOf(pack).slides : [slideAt(pack, slide)];
  let count = 0;
  for (const { part } of slides) {
    const tree = pack.xml(part).root.at("cSld", "spTree");
    const bodies = [...(tree ? shapesIn(tree) : [])].flatMap(({ element }) => {
      const cells =
        tableOf(element)
          ?.elements("tr")
          .flatMap((row) => row.elements("tc")) ?? [];
      return [element, ...cells].flatMap((holder) => holder.first("txBody") ?? []);
    });
    const notes = notesBody(pack, part);
    const inSlide = replaceIn(bodies, find, replace);
    if (inSlide > 0) pack.put(part, pack.xml(part).toString());
    const inNotes = notes ? replaceIn([notes.body], find, replace) : 0;
    if (notes && inNotes > 0) pack.put(notes.part, pack.xml(notes.part).toString());
    count += inSlide + inNotes;
  }
  if (count === 0)
    throw refusal("The text to replace is nowhere on the slides, in the case and spelling that was given.");
  return `Replaced ${count === 1 ? "one place" : `${count} places`}.`;
}

function replaceIn(bodies: readonly XmlElement[], find: string, replace: string): number {
  let count = 0;
  for (const paragraph of bodies.flatMap(paragraphsOf)) {
    const text = paragraphText(paragraph);
    const parts = text.split(find);
    if (parts.length === 1) continue;
    count += parts.length - 1;
    setParagraphText(paragraph, parts.join(replace));
  }
  return count;
}
