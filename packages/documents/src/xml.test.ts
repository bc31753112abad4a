import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { refusedWith } from "../test/refused.ts";
import { documentLimits } from "./limits.ts";
import { decodeXml } from "./package.ts";
import { escapeText, parseXml, type XmlElement, type XmlText } from "./xml.ts";

/** Why a text is refused; null where it is read. */
function refused(source: string): string | null {
  return refusedWith(() => parseXml(source));
}

function refusedBytes(...bytes: (Uint8Array | string)[]): string | null {
  const whole = Buffer.concat(bytes.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
  return refusedWith(() => parseXml(decodeXml(whole, "p")));
}

function wide(text: string): Uint8Array {
  return Buffer.from(text, "utf16le");
}

function nested(depth: number): string {
  return "<a>".repeat(depth) + "</a>".repeat(depth);
}

describe("S10: XML that attacks are made of is refused", () => {
  const laughs = `<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><l>&b;</l>`;
  test.each([
    ["entities that grow", laughs],
    ["entities that grow, after a declaration", `<?xml version="1.0"?>\n<!-- c -->${laughs}`],
    ["an external entity", `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`],
    ["a parameter entity", `<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1/"> %x;]><a/>`],
    ["an external document type", `<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>`],
    ["a document type in small letters", `<!doctype a><a/>`],
    ["a document type within the root", `<a><!DOCTYPE b></a>`],
    ["an entity that nobody declared", `<a>&nbsp;</a>`],
    ["an entity in an attribute", `<a b="&x;"/>`],
    ["an entity named like a property", `<a>&constructor;&__proto__;</a>`],
    ["a reference to half of a surrogate pair", `<a>&#xD800;</a>`],
    ["a reference to a control character", `<a>&#1;</a>`],
    ["a reference beyond Unicode", `<a>&#x110000;</a>`],
    ["a control character", `<a>\u0001</a>`],
    ["a NUL", `<a>\0</a>`],
    ["half of a surrogate pair", `<a>\ud83d</a>`],
    ["a bare ampersand", `<a>a & b</a>`],
    ["a lower-than in an attribute", `<a b="<"/>`],
    ["an attribute without quotes", `<a b=c/>`],
    ["an attribute without a value", `<a b/>`],
    ["attributes without space between", `<a b="1"c="2"/>`],
    ["an attribute twice", `<a b="1" b="2"/>`],
    ["an attribute twice, by two prefixes", `<a xmlns:p="u" xmlns:q="u" p:b="1" q:b="2"/>`],
    ["tags that do not match", `<a><b></a></b>`],
    ["a longer end tag", `<a></ab>`],
    ["no end", `<a><b/>`],
    ["an end tag alone", `</a>`],
    ["two roots", `<a/><b/>`],
    ["text after its end", `<a/>text`],
    ["no root", `<?xml version="1.0"?>`],
    ["nothing", ``],
    ["a prefix that is not declared", `<p:a/>`],
    ["an attribute's prefix that is not declared", `<a p:b="c"/>`],
    ["a prefix without a namespace", `<a xmlns:p=""/>`],
    ["another meaning of xml", `<a xmlns:xml="u"/>`],
    ["two colons in a name", `<a:b:c xmlns:a="u"/>`],
    ["a section end in text", `<a>]]></a>`],
    ["a section that does not end", `<a><![CDATA[x</a>`],
    ["a comment with two hyphens", `<a><!-- a -- b --></a>`],
    ["a second declaration", `<a><?xml version="1.0"?></a>`],
    ["XML 1.1", `<?xml version="1.1"?><a/>`],
    ["space before the declaration", ` <?xml version="1.0"?><a/>`],
  ])("%s", (_, source) => {
    expect(refused(source)).toContain("document");
  });

  test("in another encoding than it says, or than UTF-8 and UTF-16", () => {
    const littleEndian = Buffer.from([0xff, 0xfe]);
    expect(refusedBytes(`<?xml version="1.0" encoding="UTF-7"?>+ADw-a/+AD4-`)).toContain("encoding");
    expect(refusedBytes(`<?xml version="1.0" encoding="UTF-16"?><a/>`)).toContain("encoding");
    expect(refusedBytes(`<?xml version='1.0' encoding='windows-1252'?><a/>`)).toContain("encoding");
    expect(refusedBytes(wide(`<?xml version="1.0"?><a/>`))).not.toBeNull();
    expect(refusedBytes(littleEndian, wide(`<?xml version="1.0" encoding="UTF-8"?><a/>`))).toContain("encoding");
    expect(refusedBytes(littleEndian, wide(laughs))).toContain("a document type");
    expect(refusedBytes(new Uint8Array([0x3c, 0x61, 0xe9, 0x2f, 0x3e]))).toContain("UTF-8");
    expect(refusedBytes("<a>", new Uint8Array([0xc0, 0xbc]), "</a>")).toContain("UTF-8");
    const utf16 = Buffer.concat([
      Buffer.from([0xff, 0xfe]),
      Buffer.from(`<?xml version="1.0" encoding="UTF-16"?><a>é</a>`, "utf16le"),
    ]);
    const document = parseXml(decodeXml(utf16, "p"));
    expect(document.root.text).toBe("é");
    expect(document.toString()).toBe(`<?xml version="1.0" encoding="UTF-8"?><a>é</a>`);
    expect(
      parseXml(decodeXml(Buffer.from(`\ufeff<?xml version="1.0" encoding="utf-8"?><a>é</a>`), "p")).root.text,
    ).toBe("é");
  });

  test("nested deeper than allowed, or with more attributes, without a stack overflow", () => {
    expect(parseXml(nested(documentLimits.xmlDepth)).toString()).toBe(nested(documentLimits.xmlDepth));
    expect(refused(nested(documentLimits.xmlDepth + 1))).toContain("nested");
    expect(refused(nested(1_000_000))).toContain("nested");
    const attributes = Array.from({ length: documentLimits.xmlAttributes + 1 }, (_, at) => ` a${at}=""`).join("");
    expect(refused(`<a${attributes}/>`)).toContain("attributes");
  });

  test("whatever is cut or changed in a document, it is read or refused", () => {
    const good = `<?xml version="1.0"?><w:a xmlns:w="u" b='1&amp;'><!--c--><w:t xml:space="preserve"> x &#x41;</w:t><![CDATA[<]]></w:a>`;
    for (let length = 0; length < good.length; length++) expect(refused(good.slice(0, length))).not.toBeNull();
    const piece = fc.constantFrom(
      "<",
      ">",
      "&",
      ";",
      '"',
      "'",
      "/",
      "!",
      "?",
      "-",
      "]",
      ":",
      "=",
      " ",
      "x",
      "\0",
      "<!DOCTYPE x>",
    );
    fc.assert(
      fc.property(fc.nat(good.length), fc.nat(3), piece, (at, cut, put) => {
        // Anything else than a refusal would be thrown on.
        refused(good.slice(0, at) + put + good.slice(at + cut));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("XML of documents", () => {
  const source =
    `\ufeff<?xml version="1.0" encoding='UTF-8' standalone="yes"?>\r\n<?mso x?><w:document xmlns:w="urn:w"  xmlns:mc='urn:mc'\n mc:Ignorable="w14"><w:p  w:a = "1&quot;&#10;" ><w:r><w:t xml:space="preserve"> a&amp;b\r\n&#13;</w:t ></w:r></w:p><mc:AlternateContent><w:x></w:x></mc:AlternateContent><![CDATA[<raw>]]><!-- note --></w:document>\n`.slice(
      1,
    );

  test("is written as it was read, character by character", () => {
    expect(parseXml(source).toString()).toBe(source);
  });

  test("keeps everything that an edit did not touch", () => {
    const document = parseXml(source);
    const text = document.root.first("p")?.at("r", "t");
    expect(text?.text).toBe(" a&b\n\r");
    expect(document.root.first("p")?.attribute("a")).toBe('1"\n');
    (text as XmlElement).text = "new <&> \r text";
    expect(document.toString()).toBe(
      source.replace("> a&amp;b\r\n&#13;</w:t ></w:r></w:p>", ">new &lt;&amp;&gt; &#13; text</w:t></w:r></w:p>"),
    );
    document.root.first("p")?.setAttribute("w:a", '"2"\t');
    expect(document.toString()).toContain('<w:p w:a="&quot;2&quot;&#9;">');
  });

  test("inserts, copies, moves and removes elements", () => {
    const { root } = parseXml(`<w:a xmlns:w="u"><w:b n="1"><w:c/></w:b><w:d/></w:a>`);
    const [first, last] = root.elements() as [XmlElement, XmlElement];
    const copy = first.clone();
    copy.setAttribute("n", "2");
    root.insert(copy, last);
    root.append(root.create("e", { "w:f": "x" }));
    expect(root.toString()).toBe(
      `<w:a xmlns:w="u"><w:b n="1"><w:c/></w:b><w:b n="2"><w:c/></w:b><w:d/><w:e w:f="x"/></w:a>`,
    );
    root.insert(last, first);
    root.remove(copy);
    first.removeAttribute("n");
    expect(root.toString()).toBe(`<w:a xmlns:w="u"><w:d/><w:b><w:c/></w:b><w:e w:f="x"/></w:a>`);
    expect(root.elements("e")[0]?.attribute("f", "u")).toBe("x");
    expect([...root.descendants()].map((element) => element.local)).toEqual(["d", "b", "c", "e"]);
    expect(() => root.remove(copy)).toThrow("not in this element");
  });

  test("finds names by namespace and not by prefix, and strict documents under the usual names", () => {
    const strict = parseXml(
      `<w:a xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main" xmlns="urn:d"><b/><w:b/></w:a>`,
    );
    const main = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
    expect(strict.root.namespace).toBe(main);
    expect(strict.root.elements("b", main)).toHaveLength(1);
    expect(strict.root.first("b", "urn:d")?.name).toBe("b");
    expect(strict.root.prefixFor(main)).toBe("w:");
    expect(strict.root.prefixFor("urn:d")).toBe("");
    expect(strict.root.prefixFor("urn:other")).toBeUndefined();
  });

  test("any text comes back from the writer, or is refused where XML cannot hold it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }), (binary, text) => {
        const { root } = parseXml(`<a b=""/>`);
        for (const value of [binary, text]) {
          // oxlint-disable-next-line no-control-regex -- What XML cannot hold.
          if (/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(value)) {
            if (refusedWith(() => escapeText(value)) === null) throw new Error("It was written.");
            continue;
          }
          root.text = value;
          root.setAttribute("b", value);
          const again = parseXml(root.toString()).root;
          expect(again.text).toBe(value);
          expect(again.attribute("b")).toBe(value);
        }
      }),
    );
  });

  test("a text that was changed alone is written anew", () => {
    const { root } = parseXml(`<a>x<b/>y</a>`);
    const last = root.children[2] as XmlText;
    last.value = "z<";
    expect(root.toString()).toBe("<a>x<b/>z&lt;</a>");
  });
});
