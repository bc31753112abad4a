import type { DocumentKind } from "./format.ts";

/** What a file is by its name, and where that says nothing, by its media type. Null: text, or bytes. */
export function documentKindOf(path: string, mediaType: string): DocumentKind | null {
  const extension = /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
  return byExtension[extension] ?? byMediaType[mediaType.split(";")[0]?.trim().toLowerCase() ?? ""] ?? null;
}

const byExtension: Readonly<Record<string, DocumentKind>> = {
  __proto__: null as never,
  docx: "document",
  docm: "document",
  dotx: "document",
  dotm: "document",
  xlsx: "sheets",
  xlsm: "sheets",
  xltx: "sheets",
  xltm: "sheets",
  csv: "sheets",
  tsv: "sheets",
  pptx: "slides",
  pptm: "slides",
  potx: "slides",
  potm: "slides",
  ppsx: "slides",
  ppsm: "slides",
  pdf: "pages",
  png: "image",
  jpg: "image",
  jpeg: "image",
  gif: "image",
  webp: "image",
  avif: "image",
  bmp: "image",
  ico: "image",
  heic: "image",
  tif: "image",
  tiff: "image",
};

const openXml = "application/vnd.openxmlformats-officedocument.";
const byMediaType: Readonly<Record<string, DocumentKind>> = {
  __proto__: null as never,
  [`${openXml}wordprocessingml.document`]: "document",
  [`${openXml}spreadsheetml.sheet`]: "sheets",
  [`${openXml}presentationml.presentation`]: "slides",
  "text/csv": "sheets",
  "text/tab-separated-values": "sheets",
  "application/pdf": "pages",
  "image/png": "image",
  "image/jpeg": "image",
  "image/gif": "image",
  "image/webp": "image",
  "image/avif": "image",
  "image/bmp": "image",
  "image/tiff": "image",
};
