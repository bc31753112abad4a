import type { BlobRef, Blobs } from "@benchtop/store";
import { classifiedBytes, classify, type Classification } from "./classify.ts";

/** What the content of a blob is, for the path that it shall have. */
export async function classifyBlob(blobs: Blobs, path: string, { sha256, bytes }: BlobRef): Promise<Classification> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of blobs.stream(sha256)) {
    const part = chunk as Uint8Array;
    chunks.push(part);
    length += part.length;
    if (length >= classifiedBytes) break;
  }
  return classify(path, Buffer.concat(chunks), length >= bytes);
}
