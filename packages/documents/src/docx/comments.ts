import { parseXml, type XmlElement } from "../xml.ts";
import { partOf, wordNamespace, type Docx } from "./open.ts";
import { attributePrefix } from "./properties.ts";
import { newRun, nodesOf } from "./text.ts";

const relationship = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/comments";
const contentType = "application/vnd.openxmlformats-officedocument.wordprocessingml.comments+xml";

/** Comments on a whole paragraph. The comment has no date: what is written depends on nothing but the document and the edit. */
export function addComment(docx: Docx, paragraph: XmlElement, text: string): void {
  const { package: file, main } = docx;
  const part = partOf(file, main, "comments") ?? newPart(docx);
  const document = parseXml(file.text(part));
  const { root } = document;
  const w = attributePrefix(root);
  const ids = [...root.elements("comment"), ...file.xml(main).root.descendants("commentRangeStart")].map((one) =>
    Number(one.attribute("id") ?? 0),
  );
  const id = String(Math.max(-1, ...ids.filter(Number.isSafeInteger)) + 1);
  const comment = root.create("comment", { [`${w}id`]: id, [`${w}author`]: "Benchtop", [`${w}initials`]: "B" });
  const said = root.create("p");
  const run = newRun(said);
  run.append(...nodesOf(run, text));
  said.append(run);
  comment.append(said);
  root.append(comment);
  file.put(part, document.toString());

  const attributes = { [`${attributePrefix(paragraph)}id`]: id };
  const first = paragraph.children.find((child) => child.kind !== "element" || child.local !== "pPr") ?? null;
  paragraph.insert(paragraph.create("commentRangeStart", attributes), first);
  const reference = paragraph.create("r");
  reference.append(paragraph.create("commentReference", attributes));
  paragraph.append(paragraph.create("commentRangeEnd", attributes), reference);
}

function newPart({ package: file, main }: Docx): string {
  const folder = main.slice(0, main.lastIndexOf("/") + 1);
  const part = `${folder}comments.xml`;
  file.put(
    part,
    `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<w:comments xmlns:w="${wordNamespace}"></w:comments>`,
  );
  file.setContentType(part, contentType);
  file.addRelationship(main, relationship, "comments.xml");
  return part;
}
