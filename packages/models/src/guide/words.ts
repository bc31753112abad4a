/** Of a longer question nothing is read: nobody asks the guide something in so many characters. */
const longestQuestion = 300;

const mostWords = 48;

/** What the gate reads of a question. */
export interface Words {
  /** In lower case, as they were written. */
  readonly words: readonly string[];
  /** The same without their endings: `publishing`, `published` and `publishes` are one word. */
  readonly stems: readonly string[];
  /** The share of its characters that English is not written with. */
  readonly foreign: number;
}

/** The words of a question; none where it is too long to be one, or holds none. */
export function wordsOf(question: string): Words {
  const none = { words: [], stems: [], foreign: 0 };
  if (question.length > longestQuestion) return none;
  const text = question.normalize("NFKC").toLowerCase().replaceAll("\u2019", "'");
  const words = (text.match(word) ?? []).flatMap((each) => contractions.get(each) ?? each.replaceAll("'", ""));
  if (words.length > mostWords) return none;
  return { words, stems: words.map(stemOf), foreign: foreignShare(text) };
}

const word = /[\p{L}\p{N}_]+(?:'\p{L}+)*/gu;

const contractions = new Map<string, readonly string[]>([
  ...["what", "who", "where", "how", "it", "that", "there", "here"].map((each) => [`${each}'s`, [each, "is"]] as const),
  ...["what", "who", "where", "how", "there"].map((each) => [`${each}s`, [each, "is"]] as const),
  ...["do", "does", "is", "are", "did", "could", "should", "would", "has", "have"].flatMap((each) => [
    [`${each}n't`, [each, "not"]] as const,
    [`${each}nt`, [each, "not"]] as const,
  ]),
  ["i'm", ["i", "am"]],
  ["i'd", ["i", "would"]],
  ["i've", ["i", "have"]],
  ["you're", ["you", "are"]],
  ["can't", ["can", "not"]],
  ["cant", ["can", "not"]],
  ["cannot", ["can", "not"]],
  ["won't", ["will", "not"]],
]);

const endings = ["ings", "ing", "ies", "ied", "ed", "es", "s", "ly"];

/** Crude, and that is enough: forms of one word have to become the same, and different words may seldom fall together. */
export function stemOf(word: string): string {
  if (word.length < 4 || /[^a-z]/.test(word)) return word;
  for (const ending of endings) {
    if (!word.endsWith(ending) || word.endsWith("ss") || word.length - ending.length < 3) continue;
    const rest = word.slice(0, -ending.length);
    return ending === "ies" || ending === "ied" ? `${rest}i` : withoutTail(rest);
  }
  return withoutTail(word);
}

/** `delete` and `deleting`, `run` and `running`, `copy` and `copies` end alike. */
function withoutTail(rest: string): string {
  if (rest.length <= 3) return rest;
  if (rest.endsWith("e")) return rest.slice(0, -1);
  if (rest.endsWith("y")) return `${rest.slice(0, -1)}i`;
  return rest.at(-1) === rest.at(-2) && !/[ls]$/.test(rest) ? rest.slice(0, -1) : rest;
}

function foreignShare(text: string): number {
  const characters = text.match(/[^\s\p{P}]/gu) ?? [];
  return characters.length === 0 ? 0 : characters.filter((each) => each > "\u007f").length / characters.length;
}
