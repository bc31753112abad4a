import { refusal } from "../registry/refusals.ts";
import type { DownloadContext, DownloadGate, DownloadRequest } from "./download-gate.ts";
import { refusedAnswer, type Asked } from "./refused-answer.ts";

/** Asks for something small (a list, a manifest) and reads it. Throws what the gate throws, and what a refusal means. */
export async function readAnswer(
  gate: DownloadGate,
  url: string,
  request: Omit<DownloadRequest, "maxBytes"> & { readonly maxBytes?: number },
  asked: Asked & { readonly context: DownloadContext },
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { response, url: answered } = await gate.get(
    url,
    { maxBytes: maxAnswerBytes, ...request },
    asked.context,
    signal,
  );
  if (response.status === 200) return new Uint8Array(await response.arrayBuffer());
  await response.body?.cancel();
  throw refusedAnswer(response, new URL(answered).host, asked);
}

const maxAnswerBytes = 32 * 1024 * 1024;

/** Reads JSON. Throws `PROVIDER_UNAVAILABLE` for anything else: a page of a proxy, an answer that was cut off. */
export function jsonOf(bytes: Uint8Array, host: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw unreadable(host, cause);
  }
}

export function unreadable(host: string, cause?: unknown) {
  return refusal(
    "PROVIDER_UNAVAILABLE",
    `${host} did not answer as it is expected to. Try again, or check its address.`,
    {
      detail: { host },
      cause,
    },
  );
}
