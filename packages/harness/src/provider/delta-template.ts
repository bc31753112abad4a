/**
 * Most events of a chat stream are the same JSON around another piece of text. Once such an event was parsed, its text is
 * cut out of the next ones: between the same beginning and the same end, a string without quotes and backslashes can
 * be nothing but another value of the same member. Everything else is for the parser.
 */
export class DeltaTemplate {
  #before = "";
  #after = "";
  #learningLeft = 8;

  /** The text of an event that fits, or undefined. */
  match(data: string): string | undefined {
    if (this.#before === "" || !data.startsWith(this.#before) || !data.endsWith(this.#after)) return undefined;
    const start = this.#before.length;
    const end = data.length - this.#after.length;
    if (end < start) return undefined;
    const text = data.slice(start, end);
    return text.includes('"') || text.includes("\\") ? undefined : text;
  }

  /** Takes an event that said nothing but `content`, after it was parsed, as the pattern of those to come. */
  learn(data: string, content: string): void {
    if (this.#learningLeft === 0) return;
    this.#learningLeft -= 1;
    const key = data.indexOf('"content":');
    if (key === -1 || key !== data.lastIndexOf('"content":')) return;
    const value = `"${content}"`;
    const start = key + '"content":'.length;
    if (!data.startsWith(value, start)) return;
    this.#before = data.slice(0, start + 1);
    this.#after = data.slice(start + value.length - 1);
  }
}
