/**
 * Makes the presentations, PDFs and images of `fixtures` as LibreOffice writes them, from sources that are written here. Run it by
 * hand when a source changes: `node packages/documents/test/make-slide-fixtures.ts`.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodePng } from "../src/pages/png.ts";
import { convert } from "./libreoffice.ts";
import {
  bullets,
  comment,
  group,
  line,
  page,
  picture,
  presentation,
  shape,
  spreadsheet,
  subtitle,
  table,
  textBox,
  textDocument,
  title,
} from "./slide-sources.ts";

const folder = join(import.meta.dirname, "fixtures");

/** Stripes of two colours, so that a wrong row or column shows. */
function stripes(width: number, height: number): Uint8Array {
  const pixels = Buffer.alloc(width * height * 4);
  for (let at = 0; at < width * height; at += 1) {
    const across = (at % width) * 2 < width;
    pixels.set(
      Math.floor(at / width) % 8 < 4 ? [200, 80, across ? 20 : 220, 0] : [20, across ? 180 : 60, 240, 0],
      at * 4,
    );
  }
  return encodePng(width, height, pixels, width * 4);
}

const red = stripes(40, 24);
const wide = stripes(64, 16);
const lorem =
  "The quarterly figures show a steady rise in all regions, with the north leading and the coast close behind.";
const report = [title("Results"), bullets("Revenue rose", "Costs fell", "Outlook is stable")];

const decks: Readonly<Record<string, string>> = {
  "title-slide": presentation([page([title("Annual report"), subtitle("Prepared by the office")])]),
  "title-and-bullets": presentation([page(report)]),
  "nested-bullets": presentation([
    page([
      title("Levels"),
      bullets({ text: "One", under: [{ text: "One a", under: [{ text: "Deep" }] }, { text: "One b" }] }, "Two"),
    ]),
  ]),
  "three-slides": presentation([
    page([title("First"), bullets("Alpha", "Beta")]),
    page([title("Second"), bullets("Gamma")]),
    page([title("Third"), bullets("Delta", "Epsilon")]),
  ]),
  "many-slides": presentation(
    Array.from({ length: 40 }, (_, at) =>
      page([title(`Chapter ${at + 1}`), bullets(`Point ${at + 1}.1`, `Point ${at + 1}.2`)]),
    ),
  ),
  notes: presentation([page(report, { notes: "Say hello first.\nThen the numbers." }), page([title("No notes")])]),
  hidden: presentation([page([title("Shown")]), page([title("Hidden")], { hidden: true }), page([title("Shown too")])]),
  table: presentation([
    page([
      title("Table"),
      table([
        ["Region", "Sales"],
        ["North", "10"],
        ["South", "7"],
      ]),
    ]),
  ]),
  picture: presentation([page([title("Picture"), picture(red, "Red and green stripes")])]),
  "same-picture-twice": presentation([
    page([picture(red, "One")]),
    page([picture(red, "Two"), picture(wide, "Other", [3, 10, 4, 2])]),
  ]),
  shapes: presentation([page([shape("rect", "Box", [2, 2, 5, 3]), shape("ellipse", "", [9, 2, 4, 4]), line()])]),
  group: presentation([
    page([title("Group"), group(shape("rect", "Left", [3, 6, 4, 3]), shape("ellipse", "Right", [9, 6, 4, 3]))]),
  ]),
  "nested-group": presentation([
    page([
      group(
        shape("rect", "Outer", [2, 2, 4, 3]),
        group(shape("rect", "Inner", [8, 2, 4, 3]), shape("ellipse", "Oval", [8, 7, 4, 3])),
      ),
    ]),
  ]),
  "text-boxes": presentation([
    page([
      textBox("<text:p>One</text:p>", [2, 2, 8, 2], "Left"),
      textBox("<text:p>Two</text:p><text:p>More</text:p>", [12, 2, 8, 3], "Right"),
    ]),
  ]),
  runs: presentation([
    page([
      title("Runs"),
      textBox(
        `<text:p>Plain <text:span text:style-name="bold">bold words</text:span> and <text:span text:style-name="red">red ones</text:span> to end.</text:p>`,
        [3, 6, 18, 3],
      ),
    ]),
  ]),
  "line-breaks": presentation([
    page([
      title("Breaks"),
      textBox("<text:p>First line<text:line-break/>second line</text:p><text:p/>", [3, 6, 18, 4]),
    ]),
  ]),
  links: presentation([
    page([
      title("Links"),
      textBox(
        `<text:p>See <text:a xlink:href="https://example.org/" xlink:type="simple">the site</text:a> for more.</text:p>`,
      ),
    ]),
  ]),
  arabic: presentation([page([title("مرحبا بالعالم"), bullets("النقطة الأولى", "النقطة الثانية")])]),
  hebrew: presentation([page([title("שלום עולם"), bullets("נקודה ראשונה")])]),
  japanese: presentation([page([title("四半期の報告"), bullets("売上は増加した", "費用は減少した")])]),
  emoji: presentation([page([title("Party 🎉 & <more>"), bullets("Rocket 🚀", "Family 👨‍👩‍👧‍👦")])]),
  comments: presentation([page([...report, comment("Is this final?")])]),
  empty: presentation([page([])]),
  "empty-placeholders": presentation([page([title(""), bullets("")])]),
  "four-by-three": presentation([page(report)], [25.4, 19.05]),
  "long-text": presentation([
    page([title("Long"), bullets(...Array.from({ length: 30 }, (_, at) => `${at + 1}. ${lorem}`))]),
  ]),
};

