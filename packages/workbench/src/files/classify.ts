/** What a file is, by its content first: whether a model or a person can read it as text. */
export interface Classification {
  readonly mediaType: string;
  /** Not UTF-8 text: kept and carried. A model sees of it only what is read out of it as a document. */
  readonly opaque: boolean;
}

/** How much of a file decides. A longer file that turns out not to be text later is caught when it is read. */
export const classifiedBytes = 1_048_576;

/**
 * Classifies a file by its first `classifiedBytes`. NUL bytes, invalid UTF-8 and more than a few control characters make a
 * file opaque whatever its name says; the extension only names the media type of what passed.
 */
export function classify(path: string, head: Uint8Array, whole: boolean): Classification {
  const known = mediaTypes[extensionOf(path)];
  if (!isText(head, whole)) {
    return { mediaType: known && !known.startsWith("text/") ? known : "application/octet-stream", opaque: true };
  }
  return { mediaType: known ?? "text/plain", opaque: binaryTypes.has(extensionOf(path)) };
}

/** The classification of something that is known to be text. */
export function classifyText(path: string): Classification {
  return classify(path, new Uint8Array(), true);
}

function isText(head: Uint8Array, whole: boolean): boolean {
  if (head.includes(0)) return false;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: !whole });
  } catch (thrown) {
    if (thrown instanceof TypeError) return false;
    throw thrown;
  }
  let controls = 0;
  for (let index = 0; index < head.length; index += 1) {
    const byte = head[index] ?? 0;
    if (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d && byte !== 0x0c && byte !== 0x1b) controls += 1;
  }
  return controls * 100 <= head.length;
}

function extensionOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  return dot <= 0 ? "" : name.slice(dot + 1).toLowerCase();
}

/** A file of these types is never text, even where its bytes happen to be (an empty or all-ASCII one). */
const binaryTypes = new Set(["pdf", "zip", "gz", "png", "jpg", "jpeg", "gif", "webp", "docx", "xlsx", "pptx"]);

const mediaTypes: Readonly<Record<string, string>> = {
  md: "text/markdown",
  markdown: "text/markdown",
  txt: "text/plain",
  log: "text/plain",
  csv: "text/csv",
  tsv: "text/tab-separated-values",
  html: "text/html",
  htm: "text/html",
  css: "text/css",
  js: "text/javascript",
  mjs: "text/javascript",
  cjs: "text/javascript",
  ts: "text/typescript",
  tsx: "text/typescript",
  jsx: "text/javascript",
  py: "text/x-python",
  rs: "text/x-rust",
  go: "text/x-go",
  java: "text/x-java",
  c: "text/x-c",
  h: "text/x-c",
  cpp: "text/x-c++",
  sh: "text/x-shellscript",
  sql: "text/x-sql",
  r: "text/x-r",
  tex: "text/x-tex",
  ini: "text/plain",
  toml: "application/toml",
  yaml: "application/yaml",
  yml: "application/yaml",
  json: "application/json",
  jsonl: "application/jsonl",
  ipynb: "application/x-ipynb+json",
  xml: "application/xml",
  svg: "image/svg+xml",
  pdf: "application/pdf",
  zip: "application/zip",
  gz: "application/gzip",
  tar: "application/x-tar",
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  mp3: "audio/mpeg",
  wav: "audio/wav",
  mp4: "video/mp4",
  webm: "video/webm",
  docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  pptx: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
  parquet: "application/vnd.apache.parquet",
  sqlite: "application/vnd.sqlite3",
};
