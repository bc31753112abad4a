import { createHash } from "node:crypto";
import type { Attachment } from "@benchtop/protocol";
import { canonicalJson } from "./canonical-json.ts";
import type { ProviderRequest } from "./provider.ts";

/**
 * sha256 of the request as canonical JSON, in which the order of an object's members does not matter. An attachment counts by
 * the sha256 of its bytes, so that one given as `data` and one given by its hash are the same.
 */
export function requestHash(request: ProviderRequest): string {
  const messages = request.messages.map((message) =>
    message.role === "user" && message.attachments
      ? { ...message, attachments: message.attachments.map(identityOf) }
      : message,
  );
  return createHash("sha256")
    .update(canonicalJson({ ...request, messages }))
    .digest("hex");
}

/** Bytes are hashed once for each attachment object, however many requests repeat its message. */
const hashes = new WeakMap<Attachment, string>();

function identityOf(attachment: Attachment): Attachment {
  const { data, ...rest } = attachment;
  if (data === undefined || rest.sha256 !== undefined) return rest;
  let sha256 = hashes.get(attachment);
  if (sha256 === undefined) {
    sha256 = createHash("sha256").update(data, "base64").digest("hex");
    hashes.set(attachment, sha256);
  }
  return { ...rest, sha256 };
}
