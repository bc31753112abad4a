import { fileNameFrom, modelNameFrom } from "../registry/model-name.ts";
import { decoded, withoutQuery, type ModelRequest } from "../registry/source-text.ts";
import type { DownloadContext, DownloadGate } from "./download-gate.ts";
import { checkFirstBytes, checkType, firstBytes } from "./first-bytes.ts";
import { quantizationIn, type Offer } from "./offer.ts";
import { refusedAnswer } from "./refused-answer.ts";

/** The file at an address. Its first bytes are looked at, so that what is no model is said so before anything is queued. */
export async function urlOffer(
  gate: DownloadGate,
  request: Extract<ModelRequest, { type: "url" }>,
  context: DownloadContext,
  signal: AbortSignal,
): Promise<Offer> {
  const { url } = request;
  const bytes = await sizeOf(gate, url, context, signal);
  const path = decoded(new URL(url).pathname);
  const title = path.slice(path.lastIndexOf("/") + 1).replace(/\.gguf$/i, "");
  return {
    request,
    title: title === "" ? new URL(url).host : title,
    quantization: quantizationIn(title),
    suggestedName: modelNameFrom(title),
    source: { type: "url", url: withoutQuery(url) },
    files: [{ at: url, name: fileNameFrom(path), bytes, sha256: null, role: "weights" }],
    licence: null,
    defaults: null,
  };
}

async function sizeOf(
  gate: DownloadGate,
  url: string,
  context: DownloadContext,
  signal: AbortSignal,
): Promise<number | null> {
  const headers = { range: "bytes=0-511" };
  const { response, url: answered } = await gate.get(
    url,
    { headers, maxBytes: Number.MAX_SAFE_INTEGER },
    context,
    signal,
  );
  try {
    if (response.status !== 200 && response.status !== 206) {
      throw refusedAnswer(response, new URL(answered).host, { context });
    }
    checkType(response);
    const total = /^bytes \d+-\d+\/(\d{1,16})$/.exec(response.headers.get("content-range") ?? "")?.[1];
    const length = response.headers.get("content-length");
    const bytes = response.status === 206 ? total : (length ?? undefined);
    const known = bytes === undefined ? null : Number(bytes);
    for await (const chunk of firstBytes(response)) {
      checkFirstBytes(chunk, known);
      return known;
    }
    checkFirstBytes(new Uint8Array(), 0);
    return known;
  } finally {
    if (response.body && !response.body.locked) await response.body.cancel();
  }
}
