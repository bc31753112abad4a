/**
 * What makes a person read another text than is there. Names follow Unicode's UTS #39 (security mechanisms): scripts that are
 * mixed in one word, characters that look like others, characters that cannot be seen; and for text what is known as
 * "Trojan Source" (CVE-2021-42574): characters that reorder a line. https://www.unicode.org/reports/tr39/
 */

/** Embeddings, overrides and isolates: they reorder what comes after them, and nothing needs them in a file that is compared. */
const reordering = /[\u202A-\u202E\u2066-\u2069]/u;
/** Marks of direction, which a text that is written from right to left may need. */
const directionMark = /[\u200E\u200F\u061C]/u;
const rightToLeft = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;
/** Never seen, and never needed: zero-width spaces, fillers, tags that can carry a whole hidden text, and controls. */
const unseen =
  // oxlint-disable-next-line no-control-regex, no-misleading-character-class -- what is looked for
  /[\u200B\u2060-\u2064\u206A-\u206F\u00AD\u034F\u115F\u1160\u17B4\u17B5\u180E\u3164\uFFA0\uFEFF\uFFF9-\uFFFB\u{1D173}-\u{1D17A}\u{E0000}-\u{E0FFF}\u0000-\u0008\u000E-\u001A\u001C-\u001F\u007F\u0080-\u0084\u0086-\u009F]/u;
/** Joiners belong to Persian, Indic scripts and emoji; between letters of other scripts they only hide. */
const joinerInLatin =
  /[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}\p{Nd}][\u200C\u200D]|[\u200C\u200D][\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}]/u;

/** What in a line of text cannot be seen, in words; undefined where nothing. */
export function hiddenIn(line: string): string | undefined {
  if (isPlain(line)) return undefined;
  const reorders = reordering.exec(line);
  if (reorders) return `a character that changes the direction of what follows (${codeOf(reorders[0])})`;
  const mark = directionMark.exec(line);
  if (mark && !rightToLeft.test(line)) return `a mark of direction among letters that have none (${codeOf(mark[0])})`;
  const hidden = unseen.exec(line);
  if (hidden) return `a character that cannot be seen (${codeOf(hidden[0])})`;
  const joiner = joinerInLatin.exec(line);
  return joiner ? `a joiner that cannot be seen (${codeOf(/[\u200C\u200D]/u.exec(joiner[0])?.[0] ?? "")})` : undefined;
}

const word = /[\p{L}\p{M}\p{N}]+/gu;

/** Most words, told at once. */
const oneScript =
  /^(?:[\p{Script=Latin}\p{M}\p{N}]+|[\p{Script=Cyrillic}\p{M}\p{N}]+|[\p{Script=Greek}\p{M}\p{N}]+|[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{M}\p{N}]+|[\p{Script=Arabic}\p{M}\p{N}]+)$/u;

/** The first word of a text that mixes scripts so that one letter passes for another; undefined where there is none. */
export function mixedWordIn(text: string): { readonly word: string; readonly scripts: string } | undefined {
  if (isPlain(text)) return undefined;
  for (const [found] of text.matchAll(word)) {
    if (oneScript.test(found)) continue;
    const scripts = scriptsOf(found);
    if (scripts.length < 2 || together.some((set) => scripts.every((script) => set.has(script)))) continue;
    if (Array.from(found).some((character) => lookAlikes.has(character)))
      return { word: found, scripts: scripts.join(" and ") };
  }
  return undefined;
}

/** A character of a name that passes for a separator: as if there were a folder or an ending that is none. */
export function falseSeparatorIn(name: string): string | undefined {
  const found = /[\u2044\u2215\u29F8\u29F5\uFF0F\uFF3C\u2024\uFF0E\u3002\uA4F8\u0701\u0702\u2236\uFF1A\uA789]/u.exec(
    name,
  );
  return found ? codeOf(found[0]) : undefined;
}

/**
 * Equal for names that look the same: compatibility forms, letters of other scripts, digits for letters, pairs that run
 * together. What UTS #39 calls a skeleton, with the characters that are common in names.
 */
export function skeletonOf(name: string): string {
  let skeleton = "";
  for (const character of isPlain(name) ? name : name.normalize("NFKC")) {
    skeleton += lookAlikes.get(character) ?? character;
  }
  return skeleton
    .replaceAll(/[I1|]/g, "l")
    .toLowerCase()
    .replaceAll("0", "o")
    .replaceAll("rn", "m")
    .replaceAll("vv", "w");
}

/** Letters, digits, and what ASCII has beside them: nothing to look for. */
function isPlain(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- an escape shows, and is in many logs
  return /^[\t\n\v\f\r\u001B -~]*$/.test(text);
}

