import { deflateSync } from "node:zlib";

/** A PDF of objects as they are given, from number 1 on; the first is the catalogue. Exactly as wrong as it is asked to be. */
export function pdfOf(objects: readonly (string | Uint8Array)[], trailer = ""): Buffer {
  const parts: Buffer[] = [Buffer.from("%PDF-1.7\n")];
  const offsets: number[] = [];
  let length = parts[0]?.length ?? 0;
  objects.forEach((object, index) => {
    offsets.push(length);
    const part = Buffer.concat([Buffer.from(`${index + 1} 0 obj\n`), Buffer.from(object), Buffer.from("\nendobj\n")]);
    parts.push(part);
    length += part.length;
  });
  const entries = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("");
  const table = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${entries}`;
  parts.push(
    Buffer.from(`${table}trailer\n<</Size ${objects.length + 1}/Root 1 0 R${trailer}>>\nstartxref\n${length}\n%%EOF\n`),
  );
  return Buffer.concat(parts);
}

export function stream(content: string | Uint8Array, dictionary = ""): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([
    Buffer.from(`<</Length ${bytes.length}${dictionary}>>stream\n`),
    bytes,
    Buffer.from("\nendstream"),
  ]);
}

export function deflated(content: string | Uint8Array, dictionary = ""): Buffer {
  return stream(deflateSync(content), `/Filter/FlateDecode${dictionary}`);
}

/** One page that says "Hello", with more in its catalogue, in itself, and after it as objects from number 6 on. */
export function onePage({
  catalog = "",
  page = "",
  content = stream("BT /F1 24 Tf 50 700 Td (Hello) Tj ET"),
  more = [],
}: {
  readonly catalog?: string;
  readonly page?: string;
  readonly content?: Uint8Array;
  readonly more?: readonly (string | Uint8Array)[];
} = {}): Buffer {
  return pdfOf([
    `<</Type/Catalog/Pages 2 0 R${catalog}>>`,
    "<</Type/Pages/Kids[3 0 R]/Count 1>>",
    `<</Type/Page/Parent 2 0 R${page.includes("/MediaBox") ? "" : "/MediaBox[0 0 612 792]"}/Contents 4 0 R${page.includes("/Resources") ? "" : "/Resources<</Font<</F1 5 0 R>>>>"}${page}>>`,
    content,
    "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ...more,
  ]);
}
