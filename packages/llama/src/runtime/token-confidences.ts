import type { Token } from "node-llama-cpp";

/**
 * The probabilities of sampled tokens until their text comes: some time later, without the tokens that were marks of the
 * template and no text.
 */
export class TokenConfidences {
  #waiting: { readonly token: Token; readonly confidence: number | undefined }[] = [];

  add(token: Token, confidence: number | undefined): void {
    this.#waiting.push({ token, confidence });
  }

  /** The logarithm of the probability of these tokens in a row; undefined where one of them was not sampled as it is. */
  of(tokens: readonly Token[]): number | undefined {
    let sum = 0;
    for (const token of tokens) {
      const at = this.#waiting.findIndex((each) => each.token === token);
      const confidence = this.#waiting[at]?.confidence;
      if (confidence === undefined) return undefined;
      this.#waiting.splice(0, at + 1);
      sum += Math.log(confidence);
    }
    return sum;
  }
}
