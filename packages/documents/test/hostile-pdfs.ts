import { deflateSync } from "node:zlib";
import { deflated, onePage, pdfOf, stream } from "./make-pdf.ts";

const nested = (open: string, close: string, depth: number): string => open.repeat(depth) + close.repeat(depth);

/** PDFs made to stop, fill or mislead whoever reads them. */
export const hostilePdfs: Readonly<Record<string, () => Buffer>> = {
  "nothing at all": () => Buffer.alloc(0),
  "a signature alone": () => Buffer.from("%PDF-1.7\n"),
  "zeros after a signature": () => Buffer.concat([Buffer.from("%PDF-1.7\n"), Buffer.alloc(100_000)]),
  "no catalogue": () => pdfOf(["null"]),
  "pages that contain themselves": () =>
    pdfOf(["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[2 0 R]/Count 1>>"]),
  "two lists of pages in a ring": () =>
    pdfOf([
      "<</Type/Catalog/Pages 2 0 R>>",
      "<</Type/Pages/Kids[3 0 R]/Count 9>>",
      "<</Type/Pages/Parent 2 0 R/Kids[2 0 R]/Count 9>>",
    ]),
  "two thousand million pages": () =>
    pdfOf([
      "<</Type/Catalog/Pages 2 0 R>>",
      "<</Type/Pages/Kids[3 0 R]/Count 2147483647>>",
      "<</Type/Page/Parent 2 0 R>>",
    ]),
  "a million pages, all missing": () =>
    pdfOf(["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[]/Count 1000000>>"]),
  "a table of objects that continues in itself": () =>
    pdfOf(["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[]/Count 0>>"], "/Prev 15"),
  "a page as large as a country": () => onePage({ page: "/MediaBox[0 0 1000000000 1000000000]" }),
  "a page of no size": () => onePage({ page: "/MediaBox[0 0 0 0]" }),
  "a page turned inside out": () => onePage({ page: "/MediaBox[500 500 -500 -500]" }),
  "a page of numbers that are none": () => onePage({ page: "/MediaBox[0 0 1e999 nan]" }),
  "a page a thousand times as high as wide": () => onePage({ page: "/MediaBox[0 0 10 14400]" }),
  "a user unit of a million": () => onePage({ page: "/UserUnit 1000000" }),
  "content that inflates a hundred thousand times": () => {
    let bomb: Uint8Array = deflateSync(Buffer.alloc(30_000_000, " "));
    bomb = deflateSync(bomb);
    return onePage({ content: stream(bomb, "/Filter[/FlateDecode/FlateDecode]") });
  },
  "a hundred filters in a row": () => onePage({ content: stream("00", `/Filter[${"/ASCIIHexDecode".repeat(100)}]`) }),
  "arrays in arrays": () => onePage({ catalog: `/X ${nested("[", "]", 100_000)}` }),
  "dictionaries in dictionaries": () => onePage({ catalog: `/X ${"<</X ".repeat(50_000)}null${">>".repeat(50_000)}` }),
  "graphics states in graphics states": () => onePage({ content: deflated("q ".repeat(500_000)) }),
  "a drawing that draws itself": () =>
    onePage({
      page: "/Resources<</XObject<</X 6 0 R>>>>",
      content: stream("/X Do"),
      more: [stream("/X Do", "/Type/XObject/Subtype/Form/BBox[0 0 99 99]/Resources<</XObject<</X 6 0 R>>>>")],
    }),
  "an image that claims ten thousand million pixels": () =>
    onePage({
      page: "/Resources<</XObject<</I 6 0 R>>>>",
      content: stream("100 0 0 100 0 0 cm /I Do"),
      more: [
        stream("x", "/Type/XObject/Subtype/Image/Width 100000/Height 100000/BitsPerComponent 8/ColorSpace/DeviceRGB"),
      ],
    }),
  "an image with a broken JPEG": () =>
    onePage({
      page: "/Resources<</XObject<</I 6 0 R>>>>",
      content: stream("100 0 0 100 0 0 cm /I Do"),
      more: [
        stream(
          Buffer.from("ffd8ffe000104a46494600010100000100010000ffc0001108ffffffff03012200021101031101ffda", "hex"),
          "/Type/XObject/Subtype/Image/Width 65535/Height 65535/BitsPerComponent 8/ColorSpace/DeviceRGB/Filter/DCTDecode",
        ),
      ],
    }),
  "a path of a hundred thousand lines": () =>
    onePage({
      content: deflated(
        `0 0 m ${Array.from({ length: 100_000 }, (_, at) => `${at % 612} ${(at * 7) % 792} l`).join(" ")} S`,
      ),
    }),
  "a font that is noise": () =>
    onePage({
      page: "/Resources<</Font<</F1 6 0 R>>>>",
      more: [
        "<</Type/Font/Subtype/TrueType/BaseFont/X/FirstChar 0/LastChar 255/FontDescriptor 7 0 R>>",
        "<</Type/FontDescriptor/FontName/X/Flags 4/FontFile2 8 0 R>>",
        stream(Buffer.from(Array.from({ length: 5_000 }, (_, at) => (at * 7919 + (at >> 3)) & 255))),
      ],
    }),
  "a function that calls for a huge table": () =>
    onePage({
      page: "/Resources<</ColorSpace<</C[/Separation/X/DeviceRGB 6 0 R]>>>>",
      content: stream("/C cs 0.5 scn 0 0 100 100 re f"),
      more: [stream("x", "/FunctionType 0/Domain[0 1]/Range[0 1 0 1 0 1]/Size[2000000000]/BitsPerSample 32")],
    }),
};

/** What a PDF engine would work on for hours: only ending its thread helps. */
export const endlessPdfs: Readonly<Record<string, () => Buffer>> = {
  "drawings that double twenty-four times": () =>
    onePage({
      page: "/Resources<</XObject<</X 6 0 R>>>>",
      content: stream("/X Do"),
      more: Array.from({ length: 24 }, (_, at) =>
        stream(
          at === 23 ? "0 0 1 1 re f" : "/X Do /X Do",
          `/Type/XObject/Subtype/Form/BBox[0 0 99 99]/Resources<</XObject<</X ${at + 7} 0 R>>>>`,
        ),
      ),
    }),
  "a pattern of a million tiles": () =>
    onePage({
      page: "/Resources<</Pattern<</P 6 0 R>>>>",
      content: stream("/Pattern cs /P scn 0 0 612 792 re f"),
      more: [
        stream(
          "0 0 1 1 re f",
          "/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 1 1]/XStep 0.001/YStep 0.001/Resources<<>>",
        ),
      ],
    }),
};
