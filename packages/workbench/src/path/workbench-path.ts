import { BenchtopError, type ErrorCode } from "@benchtop/protocol";
import type { Limits } from "../limits.ts";

declare const checked: unique symbol;
/** A path that `parseWorkbenchPath` accepted: relative, `/` between parts, safe to write on any common file system. */
export type WorkbenchPath = string & { readonly [checked]: true };

export type PathLimits = Pick<Limits, "maxSegmentBytes" | "maxPathBytes" | "maxDepth">;

/**
 * The one place that decides what a path inside a workbench may look like.
 *
 * Throws `SANDBOX_VIOLATION` for anything that could name a place outside the workbench (`..`, absolute, drive
 * letters, backslashes, NUL) and `VALIDATION_FAILED` for names that some system cannot hold or that people cannot
 * tell apart. The rules are those of the strictest common file system, so that a workbench can be extracted anywhere.
 */
export function parseWorkbenchPath(text: string, limits: PathLimits): WorkbenchPath {
  refuseEscapes(text);
  const parts = text.split("/");
  for (const part of parts) refuseUnportablePart(text, part, limits);
  if (parts.length > limits.maxDepth) {
    refuse(text, `it is ${parts.length} folders deep; the limit maxDepth is ${limits.maxDepth}. Use fewer folders`);
  }
  const bytes = Buffer.byteLength(text);
  if (bytes > limits.maxPathBytes) {
    refuse(text, `it has ${bytes} bytes; the limit maxPathBytes is ${limits.maxPathBytes}. Shorten it`);
  }
  return text as WorkbenchPath;
}

function refuseEscapes(text: string): void {
  if (text.includes("\0")) escape(text, "it holds a NUL character");
  if (text.includes("\\")) escape(text, "it holds a backslash; write / between folders");
  if (text.startsWith("/")) escape(text, "it is absolute; give a path relative to the workbench, without a leading /");
  if (/^[A-Za-z]:/.test(text)) escape(text, "it starts with a drive letter; give a path relative to the workbench");
  // Windows drops trailing dots and spaces, so `.. ` and `..  .` climb there just as `..` does here.
  if (text.split("/").some((part) => /^\.\.[. ]*$|^\.[. ]*\.$/.test(part))) {
    escape(text, "it holds `..`; a path may not leave the workbench");
  }
}

const reservedCharacters = /[<>:"|?*]/;
/** Format characters and fillers reorder or hide what a person reads. Selectors of a character's form are no such thing. */
const invisible = /(?![\uFE00-\uFE0F\u{E0100}-\u{E01EF}])\p{Default_Ignorable_Code_Point}|\p{Cf}|\p{Zl}|\p{Zp}|\u2800/u;
const control = /\p{Cc}/u;
const nonCharacter = /[\uFDD0-\uFDEF\p{Noncharacter_Code_Point}]/u;
/** Names of devices on Windows, with any extension and in any case; superscript digits count as digits there. */
const reservedName = /^(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9¹²³])[ ]*(?:\..*)?$/iu;

function refuseUnportablePart(text: string, part: string, limits: PathLimits): void {
  if (part === "") refuse(text, text === "" ? "it is empty" : "it has an empty part; remove the doubled or trailing /");
  if (part === ".") refuse(text, "it holds `.`; leave that part out");
  if (!part.isWellFormed()) refuse(text, "it holds half of a surrogate pair; rename the file in valid Unicode");
  if (control.test(part)) refuse(text, "it holds a control character; remove it");
  if (invisible.test(part)) refuse(text, "it holds an invisible or direction-changing character; remove it");
  if (nonCharacter.test(part)) refuse(text, "it holds a code point that is no character; remove it");
  if (part.normalize("NFC") !== part) refuse(text, "it is not in Unicode normal form NFC; write it composed");
  const reserved = reservedCharacters.exec(part);
  if (reserved) refuse(text, `it holds ${reserved[0]}, which Windows forbids in names; replace it`);
  if (/[. ]$/.test(part)) refuse(text, "a part ends with a dot or a space, which Windows drops; remove it");
  if (reservedName.test(part)) refuse(text, `${printable(part)} is the name of a device on Windows; choose another`);
  const bytes = Buffer.byteLength(part);
  if (bytes > limits.maxSegmentBytes) {
    refuse(text, `a part has ${bytes} bytes; the limit maxSegmentBytes is ${limits.maxSegmentBytes}. Shorten it`);
  }
}

function escape(text: string, why: string): never {
  throw refusal("SANDBOX_VIOLATION", text, why);
}

function refuse(text: string, why: string): never {
  throw refusal("VALIDATION_FAILED", text, why);
}

/** An error about one path; `why` completes "… cannot be used: ". */
export function refusal(code: ErrorCode, path: string, why: string): BenchtopError {
  const shown = printable(path);
  return new BenchtopError(code, `The path "${shown}" cannot be used: ${why}.`, {
    phase: "workbench",
    detail: { path: shown },
  });
}

/** A hostile name as it can be shown: bounded, with every character that does not print as its escape. */
export function printable(text: string): string {
  const short = text.length > 300 ? `${text.slice(0, 200)}…(${text.length} characters)` : text;
  return short.replaceAll(
    /\p{C}|\p{Zl}|\p{Zp}|\p{Default_Ignorable_Code_Point}|\u2800/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/**
 * Equal for names that some file system takes for the same: case (full folding, so `ß` and `ss` too), Unicode
 * normalisation, and the selectors that choose between text and emoji forms.
 */
export function twinKey(path: string): string {
  // oxlint-disable-next-line no-control-regex -- the range of ASCII is what is asked
  if (/^[\x00-\x7F]*$/.test(path)) return path.toLowerCase();
  return path
    .replaceAll(/[\uFE00-\uFE0F]/gu, "")
    .normalize("NFD")
    .toUpperCase()
    .toLowerCase()
    .normalize("NFC");
}
