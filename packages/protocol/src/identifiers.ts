/** Ids sort by the time of their making: 48 bits of milliseconds and 80 random bits, in Crockford's base 32. */
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

export const idPrefixes = {
  run: "run",
  call: "call",
  workbench: "wb",
  draft: "draft",
  checkpoint: "cp",
  session: "ses",
  file: "file",
  artifact: "art",
  egress: "egr",
  user: "usr",
  workspace: "ws",
  apiKey: "key",
  invitation: "inv",
  signIn: "sin",
  access: "acc",
  request: "req",
  contextItem: "ctx",
  failure: "fail",
  download: "dl",
} as const;
export type IdKind = keyof typeof idPrefixes;

/** A new id such as `run_01kc3v…` (26 characters after the prefix). */
export function newId(kind: IdKind): string {
  return `${idPrefixes[kind]}_${timePart(Date.now())}${randomPart()}`;
}

/** Ids that a caller may choose (`--run-id`): letters, digits, `.`, `_`, `-`; 1 to 128 characters; no leading dot or dash. */
export const callerIdPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

function timePart(milliseconds: number): string {
  let rest = milliseconds;
  let text = "";
  for (let i = 0; i < 10; i++) {
    text = alphabet.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

function randomPart(): string {
  let text = "";
  for (const byte of randomBytes(16)) text += alphabet.charAt(byte & 31);
  return text;
}

/** Asking the system costs more than the bytes: a few hundred ids' worth are drawn at once, and each is used once. */
const drawn = new Uint8Array(4096);
let used = drawn.length;

function randomBytes(count: number): Uint8Array {
  if (used + count > drawn.length) {
    globalThis.crypto.getRandomValues(drawn);
    used = 0;
  }
  used += count;
  return drawn.subarray(used - count, used);
}

/**
 * The workspace that every installation has. What was recorded before there were others names none; it is of this one, and
 * so is what no workspace was told for.
 */
export const firstWorkspaceId = "default";

/** A W3C trace id: 32 lower-case hex digits. */
export function newTraceId(): string {
  return hex(16);
}

/** A W3C span id: 16 lower-case hex digits. */
export function newSpanId(): string {
  return hex(8);
}

function hex(bytes: number): string {
  return Array.from(randomBytes(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
