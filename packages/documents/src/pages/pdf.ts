import { BenchtopError } from "@benchtop/protocol";
import { refusal } from "../refusal.ts";
import { encodePng } from "./png.ts";
import { PdfiumFailed, startPdfium, type Pdfium } from "./pdfium.ts";

/** Larger files are not opened: they are shown as bytes. */
export const largestPdf = 256 * 1024 * 1024;
/** Of a page's image. A page of 1,000 by 12,000 points is drawn smaller than asked for rather than larger than this. */
const mostPixels = 8_000_000;
const widest = 4_096;
const mostText = 200_000;

/** A PDF that is open; its memory goes when nothing refers to it any more. Throws `VALIDATION_FAILED`, for what cannot be opened or drawn. */
export class Pdf {
  readonly pageCount: number;
  readonly #pdfium: Pdfium;
  readonly #document: number;

  private constructor(pdfium: Pdfium, document: number) {
    this.#pdfium = pdfium;
    this.#document = document;
    this.pageCount = pdfium.call("FPDF_GetPageCount", document);
  }

  static open(bytes: Uint8Array): Pdf {
    if (bytes.length > largestPdf) throw refusal("The PDF is larger than can be shown page by page.");
    // Readers accept the signature anywhere in the first kilobyte.
    if (!Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 1_024)).includes("%PDF-")) {
      throw refusal("The file is no PDF.");
    }
    return whileRunning(() => {
      const pdfium = startPdfium();
      const copy = pdfium.allocate(bytes.length);
      pdfium.memory.set(bytes, copy);
      const document = pdfium.call("FPDF_LoadMemDocument", copy, bytes.length, 0);
      if (document === 0) throw openingFailed(pdfium.call("FPDF_GetLastError"));
      return new Pdf(pdfium, document);
    });
  }

  /** Width by height in points, turned as the page is. `page` counts from 1. */
  size(page: number): [width: number, height: number] {
    return this.#onPage(page, (handle) => this.#sizeOf(handle));
  }

  /** What is written on a page, line by line, in the order of the file. */
  lines(page: number): string[] {
    return this.#onPage(page, (handle) => {
      const pdfium = this.#pdfium;
      const text = pdfium.call("FPDFText_LoadPage", handle);
      if (text === 0) return [];
      const count = Math.min(pdfium.call("FPDFText_CountChars", text), mostText);
      const lines = count > 0 ? linesOf(this.#read(text, count)) : [];
      pdfium.call("FPDFText_ClosePage", text);
      return lines;
    });
  }

  /** A page as a PNG, `width` pixels wide where that stays within the bounds above. */
  png(page: number, width: number): Uint8Array {
    return this.#draw(page, width, (pixels, stride, drawn) => encodePng(drawn[0], drawn[1], pixels, stride));
  }

  /** The pixels of a page (four bytes each), to compare with those of another. */
  pixels(page: number, width: number): Buffer {
    return this.#draw(page, width, (pixels) => Buffer.from(pixels));
  }

  /** How many files the document carries. */
  get attachments(): number {
    return whileRunning(() => this.#pdfium.call("FPDFDoc_GetAttachmentCount", this.#document));
  }

  /** The document as PDFium writes it: every object plain, none in a compressed or encrypted container. */
  plainObjects(): Buffer {
    return whileRunning(() => {
      const parts: Buffer[] = [];
      const collect = (_writer: number, data: number, size: number): number => {
        parts.push(Buffer.from(this.#pdfium.memory.subarray(data, data + size)));
        return 1;
      };
      this.#pdfium.withCallback(collect, (pointer) => {
        // FPDF_FILEWRITE: its version, and the function that takes what is written.
        const writer = this.#pdfium.allocate(8);
        this.#pdfium.memory.writeInt32LE(1, writer);
        this.#pdfium.memory.writeInt32LE(pointer, writer + 4);
        const removeSecurity = 3;
        this.#pdfium.call("FPDF_SaveAsCopy", this.#document, writer, removeSecurity);
        this.#pdfium.free(writer);
      });
      return Buffer.concat(parts);
    });
  }

  #onPage<T>(page: number, work: (handle: number) => T): T {
    if (!Number.isInteger(page) || page < 1 || page > this.pageCount) {
      throw new BenchtopError("NOT_FOUND", "The PDF has no such page.", {
        phase: "review",
        detail: { page, pages: this.pageCount },
      });
    }
    return whileRunning(() => {
      const handle = this.#pdfium.call("FPDF_LoadPage", this.#document, page - 1);
      if (handle === 0) throw refusal("The page cannot be read.");
      const result = work(handle);
      this.#pdfium.call("FPDF_ClosePage", handle);
      return result;
    });
  }

  #sizeOf(handle: number): [number, number] {
    const side = (name: string): number => {
      const points = this.#pdfium.call(name, handle);
      return Number.isFinite(points) && points > 0 ? Math.round(Math.min(points, 1_000_000) * 100) / 100 : 1;
    };
    return [side("FPDF_GetPageWidthF"), side("FPDF_GetPageHeightF")];
  }

  #read(text: number, count: number): string {
    const buffer = this.#pdfium.allocate(count * 2 + 2);
    const written = this.#pdfium.call("FPDFText_GetText", text, 0, count, buffer);
    const read = this.#pdfium.memory.toString("utf16le", buffer, buffer + Math.max(written - 1, 0) * 2);
    this.#pdfium.free(buffer);
    return read;
  }

  #draw<T>(page: number, width: number, use: (pixels: Buffer, stride: number, size: [number, number]) => T): T {
    return this.#onPage(page, (handle) => {
      const pdfium = this.#pdfium;
      const [wide, high] = drawnSize(this.#sizeOf(handle), width);
      const withoutAlpha = 3;
      const bitmap = pdfium.call("FPDFBitmap_CreateEx", wide, high, withoutAlpha, 0, 0);
      if (bitmap === 0) throw refusal("The page is too large to draw.");
      pdfium.call("FPDFBitmap_FillRect", bitmap, 0, 0, wide, high, -1);
      const withAnnotations = 1;
      pdfium.call("FPDF_RenderPageBitmap", bitmap, handle, 0, 0, wide, high, 0, withAnnotations);
      const start = pdfium.call("FPDFBitmap_GetBuffer", bitmap) >>> 0;
      const stride = pdfium.call("FPDFBitmap_GetStride", bitmap);
      const result = use(pdfium.memory.subarray(start, start + stride * high), stride, [wide, high]);
      pdfium.call("FPDFBitmap_Destroy", bitmap);
      return result;
    });
  }
}

