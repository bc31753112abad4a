import { BenchtopError, type Attachment, type UserMessage } from "@benchtop/protocol";

/** What a protocol sees in an attachment. `text` is decoded; everything else stays base64. */
export type WireAttachment =
  | { readonly kind: "text"; readonly name: string; readonly text: string }
  | {
      readonly kind: "image" | "pdf" | "document" | "other";
      readonly name: string;
      readonly mediaType: string;
      readonly data: string;
    };

/**
 * The attachments of a message for a protocol that carries `kinds`. Throws `VALIDATION_FAILED` for one of another kind, and
 * for one whose bytes are not there: nothing is left out silently.
 */
export function attachmentsOf(
  message: UserMessage,
  protocol: string,
  kinds: readonly WireAttachment["kind"][],
): readonly WireAttachment[] {
  return (message.attachments ?? []).map((attachment) => {
    const { data } = attachment;
    const mediaType = withoutParameters(attachment.mediaType);
    const kind = kindOf(mediaType);
    const name = attachment.name ?? `attachment.${extensions[mediaType] ?? mediaType.split("/")[1] ?? "bin"}`;
    if (!kinds.includes(kind)) throw notCarried(mediaType, protocol, kinds);
    if (data === undefined) throw notLoaded(attachment);
    if (kind === "text") return { kind, name, text: Buffer.from(data, "base64").toString("utf8") };
    return { kind, name, mediaType, data };
  });
}

/** Text becomes part of the prompt, so every model can read it. */
export function isText(mediaType: string): boolean {
  return kindOf(withoutParameters(mediaType)) === "text";
}

function withoutParameters(mediaType: string): string {
  return mediaType.split(";")[0]?.trim().toLowerCase() ?? "";
}

export function dataUrl({ mediaType, data }: Exclude<WireAttachment, { kind: "text" }>): string {
  return `data:${mediaType};base64,${data}`;
}

/** A text file as part of a prompt, for protocols that have no other place for it. */
export function quotedFile({ name, text }: Extract<WireAttachment, { kind: "text" }>): string {
  return `<file name=${JSON.stringify(name)}>\n${text}\n</file>`;
}

function kindOf(mediaType: string): WireAttachment["kind"] {
  if (imageTypes.has(mediaType)) return "image";
  if (mediaType === "application/pdf") return "pdf";
  if (mediaType.startsWith("text/") || textTypes.has(mediaType) || /\+(json|xml)$/.test(mediaType)) return "text";
  return documentType.test(mediaType) ? "document" : "other";
}

const imageTypes: ReadonlySet<string> = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
const textTypes: ReadonlySet<string> = new Set([
  "application/json",
  "application/jsonl",
  "application/x-ndjson",
  "application/xml",
  "application/yaml",
  "application/toml",
  "application/javascript",
  "application/x-sh",
  "application/sql",
]);
const documentType =
  /^application\/(msword|rtf|vnd\.ms-(excel|powerpoint)|vnd\.openxmlformats-officedocument\..+|vnd\.oasis\.opendocument\..+)$/;
const extensions: Readonly<Record<string, string>> = { "text/plain": "txt", "image/jpeg": "jpg" };

const kindNames: Readonly<Record<WireAttachment["kind"], string>> = {
  image: "images (PNG, JPEG, GIF, WebP)",
  pdf: "PDF",
  text: "text",
  document: "office documents",
  other: "anything else that the model takes",
};

function notCarried(mediaType: string, protocol: string, kinds: readonly WireAttachment["kind"][]): BenchtopError {
  const carried = kinds.map((kind) => kindNames[kind]).join(", ");
  return new BenchtopError(
    "VALIDATION_FAILED",
    `An attachment of type ${mediaType === "" ? "unknown" : mediaType.slice(0, 100)} cannot be sent over ${protocol}, which carries ${carried}.`,
    { actions: ["switch_model"], detail: { media_type: mediaType.slice(0, 100), protocol } },
  );
}

function notLoaded({ mediaType, sha256 }: Attachment): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `The content of an attachment of type ${mediaType} is not there.`, {
    detail: { media_type: mediaType, ...(sha256 !== undefined && { sha256 }) },
  });
}
