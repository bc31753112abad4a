import { describe, expect, test } from "vitest";
import { refusedWith } from "../../test/refused.ts";
import { compareDocuments, describeDocument, editDocument } from "../index.ts";
import { OfficePackage } from "../package.ts";
import { createDocx } from "./create.ts";
import { openDocx } from "./open.ts";

/** Sources as Word writes them, by hand: what LibreOffice has no way to write. */
const namespaces =
  'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml" xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" xmlns:v="urn:schemas-microsoft-com:vml" xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" xmlns:evil="urn:evil" mc:Ignorable="w14"';

function word(body: string, change: (file: OfficePackage) => void = () => undefined): Uint8Array {
  const file = OfficePackage.open(createDocx("a.docx"));
  file.put(
    "word/document.xml",
    `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n<w:document ${namespaces}><w:body>${body}<w:sectPr w:rsidR="00A1"><w:pgSz w:w="11906" w:h="16838"/></w:sectPr></w:body></w:document>`,
  );
  change(file);
  return file.save();
}

async function lines(bytes: Uint8Array): Promise<string[]> {
  const text = await describeDocument({ kind: "document", bytes, path: "a.docx" });
  return text
    .split("\n")
    .filter((line) => !line.startsWith("Text document") && !line.startsWith('- [break] "Page setup'));
}

async function edited(bytes: Uint8Array, ...edits: unknown[]): Promise<Uint8Array> {
  return (await editDocument({ kind: "document", bytes, path: "a.docx", edits })).bytes;
}

async function warnings(bytes: Uint8Array): Promise<string[]> {
  const comparison = await compareDocuments({
    kind: "document",
    before: null,
    after: bytes,
    path: "a.docx",
    mediaType: "",
  });
  return comparison.warnings.map(({ kind, message }) => `${kind}: ${message}`);
}

const run = (text: string, properties = ""): string =>
  `<w:r w:rsidR="00B2">${properties === "" ? "" : `<w:rPr>${properties}</w:rPr>`}<w:t xml:space="preserve">${text}</w:t></w:r>`;
const p = (...content: string[]): string =>
  `<w:p w14:paraId="1A2B3C4D" w14:textId="77777777" w:rsidR="00C3">${content.join("")}</w:p>`;
const box = (text: string): string => `<w:txbxContent>${p(run(text))}</w:txbxContent>`;

const alternatives = (requires: string, first: string, other: string): string =>
  p(
    `<w:r><mc:AlternateContent><mc:Choice Requires="${requires}"><w:t>${first}</w:t></mc:Choice><mc:Fallback><w:t>${other}</w:t></mc:Fallback></mc:AlternateContent></w:r>`,
  );

const relationships = (file: OfficePackage, part: string, entry: string): void => {
  file.put(part, file.text(part).replace("</Relationships>", `${entry}</Relationships>`));
};

const strict = (text: string): string =>
  text
    .replaceAll(
      "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
      "http://purl.oclc.org/ooxml/wordprocessingml/main",
    )
    .replaceAll(
      "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
      "http://purl.oclc.org/ooxml/officeDocument/relationships",
    );

