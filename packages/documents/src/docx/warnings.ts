import type { ReviewWarning } from "../comparison.ts";
import type { OfficePackage } from "../package.ts";
import { relationshipKind, type XmlElement } from "../xml.ts";
import type { Block } from "./blocks.ts";
import type { Docx } from "./open.ts";
import { readParagraph, type Piece } from "./paragraph.ts";
import { isOn } from "./properties.ts";

const mostWarnings = 100;

/** What a person should look at before they agree to a document: what is active, what points out of it, and what it hides. */
export function warningsOf(docx: Docx, blocks: readonly Block[], before: Docx | undefined): ReviewWarning[] {
  const warnings = [...macros(docx.package), ...outside(docx.package, before?.package), ...texts(docx, blocks)];
  const seen = new Set<string>();
  const distinct = warnings.filter(({ kind, message, where }) => {
    const key = `${kind}\0${message}\0${where}`;
    return !seen.has(key) && seen.add(key);
  });
  if (distinct.length <= mostWarnings) return distinct;
  const more = distinct.length - mostWarnings;
  return [
    ...distinct.slice(0, mostWarnings),
    { kind: "unreadable", message: `There are ${more} more warnings.`, where: null },
  ];
}

function* macros(file: OfficePackage): Generator<ReviewWarning> {
  for (const name of file.names) {
    const lower = name.toLowerCase();
    const type = file.contentTypeOf(name)?.toLowerCase() ?? "";
    if (lower.endsWith("vbaproject.bin") || type.includes("vbaproject")) {
      yield {
        kind: "macro",
        message: "The document holds macros: programs that an Office program may run.",
        where: name,
      };
    } else if (type.includes("activex") || /(^|\/)activex\//.test(lower)) {
      yield { kind: "macro", message: "The document holds an ActiveX control.", where: name };
    } else if (/(^|\/)embeddings\//.test(lower)) {
      yield {
        kind: "macro",
        message: "The document holds a file of another program. It is not shown here.",
        where: name,
      };
    } else if (/(^|\/)customui\//.test(lower)) {
      yield { kind: "macro", message: "The document changes the commands of the program that opens it.", where: name };
    }
  }
}

/** Everything that a relationship fetches from elsewhere; of hyperlinks, which nobody follows by reading, the new ones. */
function* outside(file: OfficePackage, before: OfficePackage | undefined): Generator<ReviewWarning> {
  const known = new Set(before ? [...externals(before)].map(({ target }) => target) : []);
  for (const { part, kind, target } of externals(file)) {
    const shown = JSON.stringify(target.slice(0, 200));
    if (kind !== "hyperlink") {
      yield {
        kind: "external-reference",
        message: `An Office program that opens the document fetches ${shown} (${kind}).`,
        where: part,
      };
    } else if (!known.has(target)) {
      yield { kind: "external-reference", message: `There is a link to ${shown}.`, where: part };
    }
  }
}

function* externals(file: OfficePackage): Generator<{ part: string; kind: string; target: string }> {
  for (const name of file.names) {
    const [, folder, part] = /^(.*\/)?_rels\/([^/]*)\.rels$/i.exec(name) ?? [];
    if (part === undefined) continue;
    const source = `${folder ?? ""}${part}`;
    for (const { type, target, external } of file.relationships(source)) {
      if (external && !target.startsWith("#")) yield { part: source, kind: relationshipKind(type), target };
    }
  }
}

/** Instructions of fields that fetch or run something. */
const fetching = /^\s*(DDE|DDEAUTO|INCLUDETEXT|INCLUDEPICTURE|LINK|IMPORT|DATABASE|RD|MACROBUTTON)\b/i;
const reordering = /[\u202a-\u202e\u2066-\u2069]/;

