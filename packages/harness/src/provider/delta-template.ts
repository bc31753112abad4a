/**
 * Most events of a chat stream are the same JSON around another piece of text. Once such an event was parsed, its text is
 * cut out of the next ones: between the same beginning and the same end, a string without quotes and backslashes can
 * be nothing but another value of the same member. Everything else is for the parser.
 */
export class DeltaTemplate {
  readonly #key: string;
  #before = "";
  #after = "";
  #learningLeft = 8;

  /** `member` is the name of the member that holds the text. */
  constructor(member: string) {
    this.#key = `"${member}":`;
  }

  /** The text of an event that fits, or undefined. */
  match(data: string): string | undefined {
    if (this.#before === "" || !data.startsWith(this.#before) || !data.endsWith(this.#after)) return undefined;
    const start = this.#before.length;
    const end = data.length - this.#after.length;
    if (end < start) return undefined;
    const text = data.slice(start, end);
    return text.includes('"') || text.includes("\\") ? undefined : text;
  }

  /** Takes an event that said nothing but `content`, after it was parsed, as the pattern of those to come. False when it is none. */
  learn(data: string, content: string): boolean {
    if (this.#learningLeft === 0) return false;
    this.#learningLeft -= 1;
    const key = data.indexOf(this.#key);
    if (key === -1 || key !== data.lastIndexOf(this.#key)) return false;
    const value = `"${content}"`;
    const start = key + this.#key.length;
    if (!data.startsWith(value, start)) return false;
    this.#before = data.slice(0, start + 1);
    this.#after = data.slice(start + value.length - 1);
    return true;
  }
}