describe("What Word writes and LibreOffice does not", () => {
  test("content controls, tags, fields, symbols and equations are read as they are shown", async () => {
    const field = (instruction: string, result: string): string =>
      `<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText xml:space="preserve"> ${instruction} </w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>${run(result)}<w:r><w:fldChar w:fldCharType="end"/></w:r>`;
    const bytes = word(
      `<w:sdt><w:sdtPr/><w:sdtContent>${p(run("In a control, "), `<w:sdt><w:sdtContent>${run("and within")}</w:sdtContent></w:sdt>`, ".")}</w:sdtContent></w:sdt>` +
        p(
          `<w:smartTag w:uri="u" w:element="e">${run("Tagged")}</w:smartTag>`,
          run(" and ", "<w:b/>"),
          field("PAGE", "7"),
        ) +
        p(
          run("a"),
          `<w:r><w:sym w:font="Wingdings" w:char="00E0"/></w:r>`,
          run("b"),
          "<w:r><w:noBreakHyphen/></w:r>",
          run("c"),
        ) +
        p(
          `<m:oMath xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"><m:r><m:t>x=1</m:t></m:r></m:oMath>`,
        ) +
        p(`<w:r><w:ruby><w:rt>${run("ruby")}</w:rt><w:rubyBase>${run("base")}</w:rubyBase></w:ruby></w:r>`),
    );
    expect(await lines(bytes)).toEqual([
      'p1 [paragraph] "In a control, and within"',
      'p2 [paragraph] "Tagged and 7"',
      'p3 [paragraph] "aàb\u2011c"',
      'p4 [paragraph] "x=1"',
      'p5 [paragraph] "base"',
    ]);
    const after = await edited(bytes, { edit: "replace-text", old_text: "Tagged and", new_text: "Named or" });
    expect((await lines(after))[1]).toBe('p2 [paragraph] "Named or 7"');
    const xml = OfficePackage.open(after).text("word/document.xml");
    expect(xml).toContain('<w:smartTag w:uri="u" w:element="e">');
    expect(xml).toContain('w14:paraId="1A2B3C4D"');
  });

  test("tracked changes read as accepted, and an edit leaves them tracked", async () => {
    const by = 'w:id="1" w:author="Ada" w:date="2026-01-02T03:04:05Z"';
    const bytes = word(
      p(
        run("Kept "),
        `<w:ins ${by}>${run("new ")}</w:ins>`,
        `<w:del ${by}><w:r><w:delText>old </w:delText></w:r></w:del>`,
        run("end"),
      ) +
        p(`<w:moveFrom ${by}>${run("moved")}</w:moveFrom>`, `<w:moveTo ${by}>${run("here")}</w:moveTo>`) +
        `<w:tbl><w:tblPr/><w:tblGrid><w:gridCol/></w:tblGrid><w:tr><w:trPr><w:del ${by}/></w:trPr><w:tc>${p(run("gone"))}</w:tc></w:tr><w:tr><w:tc>${p(run("stays"))}</w:tc></w:tr></w:tbl>` +
        p(),
    );
    expect(await lines(bytes)).toEqual([
      expect.stringContaining("tracked changes"),
      'p1 [paragraph] "Kept new end"',
      'p2 [paragraph] "here"',
      't1.r2 [table-row] c1 "stays"',
      'p3 [paragraph] ""',
    ]);
    const after = await edited(bytes, { edit: "replace-text", old_text: "new end", new_text: "newer end" });
    const xml = OfficePackage.open(after).text("word/document.xml");
    expect(xml).toContain(`<w:ins ${by}>${run("newer ")}</w:ins><w:del ${by}>`);
  });

  test("a text box is edited in both of its forms", async () => {
    const drawing = `<mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wp:anchor><wps:wsp><wps:txbx>${box("Boxed text")}</wps:txbx></wps:wsp></wp:anchor></w:drawing></mc:Choice><mc:Fallback><w:pict><v:shape><v:textbox>${box("Boxed text")}</v:textbox></v:shape></w:pict></mc:Fallback></mc:AlternateContent>`;
    const bytes = word(p(`<w:r>${drawing}</w:r>`));
    expect(await lines(bytes)).toEqual(['box1.p1 [paragraph] "Boxed text"']);
    expect(await warnings(bytes)).toEqual([]);
    const after = await edited(bytes, { edit: "set-text", at: "box1.p1", text: "Other text" });
    const xml = OfficePackage.open(after).text("word/document.xml");
    expect(xml.split("Other text")).toHaveLength(3);
    expect(xml).not.toContain("Boxed");
    expect(await warnings(after)).toEqual([]);
  });

  test("strict documents are read and edited in their own names", async () => {
    const bytes = word(p(run("Strict text")), (file) => {
      for (const name of file.names) if (name !== "[Content_Types].xml") file.put(name, strict(file.text(name)));
    });
    const after = await edited(
      bytes,
      { edit: "set-text", at: "p1", text: "Strict words" },
      { edit: "insert-paragraphs", paragraphs: ["More"], style: "Heading 1" },
      { edit: "add-comment", at: "p1", text: "x" },
    );
    expect(await lines(after)).toEqual([
      'p1 [paragraph] "Strict words"',
      'p2 [heading 1, "heading 1"] "More"',
      'comment1.p1 [comment] "Benchtop: x"',
    ]);
    expect(OfficePackage.open(after).text("word/document.xml")).not.toContain("openxmlformats.org/wordprocessingml");
  });

  test("UTF-16 and another prefix make no difference", async () => {
    const bytes = word("", (file) => {
      const xml =
        '<?xml version="1.0" encoding="UTF-16"?><document xmlns="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><body><p><r><t>plain</t></r></p></body></document>';
      file.put("word/document.xml", Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(xml, "utf16le")]));
    });
    // Attributes of this vocabulary need a prefix, so styles cannot be named here; texts can.
    await expect(edited(bytes, { edit: "set-style", at: "p1", style: "Title" })).rejects.toThrow("no prefix");
    const after = await edited(
      bytes,
      { edit: "set-text", at: "p1", text: "plain\ntext" },
      { edit: "insert-paragraphs", paragraphs: ["more"] },
    );
    expect(OfficePackage.open(after).text("word/document.xml")).toBe(
      '<?xml version="1.0" encoding="UTF-8"?><document xmlns="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><body><p><r><t>plain</t><br/><t>text</t></r></p><p><r><t>more</t></r></p></body></document>',
    );
  });
});

