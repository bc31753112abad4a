import { readdirSync, readFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { crc32, inflateSync } from "node:zlib";
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, it } from "vitest";
import { compareDocuments, documentKindOf, renderPage as render } from "../index.ts";
import { endlessPdfs, hostilePdfs } from "../../test/hostile-pdfs.ts";
import { deflated, onePage, pdfOf, stream } from "../../test/make-pdf.ts";
import { refusedWith } from "../../test/refused.ts";
import { warningsOfPdf } from "./active-content.ts";
import { compare } from "./compare.ts";
import { describe as describePdf, renderPage } from "./describe.ts";
import { Pdf } from "./pdf.ts";

const folder = join(import.meta.dirname, "../../test/fixtures/pdf");
const names = readdirSync(folder).filter((name) => name.endsWith(".pdf"));
const fixture = (name: string): Uint8Array => readFileSync(join(folder, `${name}.pdf`));

/** Width, height and the rows of a PNG of ours, its filters undone. */
function decodePng(png: Uint8Array): { width: number; height: number; colors: number } {
  const file = Buffer.from(png);
  expect(file.toString("latin1", 1, 4)).toBe("PNG");
  const [width, height] = [file.readUInt32BE(16), file.readUInt32BE(20)];
  const length = file.readUInt32BE(33);
  expect(file.toString("latin1", 37, 41)).toBe("IDAT");
  expect(file.readUInt32BE(41 + length)).toBe(crc32(file.subarray(37, 41 + length)));
  const rows = inflateSync(file.subarray(41, 41 + length));
  const line = width * 3 + 1;
  expect(rows.length).toBe(line * height);
  for (let y = 1; y < height; y += 1) {
    for (let x = 1; x < line; x += 1) rows[y * line + x] = (rows[y * line + x] ?? 0) + (rows[(y - 1) * line + x] ?? 0);
  }
  const colors = new Set<number>();
  for (let at = 0; at < width * height; at += 1) {
    const start = Math.floor(at / width) * line + 1 + (at % width) * 3;
    colors.add(rows.readUIntBE(start, 3));
  }
  return { width, height, colors: colors.size };
}