function whileRunning<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof PdfiumFailed)) throw error;
    throw refusal("The PDF is damaged, or needs more memory than a document may take.");
  }
}

function openingFailed(code: number): BenchtopError {
  const password = 4;
  const security = 5;
  return code === password || code === security
    ? refusal("The PDF is protected by a password.")
    : refusal("The PDF is damaged.");
}

function drawnSize([width, height]: [number, number], asked: number): [number, number] {
  const wide = Math.min(Math.max(Math.round(asked), 16), widest);
  const scale = Math.min(wide / width, Math.sqrt(mostPixels / (width * height)));
  const side = (points: number): number => Math.min(Math.max(Math.round(points * scale), 1), mostPixels / 16);
  return [side(width), side(height)];
}

function linesOf(text: string): string[] {
  return (
    text
      .toWellFormed()
      // PDFium's mark of a hyphen at the end of a line.
      .replaceAll("\u0002", "-")
      .replaceAll("\uFFFE", "-")
      .split(/\r\n|\r|\n/)
      // oxlint-disable-next-line no-control-regex -- control characters of a page would upset whoever shows them
      .map((line) => line.replaceAll(/[\u0000-\u0008\u000B\u000C\u000E-\u001F]/g, "").trim())
      .filter((line) => line !== "")
  );
}
