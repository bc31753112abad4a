import type { Detector, Finding } from "./findings.ts";

export const personalDataKinds = ["email", "phone", "iban", "payment-card", "us-social-security-number"] as const;
export type PersonalDataKind = (typeof personalDataKinds)[number];

/**
 * Finds personal data by form and, where there is one, by checksum.
 *
 * Phone numbers are found in international form (`+49 30 901820`, every country) and in the North American national form
 * (`(212) 555-0123`). National forms of other countries cannot be told from other numbers. Names, addresses and dates of
 * birth have no form and are not found.
 */
export function personalData(kinds: readonly PersonalDataKind[] = personalDataKinds): Detector {
  return (text) => kinds.flatMap((kind) => detectors[kind](text).map((range) => ({ ...range, kind })));
}

type Range = Omit<Finding, "kind">;

const detectors: Record<PersonalDataKind, (text: string) => readonly Range[]> = {
  email: (text) =>
    matches(
      text,
      /(?<![A-Za-z0-9.!#$%&'*+/=?^_`{|}~-])[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])/g,
      isPersonalAddress,
    ),
  phone: (text) => [
    ...matches(text, /(?<![\w+.-])(?:\+|00(?=[1-9]))[1-9](?:[ ().\-/]{0,2}[0-9]){6,14}(?![\w-])/g, hasPhoneLength),
    ...matches(text, /(?<![\w+.$-])(?:1[ .-])?\(?[2-9][0-9]{2}\)?[ .-][2-9][0-9]{2}[ .-][0-9]{4}(?![\w-]|\.[0-9])/g),
  ],
  iban: (text) =>
    matches(text, /(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])/g, isIban, ibanIn),
  "payment-card": (text) => matches(text, /(?<![\w.+-])[2-6](?:[ -]?[0-9]){12,18}(?![\w-]|\.[0-9])/g, isPaymentCard),
  // 000, 666 and 9xx were never given out, nor were groups 00 and serial numbers 0000 (SSA).
  "us-social-security-number": (text) =>
    matches(
      text,
      /(?<![\w.-])(?!000|666|9)[0-9]{3}([ -])(?!00)[0-9]{2}\1(?!0000)[0-9]{4}(?![\w-]|\.[0-9])/g,
      notAnExample,
    ),
};

function matches(
  text: string,
  pattern: RegExp,
  holds: (match: string) => boolean = () => true,
  shorten: (match: string) => string = (match) => match,
): readonly Range[] {
  const found: Range[] = [];
  for (const match of text.matchAll(pattern)) {
    const matched = shorten(match[0]);
    if (holds(matched)) found.push({ start: match.index, end: match.index + matched.length });
  }
  return found;
}

/** Reserved names (RFC 2606), addresses of machines, and `git@host:path` are nobody's. */
function isPersonalAddress(address: string): boolean {
  const [local = "", domain = ""] = address.toLowerCase().split("@");
  if (/^(?:git|noreply|no-reply|donotreply|do-not-reply|postmaster|mailer-daemon|\[bot\])$/.test(local)) return false;
  if (local.startsWith(".") || local.endsWith(".") || local.includes("..")) return false;
  return !/(?:^|\.)(?:example\.(?:com|org|net)|example|test|invalid|localhost|local)$/.test(domain);
}

/** E.164: at most fifteen digits; below eight it is no international number. */
function hasPhoneLength(match: string): boolean {
  const digits = match.replaceAll(/\D/g, "").replace(/^00/, "").length;
  return digits >= 8 && digits <= 15;
}

/** Length of an IBAN by country (registry of SWIFT, release 99). */
const ibanLengths: Readonly<Record<string, number>> = Object.fromEntries(
  (
    "NO15 BE16 BI27 DK18 FI18 FO18 FK18 GL18 NL18 MK19 SI19 AT20 BA20 EE20 KZ20 LT20 LU20 XK20 MN20 CH21 CR22 DE22 GE22 " +
    "HR21 LV21 LI21 BG22 BH22 GB22 IE22 ME22 RS22 VA22 AE23 GI23 IL23 IQ23 TL23 OM23 SO23 AD24 CZ24 ES24 MD24 PK24 RO24 SA24 " +
    "SE24 SK24 TN24 VG24 DZ26 PT25 LY25 ST25 SD18 IS26 TR26 BF28 CM27 DJ27 FR27 GR27 IT27 MC27 MR27 SM27 AL28 AZ28 BY28 " +
    "CY28 DO28 GT28 HN28 HU28 LB28 NI28 PL28 SV28 BR29 EG29 PS29 QA29 UA29 JO30 KW30 MU30 YE30 MT31 SC31 LC32 RU33"
  )
    .split(" ")
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/** As much of the match as an IBAN of its country has: what follows may be a word of the sentence. */
function ibanIn(match: string): string {
  const length = ibanLengths[match.slice(0, 2)] ?? 0;
  let taken = 0;
  for (let index = 0; index < match.length; index += 1) {
    if (match[index] !== " ") taken += 1;
    if (taken === length) return match.slice(0, index + 1);
  }
  return "";
}

/** ISO 13616: moved, written as digits, the remainder by 97 is 1. */
function isIban(iban: string): boolean {
  if (iban === "") return false;
  const compact = iban.replaceAll(" ", "");
  let remainder = 0;
  for (const character of compact.slice(4) + compact.slice(0, 4)) {
    const value = Number.parseInt(character, 36);
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
  }
  return remainder === 1;
}

/** A length and a prefix that a network issues (ISO/IEC 7812), one separator throughout, and the checksum of Luhn. */
function isPaymentCard(match: string): boolean {
  const digits = match.replaceAll(/\D/g, "");
  const separators = new Set(match.replaceAll(/[0-9]/g, ""));
  if (separators.size > 1 || new Set(digits).size < 3) return false;
  const issued =
    /^4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})$/.test(digits) ||
    /^(?:5[1-5][0-9]{2}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720))[0-9]{12}$/.test(digits) ||
    /^3[47][0-9]{13}$/.test(digits) ||
    /^3(?:0[0-5]|[68][0-9])[0-9]{11}$/.test(digits) ||
    /^(?:6011|65[0-9]{2}|64[4-9][0-9])[0-9]{12}$/.test(digits) ||
    /^35(?:2[89]|[3-8][0-9])[0-9]{12}$/.test(digits) ||
    /^62[0-9]{14,17}$/.test(digits);
  return issued && hasLuhnChecksum(digits);
}

function hasLuhnChecksum(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** Numbers that were printed in advertisements and never given to anybody since. */
function notAnExample(match: string): boolean {
  return !["078051120", "219099999", "123456789"].includes(match.replaceAll(/\D/g, ""));
}
