import { describe, expect, test } from "vitest";
import { moveFormula, shiftFormula, tokensOf } from "./formula.ts";
import { dateOf, serialOf, shownNumber } from "./number-format.ts";
import { columnName, columnNumber, parseAddress, parseRange } from "./address.ts";

const here = (sheet: string | null): boolean => sheet === null || sheet === "Data";

describe("S3 formulas", () => {
  test.each([
    ["A1+B2", "A1+B4"],
    ["$A$2:$A$9", "$A$4:$A$11"],
    ["SUM(A1:A2)", "SUM(A1:A4)"],
    ["A:A+2:3", "A:A+4:5"],
    ["Data!A2&Other!A2", "Data!A4&Other!A2"],
    ["'Data'!A2", "'Data'!A4"],
    ['"A2"&A2', '"A2"&A4'],
    ["LOG10(A2)", "LOG10(A4)"],
    ["Rate2*A2", "Rate2*A4"],
    ["Table1[[#This Row],[A2]]+A2", "Table1[[#This Row],[A2]]+A4"],
    ["XFD1048576", "#REF!"],
    ["IF(A2=\"it's\",B2,'Other!'!A2)", "IF(A4=\"it's\",B4,'Other!'!A2)"],
    ["{1,2;3,4}", "{1,2;3,4}"],
    ["1E2+A2", "1E2+A4"],
    ["A2#", "A4#"],
  ])("%s reads %s when two rows come before row 2", (formula, moved) => {
    expect(shiftFormula(formula, here, { at: 2, count: 2 })).toBe(moved);
    expect(
      tokensOf(formula)
        .map(({ raw }) => raw)
        .join(""),
    ).toBe(formula);
  });

  test.each([
    ["A1+A4", "A1+A2"],
    ["A2+1", "#REF!+1"],
    ["SUM(A2:A3)", "SUM(#REF!)"],
    ["SUM(A1:A3)", "SUM(A1:A1)"],
    ["SUM(A3:A9)", "SUM(A2:A7)"],
    ["Data!A3", "#REF!"],
  ])("%s reads %s when rows 2 and 3 go", (formula, moved) => {
    expect(shiftFormula(formula, here, { at: 2, count: -2 })).toBe(moved);
  });

  test("move along with the cell that they are copied to", () => {
    expect(moveFormula("A1+$A1+A$1+$A$1+Data!B2", 2, 1)).toBe("B3+$A3+B$1+$A$1+Data!C4");
    expect(moveFormula("A1", -1, 0)).toBe("#REF!");
  });
});

describe("S3 addresses", () => {
  test("of the first and the last cell, and of none", () => {
    expect([1, 26, 27, 702, 703, 16_384].map(columnName)).toEqual(["A", "Z", "AA", "ZZ", "AAA", "XFD"]);
    expect(["A", "z", "AA", "XFD", "XFE", "AAAA", "1"].map(columnNumber)).toEqual([
      1,
      26,
      27,
      16_384,
      null,
      null,
      null,
    ]);
    expect(parseAddress("XFD1048576")).toEqual({ row: 1_048_576, column: 16_384 });
    for (const text of ["A0", "A1048577", "XFD1048577", "A", "1", "", "A1:B2", "A-1", "A1e308"])
      expect(parseAddress(text)).toBeNull();
    expect(parseRange("C5:A1")).toEqual({ first: { row: 1, column: 1 }, last: { row: 5, column: 3 } });
  });
});

describe("S10 numbers as they are shown", () => {
  test.each([
    [1234.5, "General", "1234.5"],
    [0.1 + 0.2, "General", "0.3"],
    [1e21, "General", "1E+21"],
    [1234.567, "#,##0.00", "1,234.57"],
    [-1234.5, "#,##0.00;(#,##0.00)", "(1,234.50)"],
    [-5, "0.0", "-5.0"],
    [0, "0;-0;zero", "zero"],
    [0.256, "0.0%", "25.6%"],
    [1234567, '0.0,,"M"', "1.2M"],
    [0.000123, "0.00E+00", "1.23E-04"],
    [1.5, "# ?/?", "1 1/2"],
    [7, "000", "007"],
    [12.5, "[$€-407] #,##0.00", "€ 12.50"],
    [12.5, "#.##", "12.5"],
    [150, '[>100]"much" 0;0', "much 150"],
    [5, "@", "5"],
  ])("%d in %s is %s", (value, format, text) => {
    expect(shownNumber(value, format, false)).toEqual({ text, type: "number" });
  });

  test.each([
    [46_053, "yyyy-mm-dd", "2026-01-31"],
    [46_053.5, "dd/mm/yyyy hh:mm", "31/01/2026 12:00"],
    [46_053, "d. mmmm yyyy", "31. January 2026"],
    [46_053.75, "h:mm AM/PM", "6:00 PM"],
    [1.5, "[h]:mm", "36:00"],
    [1, "yyyy-mm-dd", "1900-01-01"],
    [61, "yyyy-mm-dd", "1900-03-01"],
    [0.5, "mm:ss", "00:00"],
    [46_053, "[$-F800]dddd, mmmm dd, yyyy", "Saturday, January 31, 2026"],
  ])("%d in %s is the date %s", (value, format, text) => {
    expect(shownNumber(value, format, false)).toEqual({ text, type: "date" });
  });

  test("days of both calendars and back", () => {
    for (const epoch1904 of [false, true]) {
      for (const day of ["2026-01-31", "2024-02-29", "1999-12-31", "2026-06-15T18:30:00"]) {
        const serial = serialOf(day, epoch1904) ?? -1;
        expect(dateOf(serial, epoch1904)?.toISOString().slice(0, day.length)).toBe(day);
      }
    }
    for (const text of ["2026-02-30", "31.01.2026", "1899-01-01", "2026-01-01T25:00", ""])
      expect(serialOf(text, false)).toBeNull();
  });
});