const p = (text: string): string => `<text:p>${text}</text:p>`;
const breaking = (text: string): string => `<text:p text:style-name="break">${text}</text:p>`;
const texts: Readonly<Record<string, string>> = {
  letter: textDocument([p("Dear reader,"), p(lorem), p("With kind regards"), p("The office")].join("")),
  "letter-edited": textDocument(
    [p("Dear reader,"), p(lorem.replace("steady", "sudden")), p("With kind regards"), p("The office")].join(""),
  ),
  "letter-red": textDocument(
    [
      p("Dear reader,"),
      p(`<text:span text:style-name="red">${lorem}</text:span>`),
      p("With kind regards"),
      p("The office"),
    ].join(""),
  ),
  "three-pages": textDocument(
    [p("Page one is here"), breaking("Page two is here"), breaking("Page three is here")].join(""),
  ),
  "three-pages-inserted": textDocument(
    [p("Page one is here"), breaking("A new page"), breaking("Page two is here"), breaking("Page three is here")].join(
      "",
    ),
  ),
  "blank-page": textDocument(p("")),
  "bold-text": textDocument(p(`Plain and <text:span text:style-name="bold">bold</text:span>`)),
  "long-text": textDocument(Array.from({ length: 120 }, (_, at) => p(`${at + 1}. ${lorem}`)).join("")),
  cyrillic: textDocument(p("Привет, мир. Это проверка.")),
  greek: textDocument(p("Καλημέρα κόσμε")),
  "right-to-left": textDocument(p("مرحبا بالعالم שלום עולם")),
  accents: textDocument(p("Größe, naïve café, ångström, £ € ½ ﬁ “quotes” – dash")),
};
const sheets: Readonly<Record<string, string>> = {
  "small-sheet": spreadsheet([
    ["Region", "Sales"],
    ["North", "10"],
    ["South", "7"],
  ]),
  "long-sheet": spreadsheet(Array.from({ length: 150 }, (_, at) => [`Row ${at + 1}`, String(at * at)])),
};
const deckPages = [
  "title-and-bullets",
  "table",
  "picture",
  "shapes",
  "runs",
  "three-slides",
  "four-by-three",
  "emoji",
  "links",
];

const work = await mkdtemp(join(tmpdir(), "slide-fixtures-"));
try {
  for (const name of ["pptx", "pdf", "pdf-protected", "images"]) {
    await rm(join(folder, name), { recursive: true, force: true });
    await mkdir(join(folder, name), { recursive: true });
  }
  const write = async (extension: string, sources: Readonly<Record<string, string>>): Promise<string[]> => {
    const files: string[] = [];
    for (const [name, source] of Object.entries(sources)) {
      files.push(join(work, `${name}.${extension}`));
      await writeFile(join(work, `${name}.${extension}`), source);
    }
    return files;
  };
  const presentations = await write("fodp", decks);
  await convert(presentations, "pptx", join(folder, "pptx"));
  const shown = presentations.filter((file) => deckPages.some((name) => file.endsWith(`/${name}.fodp`)));
  await convert(
    [...(await write("fodt", texts)), ...(await write("fods", sheets)), ...shown],
    "pdf",
    join(folder, "pdf"),
  );
  const hello = textDocument([p("Hello Title"), p("Some first paragraph, with words.")].join(""));
  const protections = {
    password: { EncryptFile: true, DocumentOpenPassword: "secret" },
    restricted: { RestrictPermissions: true, PermissionPassword: "owner" },
  };
  for (const [name, options] of Object.entries(protections)) {
    const typed = Object.entries(options).map(([option, value]) => [
      option,
      { type: typeof value, value: String(value) },
    ]);
    const filter = `pdf:writer_pdf_Export:${JSON.stringify(Object.fromEntries(typed))}`;
    await convert(await write("fodt", { [name]: hello }), filter, join(folder, "pdf-protected"));
  }
  await writeFile(join(folder, "images/stripes.png"), red);
  await writeFile(join(work, "stripes.png"), red);
  for (const format of ["jpg", "gif", "webp"])
    await convert([join(work, "stripes.png")], format, join(folder, "images"));
} finally {
  await rm(work, { recursive: true, force: true });
}