function* texts(docx: Docx, blocks: readonly Block[]): Generator<ReviewWarning> {
  let tracked = false;
  for (const block of blocks) {
    const where = block.address === "" ? block.part : block.address;
    if (reordering.test(block.text)) {
      yield { kind: "spoofed-text", message: "Characters in this text change the order in which it is shown.", where };
    }
    for (const content of contentsOf(block)) {
      tracked ||= content.tracked;
      if (content.ambiguous) {
        const message = "Here the document says different things to different programs.";
        yield { kind: "spoofed-text", message, where };
      }
      if (content.pieces.some((piece) => isHidden(docx, piece))) {
        yield {
          kind: "spoofed-text",
          message: "This text is hidden, or too small to be seen, in an Office program.",
          where,
        };
      }
      for (const instruction of content.instructions) {
        const command = fetching.exec(instruction)?.[1];
        if (command === undefined) continue;
        const kind = /^MACROBUTTON$/i.test(command) ? "macro" : "external-reference";
        yield {
          kind,
          message: `A field may fetch or run something when the document is opened (${command.toUpperCase()}).`,
          where,
        };
      }
      for (const { id, text } of content.links) {
        if (pretends(text, docx.targetsOf(block.part).get(id)?.target ?? "")) {
          yield { kind: "spoofed-text", message: "A link shows another address than it leads to.", where };
        }
      }
    }
  }
  for (const story of docx.stories) {
    for (const chunk of story.container.descendants("altChunk")) {
      const part = docx.targetsOf(story.part).get(chunk.attribute("id") ?? "")?.target ?? story.part;
      yield {
        kind: "unreadable",
        message: "An Office program inserts this file into the text. It is not shown here.",
        where: part,
      };
    }
  }
  if (tracked || hasTrackedRows(docx)) {
    const message = "The document holds tracked changes. It is shown as it reads when all of them are accepted.";
    yield { kind: "spoofed-text", message, where: null };
  }
}

function contentsOf(block: Block): ReturnType<typeof readParagraph>[] {
  if (block.content) return [block.content];
  return (block.cells ?? []).flatMap((cell) => cell.element.elements("p").map(readParagraph));
}

function hasTrackedRows(docx: Docx): boolean {
  return docx.stories.some((story) =>
    [...story.container.descendants("trPr")].some(
      (row) => row.first("ins") !== undefined || row.first("del") !== undefined,
    ),
  );
}

/** Told to be hidden by itself or by its style, too small to be seen, or white on a page that nothing makes another color. */
function isHidden(docx: Docx, { run, text }: Piece): boolean {
  if (text.trim() === "") return false;
  const properties = run.first("rPr");
  const own = properties?.first("vanish");
  if (own ? isOn(own) : docx.styles.hides(properties?.first("rStyle")?.attribute("val"))) return true;
  const paragraph = paragraphOf(run);
  if (!own && docx.styles.hides(paragraph?.at("pPr", "pStyle")?.attribute("val"))) return true;
  if (Number(properties?.first("sz")?.attribute("val") ?? 99) <= 4) return true;
  const white = /^f{6}$/i.test(properties?.first("color")?.attribute("val") ?? "");
  const shaded = properties?.first("shd") ?? properties?.first("highlight") ?? paragraph?.at("pPr", "shd");
  return white && !shaded && !isOnColor(paragraph);
}

function paragraphOf(run: XmlElement): XmlElement | undefined {
  for (let at = run.parent; at; at = at.parent) if (at.local === "p") return at;
  return undefined;
}

/** Cells and boxes often have a color of their own. */
function isOnColor(paragraph: XmlElement | undefined): boolean {
  for (let at = paragraph?.parent; at; at = at.parent) if (at.local === "tc" || at.local === "txbxContent") return true;
  return false;
}

/** A text that is an address, over a link to another host. */
function pretends(text: string, target: string): boolean {
  const shown = /^(?:https?:\/\/)?((?:[a-z0-9-]+\.)+[a-z]{2,})(?:[/:?#]|$)/i.exec(text.trim())?.[1]?.toLowerCase();
  const actual = /^https?:\/\/(?:[^/@]*@)?([^/:?#]+)/i.exec(target)?.[1]?.toLowerCase();
  if (shown === undefined || actual === undefined) return false;
  return shown.replace(/^www\./, "") !== actual.replace(/^www\./, "");
}
