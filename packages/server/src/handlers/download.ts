import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { Download } from "../api/handler.ts";

/** Bytes that are in memory already, as a download. */
export function downloadOf(fileName: string, mediaType: string, content: Uint8Array): Download {
  return {
    fileName,
    mediaType,
    sha256: createHash("sha256").update(content).digest("hex"),
    bytes: content.byteLength,
    content: Readable.from([content]),
  };
}
