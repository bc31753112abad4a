/** Presentations as flat OpenDocument text, from which LibreOffice makes the fixtures. */

const declared = [
  "office:urn:oasis:names:tc:opendocument:xmlns:office:1.0",
  "style:urn:oasis:names:tc:opendocument:xmlns:style:1.0",
  "text:urn:oasis:names:tc:opendocument:xmlns:text:1.0",
  "table:urn:oasis:names:tc:opendocument:xmlns:table:1.0",
  "draw:urn:oasis:names:tc:opendocument:xmlns:drawing:1.0",
  "fo:urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0",
  "xlink:http://www.w3.org/1999/xlink",
  "svg:urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0",
  "presentation:urn:oasis:names:tc:opendocument:xmlns:presentation:1.0",
  "dc:http://purl.org/dc/elements/1.1/",
]
  .map((entry) => `xmlns:${entry.slice(0, entry.indexOf(":"))}="${entry.slice(entry.indexOf(":") + 1)}"`)
  .join(" ");

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const head = (kind: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?><office:document ${declared} office:version="1.2" office:mimetype="application/vnd.oasis.opendocument.${kind}">`;

const styleOf = (name: string, family: string, properties: string, parent = ""): string =>
  `<style:style style:name="${name}" style:family="${family}"${parent === "" ? "" : ` style:parent-style-name="${parent}"`}>${properties}</style:style>`;

const text = (size: number): string => `<style:text-properties fo:font-size="${size}pt"/>`;

export function presentation(pages: readonly string[], [width, height] = [28, 15.75]): string {
  return (
    head("presentation") +
    `<office:styles><style:presentation-page-layout style:name="TitleAndContent">` +
    `<presentation:placeholder presentation:object="title" svg:x="2cm" svg:y="1cm" svg:width="24cm" svg:height="3cm"/>` +
    `<presentation:placeholder presentation:object="outline" svg:x="2cm" svg:y="4.5cm" svg:width="24cm" svg:height="9cm"/>` +
    `</style:presentation-page-layout>` +
    styleOf("Default-title", "presentation", text(36)) +
    styleOf("Default-subtitle", "presentation", text(24)) +
    styleOf("Default-notes", "presentation", text(14)) +
    [1, 2, 3, 4, 5, 6, 7, 8, 9]
      .map((level) => styleOf(`Default-outline${level}`, "presentation", text(26 - level * 2)))
      .join("") +
    `</office:styles><office:automatic-styles><style:page-layout style:name="PM1"><style:page-layout-properties fo:page-width="${width}cm" fo:page-height="${height}cm" style:print-orientation="landscape"/></style:page-layout>` +
    styleOf("hidden", "drawing-page", `<style:drawing-page-properties presentation:visibility="hidden"/>`) +
    styleOf("title", "presentation", "", "Default-title") +
    styleOf("outline", "presentation", "", "Default-outline1") +
    styleOf("subtitle", "presentation", "", "Default-subtitle") +
    styleOf("notes", "presentation", "", "Default-notes") +
    styleOf("bold", "text", `<style:text-properties fo:font-weight="bold"/>`) +
    styleOf("red", "text", `<style:text-properties fo:color="#cc0000" fo:font-style="italic"/>`) +
    styleOf("rtl", "paragraph", `<style:paragraph-properties style:writing-mode="rl-tb" fo:text-align="end"/>`) +
    styleOf("blue", "graphic", `<style:graphic-properties draw:fill="solid" draw:fill-color="#3366cc"/>`) +
    `</office:automatic-styles><office:master-styles><style:master-page style:name="Default" style:page-layout-name="PM1">` +
    `<draw:frame presentation:style-name="Default-title" svg:x="2cm" svg:y="1cm" svg:width="24cm" svg:height="3cm" presentation:class="title" presentation:placeholder="true"><draw:text-box/></draw:frame>` +
    `<draw:frame presentation:style-name="Default-outline1" svg:x="2cm" svg:y="4.5cm" svg:width="24cm" svg:height="9cm" presentation:class="outline" presentation:placeholder="true"><draw:text-box/></draw:frame>` +
    `</style:master-page></office:master-styles><office:body><office:presentation>${pages.join("")}</office:presentation></office:body></office:document>`
  );
}

export interface PageOptions {
  readonly hidden?: boolean;
  readonly notes?: string;
  readonly name?: string;
}

export function page(shapes: readonly string[], { hidden = false, notes, name }: PageOptions = {}): string {
  const notesXml =
    notes === undefined
      ? ""
      : `<presentation:notes><draw:frame presentation:style-name="notes" svg:width="17cm" svg:height="13cm" svg:x="2cm" svg:y="14cm" presentation:class="notes"><draw:text-box>${paragraphs(notes)}</draw:text-box></draw:frame></presentation:notes>`;
  return `<draw:page${name === undefined ? "" : ` draw:name="${name}"`}${hidden ? ` draw:style-name="hidden"` : ""} draw:master-page-name="Default" presentation:presentation-page-layout-name="TitleAndContent">${shapes.join("")}${notesXml}</draw:page>`;
}

const paragraphs = (text: string): string =>
  text
    .split("\n")
    .map((line) => `<text:p>${escape(line)}</text:p>`)
    .join("");

type Box = readonly [left: number, top: number, width: number, height: number];
const box = ([left, top, width, height]: Box): string =>
  `svg:x="${left}cm" svg:y="${top}cm" svg:width="${width}cm" svg:height="${height}cm"`;

export const title = (text: string): string =>
  `<draw:frame presentation:style-name="title" ${box([2, 1, 24, 3])} presentation:class="title"><draw:text-box>${paragraphs(text)}</draw:text-box></draw:frame>`;

export const subtitle = (text: string): string =>
  `<draw:frame presentation:style-name="subtitle" ${box([2, 6, 24, 4])} presentation:class="subtitle"><draw:text-box>${paragraphs(text)}</draw:text-box></draw:frame>`;

export interface Bullet {
  readonly text: string;
  readonly under?: readonly Bullet[];
}

const bulletsXml = (items: readonly (string | Bullet)[]): string =>
  `<text:list>${items
    .map((item) => (typeof item === "string" ? { text: item } : item))
    .map(
      ({ text, under }) =>
        `<text:list-item><text:p>${escape(text)}</text:p>${under ? bulletsXml(under) : ""}</text:list-item>`,
    )
    .join("")}</text:list>`;

export const bullets = (...items: readonly (string | Bullet)[]): string =>
  `<draw:frame presentation:style-name="outline" ${box([2, 4.5, 24, 9])} presentation:class="outline"><draw:text-box>${bulletsXml(items)}</draw:text-box></draw:frame>`;

/** `inner` is XML: spans, line breaks, links. */
export const textBox = (inner: string, at: Box = [3, 5, 10, 3], name = ""): string =>
  `<draw:frame${name === "" ? "" : ` draw:name="${name}"`} ${box(at)}><draw:text-box>${inner}</draw:text-box></draw:frame>`;

export const table = (rows: readonly (readonly string[])[], at: Box = [3, 5, 20, 6]): string =>
  `<draw:frame ${box(at)}><table:table>${(rows[0] ?? []).map(() => "<table:table-column/>").join("")}${rows
    .map(
      (row) =>
        `<table:table-row>${row.map((cell) => `<table:table-cell>${paragraphs(cell)}</table:table-cell>`).join("")}</table:table-row>`,
    )
    .join("")}</table:table></draw:frame>`;

export const picture = (png: Uint8Array, description: string, at: Box = [16, 5, 6, 4]): string =>
  `<draw:frame draw:name="Picture" ${box(at)}><draw:image draw:mime-type="image/png"><office:binary-data>${Buffer.from(png).toString("base64")}</office:binary-data></draw:image><svg:desc>${escape(description)}</svg:desc></draw:frame>`;

export const shape = (kind: "rect" | "ellipse", text: string, at: Box): string =>
  `<draw:${kind} draw:style-name="blue" ${box(at)}>${text === "" ? "" : paragraphs(text)}</draw:${kind}>`;

export const line = (): string => `<draw:line svg:x1="3cm" svg:y1="12cm" svg:x2="20cm" svg:y2="12cm"/>`;
export const group = (...shapes: readonly string[]): string => `<draw:g>${shapes.join("")}</draw:g>`;

export const comment = (text: string): string =>
  `<office:annotation svg:x="1cm" svg:y="1cm"><dc:creator>Ada</dc:creator><dc:date>2026-01-02T03:04:05</dc:date><text:p>${escape(text)}</text:p></office:annotation>`;

export function textDocument(body: string): string {
  return `${head("text")}<office:automatic-styles>${styleOf("break", "paragraph", `<style:paragraph-properties fo:break-before="page"/>`)}${styleOf("bold", "text", `<style:text-properties fo:font-weight="bold"/>`)}${styleOf("red", "text", `<style:text-properties fo:color="#cc0000"/>`)}</office:automatic-styles><office:body><office:text>${body}</office:text></office:body></office:document>`;
}

export function spreadsheet(rows: readonly (readonly string[])[]): string {
  return `${head("spreadsheet")}<office:body><office:spreadsheet><table:table table:name="Sheet1">${rows
    .map(
      (row) =>
        `<table:table-row>${row.map((cell) => `<table:table-cell office:value-type="string"><text:p>${escape(cell)}</text:p></table:table-cell>`).join("")}</table:table-row>`,
    )
    .join("")}</table:table></office:spreadsheet></office:body></office:document>`;
}
