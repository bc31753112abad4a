import { describe, expect, test } from "vitest";
import { makeManifest } from "../files/manifest.ts";
import { DraftView } from "../draft/view.ts";
import { SpoofedNames } from "./spoofed-names.ts";
import { falseSeparatorIn, hiddenIn, mixedWordIn, skeletonOf } from "./spoofing.ts";

const entry = (path: string) => ({
  fileId: path,
  path,
  sha256: path,
  bytes: 1,
  mediaType: "text/plain",
  opaque: false,
});
const row = (path: string, revision: number) => ({
  draft_id: "d",
  revision,
  path,
  change: "added" as const,
  sha256: "x",
  bytes: 1,
  confirmed: 0 as const,
  run_id: null,
  call_id: null,
  summary: null,
  media_type: null,
  opaque: null,
  at: "",
});

describe("hostile names", () => {
  test.each([
    ["an override that shows exe as txt", "invoice\u202Etxt.exe"],
    ["an embedding", "a\u202Ab"],
    ["an isolate", "a\u2066b"],
    ["a mark of direction in Latin", "a\u200Fb.txt"],
    ["a zero-width space", "pass\u200Bword.txt"],
    ["a word joiner", "pass\u2060word.txt"],
    ["a byte order mark inside", "a\uFEFFb.txt"],
    ["a soft hyphen", "pay\u00ADpal.txt"],
    ["a Hangul filler", "a\u3164b.txt"],
    ["a halfwidth filler", "a\uFFA0b.txt"],
    ["tags", "a\u{E0061}\u{E0062}.txt"],
    ["a joiner among Latin letters", "read\u200Dme.md"],
    ["a non-joiner among Latin letters", "read\u200Cme.md"],
    ["a combining grapheme joiner", "a\u034Fb.md"],
    ["an invisible plus", "a\u2064b.md"],
  ])("cannot be seen: %s", (_, name) => {
    expect(hiddenIn(name)).toBeDefined();
  });

  test.each([
    ["Cyrillic а in paypal", "p\u0430ypal.txt", "Latin and Cyrillic"],
    ["Cyrillic о in report", "rep\u043Ert.md", "Latin and Cyrillic"],
    ["Greek omicron", "n\u03BFtes.md", "Latin and Greek"],
    ["Greek capital Alpha", "\u0391dmin.txt", "Latin and Greek"],
    ["Armenian o", "n\u0585tes.md", "Latin and Armenian"],
    ["Cherokee A", "\u13AAdmin.txt", "Latin and Cherokee"],
    ["Lisu T", "\uA4D4otal.csv", "Latin and Lisu"],
    ["a folder that is spoofed", "s\u0441ripts/run.sh", "Latin and Cyrillic"],
    ["one Latin letter in Cyrillic", "отчёa.txt", "Latin and Cyrillic"],
  ])("mix scripts: %s", (_, name, scripts) => {
    expect(mixedWordIn(name)).toMatchObject({ scripts });
  });

  test.each([
    ["a fraction slash", "src\u2044main.ts"],
    ["a division slash", "src\u2215main.ts"],
    ["a fullwidth slash", "src\uFF0Fmain.ts"],
    ["a one-dot leader", "photo\u2024png"],
    ["a fullwidth full stop", "photo\uFF0Epng"],
  ])("hold what passes for a separator: %s", (_, name) => {
    expect(falseSeparatorIn(name)).toBeDefined();
  });

  test.each([
    ["whole Cyrillic words", "copy.txt", "\u0441\u043E\u0440\u0443.txt"],
    ["digits for letters", "total.csv", "t0tal.csv"],
    ["one for l", "list.md", "1ist.md"],
    ["capital I for l", "list.md", "Iist.md"],
    ["rn for m", "modern.md", "modem.md"],
    ["vv for w", "wave.md", "vvave.md"],
    ["fullwidth letters", "notes.md", "\uFF4E\uFF4F\uFF54\uFF45\uFF53.md"],
    ["mathematical letters", "notes.md", "\u{1D427}\u{1D428}\u{1D42D}\u{1D41E}\u{1D42C}.md"],
    ["small capitals", "readme.md", "\u0280\u1D07\u1D00\u1D05\u1D0D\u1D07.md"],
    ["a dotless i", "list.md", "l\u0131st.md"],
    ["a non-breaking hyphen", "a-b.md", "a\u2011b.md"],
    ["an en dash", "a-b.md", "a\u2013b.md"],
    ["a ligature", "file.md", "\uFB01le.md"],
  ])("look the same: %s", (_, name, other) => {
    expect(skeletonOf(other)).toBe(skeletonOf(name));
  });

  test.each([
    "report.md",
    "Bericht März.docx",
    "отчёт за год.txt",
    "έκθεση.txt",
    "報告書レポート2024.docx",
    "보고서 report.docx",
    "תקציר.docx",
    "تقرير.docx",
    "می\u200Cخواهم.txt",
    "👩\u200D🔬 notes.md",
    "Δt und λ.md",
    "naïve café.txt",
    "हिन्दी.txt",
    "v1.2-final_(2).pdf",
  ])("are left in peace where they are honest: %s", (name) => {
    expect([hiddenIn(name), mixedWordIn(name), falseSeparatorIn(name)]).toEqual([undefined, undefined, undefined]);
  });

  test("are told with the file that they pass for, whether it changed or not", () => {
    const rows = [row("c0py.txt", 1), row("a/rnap.md", 2), row("a/map.md", 3), row("plain.md", 4)];
    const view = new DraftView(makeManifest([entry("copy.txt"), entry("other.txt")]), rows);
    const names = new SpoofedNames(view);
    expect(names.warningsOf("c0py.txt")).toEqual([
      { kind: "spoofed-text", message: 'The name looks like that of "copy.txt", which is another file.', where: null },
    ]);
    expect(names.warningsOf("a/map.md")).toMatchObject([{ message: expect.stringContaining("a/rnap.md") as string }]);
    expect(names.warningsOf("plain.md")).toEqual([]);
  });
});
