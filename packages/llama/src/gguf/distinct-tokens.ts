/**
 * Tells whether a vocabulary has a token twice, which llama.cpp gives up its process at. A number is kept for each token, not
 * its text: a quarter of a million texts in a set take longer than all the rest of a header. Equal numbers are only a
 * suspicion (one in 300,000 vocabularies of that size gives rise to one), which `exact` settles by the texts themselves.
 */
export class DistinctTokens {
  readonly #numbers: Float64Array;
  readonly #texts: Set<string> | undefined;
  #count = 0;
  #twice = false;

  constructor(most: number, exact: boolean) {
    this.#numbers = new Float64Array(exact ? 0 : most);
    this.#texts = exact ? new Set() : undefined;
  }

  /** llama.cpp reads a token to its first NUL, and gives empty ones names of their own. */
  add(bytes: Buffer, index: number): void {
    const nul = bytes.indexOf(0);
    const read = nul < 0 ? bytes : bytes.subarray(0, nul);
    const token = read.length === 0 ? Buffer.from(`[EMPTY_${index}]`) : read;
    if (this.#texts) {
      const before = this.#texts.size;
      this.#twice ||= this.#texts.add(token.toString("latin1")).size === before;
    } else {
      this.#numbers[this.#count] = numberOf(token);
      this.#count += 1;
    }
  }

  /** Asked once, at the end. */
  hasTwice(): boolean {
    const sorted = this.#numbers.subarray(0, this.#count).sort();
    return this.#twice || sorted.some((number, index) => index > 0 && number === sorted[index - 1]);
  }
}

/** 53 bits of two multiplicative hashes. */
function numberOf(token: Buffer): number {
  let one = 0x811c_9dc5;
  let other = 0x2545_f491;
  for (const byte of token) {
    one = Math.imul(one ^ byte, 0x0100_0193);
    other = Math.imul(other + byte, 0x85eb_ca6b) ^ (other >>> 15);
  }
  return (one >>> 0) * 2 ** 21 + (other >>> 11);
}