const scripts = [
  ["Latin", /\p{Script=Latin}/u],
  ["Cyrillic", /\p{Script=Cyrillic}/u],
  ["Greek", /\p{Script=Greek}/u],
  ["Armenian", /\p{Script=Armenian}/u],
  ["Cherokee", /\p{Script=Cherokee}/u],
  ["Coptic", /\p{Script=Coptic}/u],
  ["Georgian", /\p{Script=Georgian}/u],
  ["Lisu", /\p{Script=Lisu}/u],
  ["Hebrew", /\p{Script=Hebrew}/u],
  ["Arabic", /\p{Script=Arabic}/u],
  ["Han", /\p{Script=Han}/u],
  ["Hiragana", /\p{Script=Hiragana}/u],
  ["Katakana", /\p{Script=Katakana}/u],
  ["Bopomofo", /\p{Script=Bopomofo}/u],
  ["Hangul", /\p{Script=Hangul}/u],
] as const;

/** Scripts that are written together (UTS #39, "highly restrictive"). */
const together: readonly ReadonlySet<string>[] = [
  new Set(["Latin", "Han", "Hiragana", "Katakana"]),
  new Set(["Latin", "Han", "Bopomofo"]),
  new Set(["Latin", "Han", "Hangul"]),
];

function scriptsOf(text: string): string[] {
  return scripts.filter(([, script]) => script.test(text)).map(([name]) => name);
}

function codeOf(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** Pairs of a character and the Latin letter that it passes for; from Unicode's confusables.txt. */
const lookAlikes: ReadonlyMap<string, string> = new Map(
  [
    // Cyrillic
    "аa",
    "ԁd",
    "еe",
    "һh",
    "іi",
    "јj",
    "ӏl",
    "оo",
    "рp",
    "ԛq",
    "ѕs",
    "ԝw",
    "хx",
    "уy",
    "үy",
    "сc",
    "ѵv",
    "ɡg",
    "ցg",
    "АA",
    "ВB",
    "ЕE",
    "ЅS",
    "ІI",
    "ЈJ",
    "КK",
    "МM",
    "НH",
    "ОO",
    "РP",
    "СC",
    "ТT",
    "ХX",
    "УY",
    "ԌG",
    "ԚQ",
    "ԜW",
    "ӀI",
    "кk",
    "мm",
    "тt",
    "вb",
    "нh",
    "гr",
    "пn",
    "ьb",
    "зz",
    "б6",
    "З3",
    // Greek
    "αa",
    "οo",
    "νv",
    "ρp",
    "ιi",
    "κk",
    "υu",
    "γy",
    "χx",
    "ϲc",
    "ϳj",
    "σo",
    "τt",
    "ηn",
    "ωw",
    "ℓl",
    "ΑA",
    "ΒB",
    "ΕE",
    "ΖZ",
    "ΗH",
    "ΙI",
    "ΚK",
    "ΜM",
    "ΝN",
    "ΟO",
    "ΡP",
    "ΤT",
    "ΥY",
    "ΧX",
    "ϹC",
    // Armenian, Cherokee, Lisu, Coptic, Georgian
    "օo",
    "ոn",
    "սu",
    "հh",
    "ցg",
    "զq",
    "ԱU",
    "ՕO",
    "ՍU",
    "ՏS",
    "ᎪA",
    "ᏴB",
    "ᏟC",
    "ᎠD",
    "ᎬE",
    "ᎻH",
    "ᎫJ",
    "ᏦK",
    "ᏞL",
    "ᎷM",
    "ᏢP",
    "ᏚS",
    "ᎢT",
    "ᏙV",
    "ᎳW",
    "ᏃZ",
    "ꓐB",
    "ꓑP",
    "ꓓD",
    "ꓔT",
    "ꓖG",
    "ꓗK",
    "ꓙJ",
    "ꓚC",
    "ꓜZ",
    "ꓝF",
    "ꓟM",
    "ꓠN",
    "ꓡL",
    "ꓢS",
    "ꓣR",
    "ꓦV",
    "ꓧH",
    "ꓪW",
    "ꓫX",
    "ꓬY",
    "ꓮA",
    "ꓰE",
    "ꓲI",
    "ꓳO",
    "ꓴU",
    "ⲟo",
    "ⲣp",
    "ⲥc",
    "ყy",
    // Latin beside ASCII
    "ıi",
    "ɩi",
    "ȷj",
    "ɑa",
    "ᴀa",
    "ʙb",
    "ᴄc",
    "ᴅd",
    "ᴇe",
    "ɢg",
    "ʜh",
    "ɪi",
    "ᴊj",
    "ᴋk",
    "ʟl",
    "ᴍm",
    "ɴn",
    "ᴏo",
    "ᴘp",
    "ʀr",
    "ꜱs",
    "ᴛt",
    "ᴜu",
    "ᴠv",
    "ᴡw",
    "ʏy",
    "ᴢz",
    "ǀl",
    "ƖI",
    // Digits of others, and signs
    "٠.",
    "۰.",
    "۱l",
    "١l",
    "०o",
    "০o",
    "౦o",
    "᠐o",
    "–-",
    "—-",
    "‐-",
    "‑-",
    "‒-",
    "−-",
    "﹣-",
    "٫,",
    "‚,",
    "ꞏ.",
    "·.",
    "⁄/",
    "∕/",
    "⧸/",
    "․.",
    "։:",
    "∶:",
    "꞉:",
    "＿_",
    "ˍ_",
  ].map((pair) => {
    const [from = "", to = ""] = pair;
    return [from, to];
  }),
);
