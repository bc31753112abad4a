import { expect, test } from "vitest";
import { recordedTerminal } from "../../test/recorded-terminal.ts";
import { printTable } from "./table.ts";

const columns = [
  { title: "NAME", value: (row: { name: string; size: string }) => row.name, shrink: true },
  { title: "SIZE", align: "right" as const, value: (row: { name: string; size: string }) => row.size },
];

test("columns line up, wide characters included", () => {
  const terminal = recordedTerminal();
  printTable(
    terminal,
    [
      { name: "予算", size: "1" },
      { name: "budget", size: "1234" },
    ],
    columns,
  );
  expect(terminal.out).toBe("NAME    SIZE\n予算       1\nbudget  1234\n");
});

test("a long column gives way to a narrow terminal", () => {
  const terminal = recordedTerminal({ width: 24 });
  printTable(terminal, [{ name: "x".repeat(60), size: "1" }], columns);
  expect(terminal.out.split("\n").map((line) => line.length)).toEqual([24, 24, 0]);
});

test("a name cannot steer the terminal", () => {
  const terminal = recordedTerminal();
  printTable(terminal, [{ name: "a\u001B[2Jb\r\u202Ec", size: "1" }], columns);
  for (const character of ["\u001B", "\r", "\u202E"]) expect(terminal.out).not.toContain(character);
});
