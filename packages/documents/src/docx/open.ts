import { createHash } from "node:crypto";
import { OfficePackage, type Relationship } from "../package.ts";
import { refusal } from "../refusal.ts";
import { relationshipKind, type XmlElement } from "../xml.ts";
import { readStyles, type Styles } from "./styles.ts";

export const wordNamespace = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
export const compatibilityNamespace = "http://schemas.openxmlformats.org/markup-compatibility/2006";

/** A part of a text document that holds paragraphs, and what its addresses begin with: nothing for the body itself. */
export interface Story {
  readonly role: "body" | "header" | "footer" | "footnote" | "comment";
  readonly part: string;
  /** What the paragraphs are in. */
  readonly container: XmlElement;
  readonly prefix: string;
  /** Who wrote a comment. */
  readonly author?: string;
}

export interface Docx {
  readonly package: OfficePackage;
  /** The name of the main part. */
  readonly main: string;
  readonly styles: Styles;
  readonly stories: readonly Story[];
  /** What the relationships of a part lead to, by their ids. */
  targetsOf(part: string): ReadonlyMap<string, Relationship>;
  /** Equal for equal content of parts; null for a part that is not there. */
  hashOf(part: string): string | null;
}

/** Opens a text document and finds its texts: the body, headers, footers, footnotes, endnotes and comments. */
export function openDocx(bytes: Uint8Array): Docx {
  const file = OfficePackage.open(bytes);
  const mains = file
    .relationships("")
    .filter((relationship) => relationshipKind(relationship.type) === "officeDocument");
  const main = mains[0]?.target;
  if (main === undefined || mains.length > 1 || mains[0]?.external === true || !file.has(main)) {
    throw refusal("This package is no text document: it has no main part, or several.");
  }
  const { root } = file.xml(main);
  const [body, another] = root.elements("body", wordNamespace);
  const type = file.contentTypeOf(main) ?? "";
  const isWord = /^application\/vnd\.(?:openxmlformats-officedocument\.wordprocessingml|ms-word)\./i.test(type);
  if (root.local !== "document" || !body || another || !isWord) {
    throw refusal("This package is no text document: its main part is another.");
  }
  const targets = new Map<string, ReadonlyMap<string, Relationship>>();
  const hashes = new Map<string, string>();
  return {
    package: file,
    main,
    styles: readStyles(file, main),
    stories: [...storiesOf(file, main, body)],
    targetsOf(part) {
      const known = targets.get(part) ?? new Map(file.relationships(part).map((one) => [one.id, one]));
      targets.set(part, known);
      return known;
    },
    hashOf(part) {
      if (!file.has(part)) return null;
      const known = hashes.get(part) ?? createHash("sha256").update(file.bytes(part)).digest("base64");
      hashes.set(part, known);
      return known;
    },
  };
}

/** The part of a kind that the main part names; undefined where it has none. */
export function partOf(file: OfficePackage, main: string, kind: string): string | undefined {
  const found = file
    .relationships(main)
    .find((relationship) => relationshipKind(relationship.type) === kind && !relationship.external);
  return found && file.has(found.target) ? found.target : undefined;
}

function* storiesOf(file: OfficePackage, main: string, body: XmlElement): Generator<Story> {
  yield { role: "body", part: main, container: body, prefix: "" };
  for (const role of ["header", "footer"] as const) {
    const parts = new Set<string>();
    for (const { type, target, external } of file.relationships(main)) {
      if (relationshipKind(type) === role && !external && file.has(target)) parts.add(target);
    }
    let number = 0;
    for (const part of [...parts].sort(byNumber)) {
      yield { role, part, container: file.xml(part).root, prefix: `${role}${++number}.` };
    }
  }
  for (const [kind, local] of [
    ["footnotes", "footnote"],
    ["endnotes", "endnote"],
  ] as const) {
    const part = partOf(file, main, kind);
    if (part === undefined) continue;
    let number = 0;
    for (const note of file.xml(part).root.elements(local, wordNamespace)) {
      // Separators are notes of other types.
      if ((note.attribute("type") ?? "normal") !== "normal") continue;
      yield { role: "footnote", part, container: note, prefix: `${local}${++number}.` };
    }
  }
  const comments = partOf(file, main, "comments");
  if (comments === undefined) return;
  let number = 0;
  for (const comment of file.xml(comments).root.elements("comment", wordNamespace)) {
    const author = comment.attribute("author") ?? "";
    yield { role: "comment", part: comments, container: comment, prefix: `comment${++number}.`, author };
  }
}

/** `header2.xml` before `header10.xml`. */
function byNumber(one: string, other: string): number {
  return one.length - other.length || (one < other ? -1 : 1);
}