describe("PDFs as LibreOffice writes them", () => {
  it.each(names)("S10: %s is the same as itself, and its pages have images that do not change", (name) => {
    const bytes = readFileSync(join(folder, name));
    const { pages, warnings, truncated } = compare({ before: bytes, after: Buffer.from(bytes) });
    expect(pages.length).toBeGreaterThan(0);
    expect(pages.every(({ change, oldPage, newPage }) => change === "same" && oldPage === newPage)).toBe(true);
    expect({ warnings, truncated }).toEqual({ warnings: [], truncated: false });
    const image = renderPage({ bytes, page: 1, width: 400 });
    expect(Buffer.compare(image, renderPage({ bytes, page: 1, width: 400 }))).toBe(0);
    const { width, height, colors } = decodePng(image);
    expect(width).toBe(400);
    const [wide, high] = pages[0]?.size ?? [1, 1];
    expect(Math.abs(height - (400 * high) / wide)).toBeLessThanOrEqual(1);
    expect(colors > 1).toBe(name !== "blank-page.pdf");
  });

  it("S10: words that changed are marked in their line", () => {
    const { pages } = compare({ before: fixture("letter"), after: fixture("letter-edited") });
    const [line] = pages[0]?.lines.filter(({ change }) => change !== "same") ?? [];
    expect(pages.map(({ change }) => change)).toEqual(["changed"]);
    expect(line).toMatchObject({ change: "changed", marksBefore: [[29, 35]], marksAfter: [[29, 35]] });
    expect(line?.before?.slice(29, 35)).toBe("steady");
    expect(line?.after?.slice(29, 35)).toBe("sudden");
  });

  it("S10: a page with the same words and another look is changed, with all its lines the same", () => {
    const { pages } = compare({ before: fixture("letter"), after: fixture("letter-red") });
    expect(pages.map(({ change }) => change)).toEqual(["changed"]);
    expect(pages[0]?.lines.every(({ change }) => change === "same")).toBe(true);
  });

  it("S10: pages are aligned by what is written on them", () => {
    const forward = compare({ before: fixture("three-pages"), after: fixture("three-pages-inserted") });
    expect(forward.pages.map(({ change, oldPage, newPage }) => [change, oldPage, newPage])).toEqual([
      ["same", 1, 1],
      ["added", null, 2],
      ["same", 2, 3],
      ["same", 3, 4],
    ]);
    const back = compare({ before: fixture("three-pages-inserted"), after: fixture("three-pages") });
    expect(back.pages.map(({ change }) => change)).toEqual(["same", "removed", "same", "same"]);
  });

  it("S10: a page of another size is changed", () => {
    const [before, after] = [onePage(), onePage({ page: "/MediaBox[0 0 612 800]" })];
    expect(compare({ before, after }).pages[0]).toMatchObject({ change: "changed", size: [612, 800] });
  });

  it("S10: an added and a deleted PDF have all their pages on one side", () => {
    expect(compare({ before: null, after: fixture("letter") }).pages[0]).toMatchObject({
      change: "added",
      oldPage: null,
    });
    expect(compare({ before: fixture("letter"), after: null }).pages[0]).toMatchObject({
      change: "removed",
      newPage: null,
    });
  });

  it.each([
    ["accents", "Größe, naïve café, ångström, £ € ½"],
    ["cyrillic", "Привет, мир."],
    ["greek", "Καλημέρα κόσμε"],
    ["right-to-left", "مرحبا بالعالم"],
    ["emoji", "Party 🎉 & <more>"],
    ["small-sheet", "North"],
  ])("S3: a model reads the text of %s", (name, text) => {
    expect(describePdf({ bytes: fixture(name) })).toContain(text);
  });

  it("S3: a model reads long PDFs in parts", () => {
    const content = Array.from(
      { length: 400 },
      (_, at) => `(word${at} and more and more and more and more and more) '`,
    ).join(" ");
    const kids = Array.from({ length: 6 }, (_, at) => `${at + 6} 0 R`).join(" ");
    const bytes = pdfOf([
      "<</Type/Catalog/Pages 2 0 R>>",
      `<</Type/Pages/Kids[${kids}]/Count 6/MediaBox[0 0 612 9000]/Resources<</Font<</F1 3 0 R>>>>>>`,
      "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
      deflated(`BT /F1 9 Tf 12 TL 9 8900 Td ${content} ET`),
      "null",
      ...Array.from({ length: 6 }, () => "<</Type/Page/Parent 2 0 R/Contents 4 0 R>>"),
    ]);
    const first = describePdf({ bytes });
    expect(first.length).toBeLessThanOrEqual(60_000);
    const next = /ask for the part "(page \d)"/.exec(first)?.[1];
    expect(next).toBeDefined();
    expect(describePdf({ bytes, part: next ?? "" })).toMatch(new RegExp(`^P${next?.slice(1)} of 6`));
    expect(refusedWith(() => describePdf({ bytes, part: "page 7" }))).toMatch(/pages 1 to 6/);
    expect(refusedWith(() => describePdf({ bytes, part: "../../x" }))).toMatch(/no such part/);
  });

  it("S10: an image has at most the pixels that are allowed, and a page that is not there is not found", async () => {
    const long = decodePng(renderPage({ bytes: onePage({ page: "/MediaBox[0 0 500 14400]" }), page: 1, width: 2400 }));
    expect(long.width * long.height).toBeLessThanOrEqual(8_100_000);
    await expect(render({ bytes: onePage(), page: 2, width: 100 })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(render({ bytes: onePage(), page: 0, width: 100 })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("what a PDF could do elsewhere", () => {
  const script = "<</S/JavaScript/JS(app.alert\\(1\\))>>";
  it.each<[string, Buffer, "macro" | "external-reference", RegExp]>([
    ["JavaScript when it is opened", onePage({ catalog: `/OpenAction ${script}` }), "macro", /JavaScript.*as soon as/],
    ["JavaScript in an object of its own", onePage({ page: "/AA<</O 6 0 R>>", more: [script] }), "macro", /JavaScript/],
    [
      "JavaScript under a name",
      onePage({ catalog: `/Names<</JavaScript<</Names[(x)${script}]>>>>` }),
      "macro",
      /JavaScript/,
    ],
    [
      "JavaScript spelled in hex",
      onePage({ catalog: "/OpenAction<</S/J#61vaScr#69pt/J#53(x)>>" }),
      "macro",
      /JavaScript/,
    ],
    [
      "an action that starts a program",
      onePage({ catalog: "/OpenAction<</S/Launch/F(cmd.exe)>>" }),
      "macro",
      /start other/,
    ],
    ["a film", onePage({ page: "/Annots[<</Type/Annot/Subtype/RichMedia/Rect[0 0 9 9]>>]" }), "macro", /media/],
    ["a form in XFA", onePage({ catalog: "/AcroForm<</XFA 6 0 R/Fields[]>>", more: [stream("<x/>")] }), "macro", /XFA/],
    [
      "a form that is sent",
      onePage({ catalog: "/OpenAction<</S/SubmitForm/F(https://example.org)>>" }),
      "external-reference",
      /sends/,
    ],
    [
      "another file",
      onePage({ catalog: "/OpenAction<</S/GoToR/F(//host/x.pdf)>>" }),
      "external-reference",
      /other files/,
    ],
    [
      "a file inside",
      onePage({
        catalog: "/Names<</EmbeddedFiles<</Names[(a.exe)6 0 R]>>>>",
        more: ["<</Type/Filespec/F(a.exe)/EF<</F 7 0 R>>>>", stream("MZ", "/Type/EmbeddedFile")],
      }),
      "external-reference",
      /carries one file/,
    ],
  ])("S10: a person is told of %s", (_, bytes, kind, message) => {
    const { warnings } = compare({ before: null, after: bytes });
    expect(warnings).toContainEqual({ kind, message: expect.stringMatching(message) as string, where: null });
  });

  it("S10: JavaScript is found in a compressed list of objects", () => {
    const inner = `4 0 ${script}`;
    const objects = [
      "<</Type/Catalog/Pages 2 0 R/OpenAction 4 0 R>>",
      "<</Type/Pages/Kids[]/Count 0>>",
      deflated(inner, "/Type/ObjStm/N 1/First 4"),
    ];
    const parts = [Buffer.from("%PDF-1.7\n")];
    const offsets: number[] = [];
    for (const [index, object] of objects.entries()) {
      offsets.push(Buffer.concat(parts).length);
      parts.push(Buffer.concat([Buffer.from(`${index + 1} 0 obj\n`), Buffer.from(object), Buffer.from("\nendobj\n")]));
    }
    const start = Buffer.concat(parts).length;
    const entries = Buffer.alloc(6 * 7);
    const set = (at: number, type: number, second: number, third: number): void => {
      entries.writeUInt8(type, at * 7);
      entries.writeUInt32BE(second, at * 7 + 1);
      entries.writeUInt16BE(third, at * 7 + 5);
    };
    set(0, 0, 0, 65_535);
    offsets.forEach((offset, index) => set(index + 1, 1, offset, 0));
    set(4, 2, 3, 0);
    set(5, 1, start, 0);
    parts.push(
      Buffer.concat([
        Buffer.from("5 0 obj\n"),
        stream(entries, "/Type/XRef/Size 6/W[1 4 2]/Root 1 0 R"),
        Buffer.from(`\nendobj\nstartxref\n${start}\n%%EOF\n`),
      ]),
    );
    const bytes = Buffer.concat(parts);
    expect(bytes.includes("JavaScript")).toBe(false);
    expect(warningsOfPdf(Pdf.open(bytes))).toMatchObject([{ kind: "macro" }]);
  });

  it("S10: what only reads like a name is no reason to warn", () => {
    const said = "BT /F1 24 Tf 50 700 Td (/JavaScript /Launch endstream endobj) Tj ET";
    expect(warningsOfPdf(Pdf.open(onePage({ content: stream(said), catalog: "/Lang(/JavaScript \\) /JS)" })))).toEqual(
      [],
    );
  });

  it("S10: a stream cannot hide what follows it", () => {
    const bytes = onePage({
      page: "/AA<</O 7 0 R>>/A 6 0 R",
      more: [stream("( endstream (", "/X<</Length 9999999>>"), script],
    });
    expect(warningsOfPdf(Pdf.open(bytes))).toMatchObject([{ kind: "macro" }]);
  });
});

let worker: Worker | undefined;
afterAll(async () => void (await worker?.terminate()));

/** What came of reading it in a thread; null where the thread had to be ended. */
async function read(bytes: Uint8Array, timeoutMs: number): Promise<unknown> {
  const reader = (worker ??= new Worker(new URL("../../test/pages-worker.ts", import.meta.url)));
  const ended = new AbortController();
  try {
    reader.postMessage(bytes, []);
    const [answer] = (await Promise.race([
      once(reader, "message", { signal: ended.signal }),
      setTimeout(timeoutMs, [null], { signal: ended.signal }),
    ])) as [unknown];
    if (answer === null) {
      worker = undefined;
      await reader.terminate();
    }
    return answer;
  } finally {
    ended.abort();
  }
}

function memoryHeld(): number {
  return process.memoryUsage().arrayBuffers + process.memoryUsage().external;
}

describe("PDFs made to do harm", () => {
  it.each(Object.entries(hostilePdfs))("S10: %s is shown or refused", { timeout: 60_000 }, async (_, make) => {
    expect(await read(make(), 50_000)).toEqual(expect.any(String));
  });

  it.each(Object.entries(endlessPdfs))(
    "S10: %s is ended with its thread, and the next PDF is read",
    async (_, make) => {
      expect([null, expect.any(String)]).toContainEqual(await read(make(), 1_500));
      expect(await read(onePage(), 30_000)).toBe("shown");
    },
  );

  it.each([0.1, 0.3, 0.5, 0.7, 0.9, 0.99])("S10: a PDF that ends after %d of it is shown or refused", (share) => {
    for (const name of ["letter", "table", "picture"]) {
      const bytes = fixture(name);
      const reason = refusedWith(() => compare({ before: null, after: bytes.subarray(0, bytes.length * share) }));
      expect([null, "The PDF is damaged."]).toContain(reason);
    }
  });

  it("S10: flipped bytes are shown or refused", () => {
    // A fixed sequence (Lehmer), so that a failure can be repeated.
    let state = 20_260_101;
    const random = (below: number): number => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    let shown = 0;
    for (let round = 0; round < 40; round += 1) {
      const bytes = Buffer.from(fixture(["letter", "picture", "three-slides"][round % 3] ?? "letter"));
      for (let flip = 0; flip < 1 + random(30); flip += 1) bytes[random(bytes.length)] = random(256);
      if (refusedWith(() => compare({ before: fixture("letter"), after: bytes })) === null) shown += 1;
    }
    expect(shown).toBeGreaterThan(0);
  });

  it("S10: one that is protected by a password is refused, and reviewed by its bytes", async () => {
    const bytes = readFileSync(join(folder, "../pdf-protected/password.pdf"));
    expect(refusedWith(() => compare({ before: null, after: bytes }))).toBe("The PDF is protected by a password.");
    const path = "secret.pdf";
    const kind = documentKindOf(path, "application/pdf");
    const comparison = await compareDocuments({ kind, before: null, after: bytes, mediaType: "application/pdf", path });
    expect(comparison).toMatchObject({
      kind: "bytes",
      warnings: [{ kind: "unreadable", message: "The PDF is protected by a password." }],
    });
  });

  it("S10: one that is encrypted without a password to open it is read, and searched for what it could do", () => {
    const bytes = readFileSync(join(folder, "../pdf-protected/restricted.pdf"));
    expect(compare({ before: bytes, after: bytes })).toMatchObject({ pages: [{ change: "same" }], warnings: [] });
    expect(describePdf({ bytes })).toContain("Hello Title");
  });

  it("S10: the memory of a document goes with it", () => {
    const bytes = fixture("letter");
    for (let round = 0; round < 10; round += 1) compare({ before: null, after: bytes });
    const before = memoryHeld();
    for (let round = 0; round < 100; round += 1) compare({ before: null, after: bytes });
    // 100 instances of at least 18 MB each would be near two gigabytes.
    expect(memoryHeld() - before).toBeLessThan(700_000_000);
  });
});
