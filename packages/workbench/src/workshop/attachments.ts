import { BenchtopError } from "@benchtop/protocol";
import type { Environment } from "../environment.ts";
import { classify } from "../files/classify.ts";
import type { Limits } from "../limits.ts";
import type { KeptAttachment } from "./asked.ts";

/** An uploaded file that a prompt is to come with. */
export interface AttachmentRequest {
  readonly name: string;
  readonly sha256: string;
}

/**
 * Checks what is to be attached, and keeps it. What a file is, its content says, not its name. Throws `VALIDATION_FAILED` for
 * more than the limits allow and for what no model reads, and `NOT_FOUND` for what `take` does not find among the uploads.
 */
export async function keepAttachments(
  { store, limits }: Environment,
  take: (sha256: string) => Promise<number | undefined>,
  asked: readonly AttachmentRequest[],
): Promise<KeptAttachment[]> {
  const { maxAttachments, maxAttachmentBytes, maxAttachmentsBytes } = limits;
  if (asked.length > maxAttachments) {
    throw refused(`${asked.length} files are attached; at most ${maxAttachments} may be.`, "maxAttachments");
  }
  const kept: KeptAttachment[] = [];
  for (const { name, sha256 } of asked) {
    const bytes = await take(sha256);
    if (bytes === undefined) {
      throw new BenchtopError("NOT_FOUND", `The upload of ${shown(name)} is not there. Upload the file again.`);
    }
    if (bytes > maxAttachmentBytes) {
      throw refused(
        `${shown(name)} has ${bytes} bytes; at most ${maxAttachmentBytes} can be attached.`,
        "maxAttachmentBytes",
      );
    }
    const mediaType = mediaTypeOf(name, await store.blobs.read(sha256));
    if (mediaType === undefined) {
      throw refused(`${shown(name)} cannot be attached: it is no image (PNG, JPEG, GIF, WebP), no PDF, and no text.`);
    }
    kept.push({ name, mediaType, sha256, bytes });
  }
  const total = kept.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total > maxAttachmentsBytes) {
    throw refused(
      `The attachments have ${total} bytes together; at most ${maxAttachmentsBytes} can be sent.`,
      "maxAttachmentsBytes",
    );
  }
  return kept;
}

/** Undefined for what no model reads. */
function mediaTypeOf(name: string, content: Uint8Array): string | undefined {
  const head = Buffer.from(content.buffer, content.byteOffset, Math.min(content.byteLength, 16)).toString("latin1");
  for (const [mediaType, signature] of signatures) if (signature.test(head)) return mediaType;
  if (content.byteLength === 0) return undefined;
  const { mediaType, opaque } = classify(name, content, true);
  return opaque ? undefined : /^text\/|json|xml|yaml|toml/.test(mediaType) ? mediaType : "text/plain";
}

const signatures: readonly (readonly [mediaType: string, signature: RegExp])[] = [
  ["image/png", /^\x89PNG\r\n.\n/],
  ["image/jpeg", /^\xFF\xD8\xFF/],
  ["image/gif", /^GIF8[79]a/],
  ["image/webp", /^RIFF[^]{4}WEBP/],
  ["application/pdf", /^%PDF-/],
];

function shown(name: string): string {
  return JSON.stringify(name);
}

function refused(message: string, limit?: keyof Limits): BenchtopError {
  const detail = { fields: ["attachments"], ...(limit !== undefined && { limit }) };
  return new BenchtopError("VALIDATION_FAILED", message, { phase: "workshop", detail });
}