describe("S10: documents that were made to deceive", () => {
  test("are read as Word reads them where they say different things to different programs, with a warning", async () => {
    const unknown = word(alternatives("evil", "harmless", "harmful"));
    expect((await lines(unknown)).at(-1)).toBe('p1 [paragraph] "harmful"');
    const known = word(alternatives("w14", "harmful", "harmless"));
    expect((await lines(known)).at(-1)).toBe('p1 [paragraph] "harmful"');
    for (const bytes of [unknown, known]) {
      expect(await warnings(bytes)).toEqual([expect.stringContaining("different things to different programs")]);
    }
    expect(await warnings(word(alternatives("w14", "same", "same")))).toEqual([]);
  });

  test.each([
    ["hidden", run("secret", "<w:vanish/>")],
    ["hidden by a style", run("secret", '<w:rStyle w:val="Secret"/>')],
    ["tiny", run("secret", '<w:sz w:val="2"/>')],
    ["white", run("secret", '<w:color w:val="FFFFFF"/>')],
  ])("say so where text is %s", async (_, hidden) => {
    const bytes = word(p(run("Visible "), hidden), (file) => {
      const style =
        '<w:style w:type="character" w:styleId="Base"><w:name w:val="Base"/><w:basedOn w:val="Secret"/><w:rPr><w:vanish/></w:rPr></w:style><w:style w:type="character" w:styleId="Secret"><w:name w:val="Secret"/><w:basedOn w:val="Base"/></w:style>';
      file.put("word/styles.xml", file.text("word/styles.xml").replace("</w:styles>", `${style}</w:styles>`));
    });
    expect(await warnings(bytes)).toEqual([expect.stringMatching(/^spoofed-text: .*hidden/)]);
    expect((await lines(bytes)).at(-1)).toBe('p1 [paragraph] "Visible secret"');
  });

  test("say so where another file is inserted, and where letters are a picture", async () => {
    const bytes = word(
      `<w:altChunk r:id="rId9"/>${p('<w:r><w:pict><v:shape id="WordArt"><v:textpath string="Drawn words"/></v:shape></w:pict></w:r>')}`,
      (file) => {
        file.put("word/chunk.html", "<b>inserted</b>");
        file.put(
          "word/_rels/document.xml.rels",
          file
            .text("word/_rels/document.xml.rels")
            .replace(
              "</Relationships>",
              '<Relationship Id="rId9" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/aFChunk" Target="chunk.html"/></Relationships>',
            ),
        );
      },
    );
    expect(await warnings(bytes)).toEqual([expect.stringMatching(/^unreadable: .*inserts this file/)]);
    expect((await lines(bytes)).at(-1)).toBe('- [image] "WordArt: Drawn words"');
  });

  test("do not see a white heading on a dark cell as hidden", async () => {
    const cell = `<w:tc><w:tcPr><w:shd w:val="clear" w:fill="000000"/></w:tcPr>${p(run("Name", '<w:color w:val="FFFFFF"/>'))}</w:tc>`;
    expect(await warnings(word(`<w:tbl><w:tblPr/><w:tblGrid/><w:tr>${cell}</w:tr></w:tbl>${p()}`))).toEqual([]);
  });

  const office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
  test.each([
    [
      "two main parts",
      (file: OfficePackage) =>
        relationships(
          file,
          "_rels/.rels",
          `<Relationship Id="x" Type="${office}/officeDocument" Target="word/other.xml"/>`,
        ),
    ],
    [
      "a main part that is elsewhere",
      (file: OfficePackage) =>
        file.put("_rels/.rels", file.text("_rels/.rels").replace("/>", ' TargetMode="External"/>')),
    ],
    [
      "a main part that leads out",
      (file: OfficePackage) =>
        file.put("_rels/.rels", file.text("_rels/.rels").replace("word/document.xml", "../../etc/passwd")),
    ],
    ["no main part", (file: OfficePackage) => file.remove("word/document.xml")],
    [
      "two bodies",
      (file: OfficePackage) =>
        file.put(
          "word/document.xml",
          file.text("word/document.xml").replace("</w:document>", "<w:body/></w:document>"),
        ),
    ],
    [
      "the content type of sheets",
      (file: OfficePackage) =>
        file.put(
          "[Content_Types].xml",
          file.text("[Content_Types].xml").replace("wordprocessingml.document.main", "spreadsheetml.sheet.main"),
        ),
    ],
    [
      "two content types for a part",
      (file: OfficePackage) =>
        file.put(
          "[Content_Types].xml",
          file
            .text("[Content_Types].xml")
            .replace("</Types>", '<Override PartName="/WORD/document.xml" ContentType="text/xml"/></Types>'),
        ),
    ],
    [
      "two relationships of one name",
      (file: OfficePackage) =>
        relationships(
          file,
          "word/_rels/document.xml.rels",
          `<Relationship Id="rId1" Type="${office}/image" Target="x.png"/>`,
        ),
    ],
    [
      "a document type",
      (file: OfficePackage) =>
        file.put("word/styles.xml", `<!DOCTYPE a SYSTEM "file:///etc/passwd">${file.text("word/styles.xml")}`),
    ],
    [
      "deep nesting",
      (file: OfficePackage) =>
        file.put(
          "word/document.xml",
          file
            .text("word/document.xml")
            .replace(
              "</w:body>",
              `${"<w:sdt><w:sdtContent>".repeat(500)}${"</w:sdtContent></w:sdt>".repeat(500)}</w:body>`,
            ),
        ),
    ],
  ])("are refused with %s", (_, change) => {
    const bytes = word(p(run("text")), change);
    expect(refusedWith(() => openDocx(bytes))).not.toBeNull();
  });
});
