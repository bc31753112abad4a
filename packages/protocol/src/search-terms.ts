/**
 * The words of a text as every memory indexes them, so that all of them find the same: letters and digits in lower case,
 * without accents, an English plural as its singular. Scripts that do not separate words are taken in pairs of characters.
 */
export function searchTerms(text: string): string[] {
  const terms: string[] = [];
  for (const [run] of text
    .normalize("NFKD")
    .toLowerCase()
    .replaceAll(/\p{M}+/gu, "")
    .matchAll(/[\p{L}\p{N}]+/gu)) {
    for (const [part] of run.matchAll(wordsOrUnseparated)) {
      if (unseparated.test(part)) terms.push(...pairsOf(part));
      else terms.push(singular(part.slice(0, longestTerm)));
    }
  }
  return terms;
}

/**
 * Terms to look for: those of the question without the words that nearly every English text holds, each once. A question of
 * nothing else ("why is that?") asks for nothing in particular.
 */
export function queryTerms(query: string): string[] {
  const terms = new Set(searchTerms(query.slice(0, longestQuery)));
  return [...terms].filter((term) => !common.has(term)).slice(0, mostTerms);
}

const longestTerm = 64;
/** UTF-16 units of a question that are read, and terms that are looked for. */
const longestQuery = 10_000;
const mostTerms = 64;

/** Chinese, Japanese, Thai, Lao, Khmer and Burmese (https://www.unicode.org/reports/tr29/ needs dictionaries for them). */
const unseparatedScripts =
  "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}";
const unseparated = new RegExp(`^[${unseparatedScripts}]`, "u");
const wordsOrUnseparated = new RegExp(`[${unseparatedScripts}]+|[^${unseparatedScripts}]+`, "gu");

function pairsOf(text: string): string[] {
  const characters = Array.from(text);
  if (characters.length === 1) return characters;
  return characters.slice(1).map((character, place) => `${characters[place] ?? ""}${character}`);
}

/** Harman's s-stemmer (1991), the gentlest there is: it joins "policies" and "policy" and little that differs. */
function singular(word: string): string {
  if (word.length <= 3 || !word.endsWith("s")) return word;
  if (word.endsWith("ies")) return /[ae]ies$/.test(word) ? word : `${word.slice(0, -3)}y`;
  if (word.endsWith("es")) return /[aeo]es$/.test(word) ? word : word.slice(0, -1);
  return /[us]s$/.test(word) ? word : word.slice(0, -1);
}

const common: ReadonlySet<string> = new Set(
  (
    "a about after all also am an and any are as at be been but by can could did do does for from had has have he her here him his " +
    "how i if in into is it its just like me more my no not of on or our she should so some that the their them then there these " +
    "they thi this to too u up us very wa was we were what when where which who why will with would you your"
  ).split(" "),
);
