/** Two distributions over the same vocabulary, compared where one token is what really came. */
export interface Comparison {
  /** −ln of what each gave the token that came. */
  readonly sourceSurprise: number;
  readonly candidateSurprise: number;
  /** Kullback–Leibler divergence of the candidate from the source, in nats: Σ p ln (p / q). */
  readonly divergence: number;
  /** Both find the same token most likely. */
  readonly agree: boolean;
}

/** `source` and `candidate` are logits: a row of the vocabulary's size each. NaN anywhere makes the numbers NaN. */
export function compareDistributions(source: Float32Array, candidate: Float32Array, came: number): Comparison {
  const sourceTop = indexOfLargest(source);
  const candidateTop = indexOfLargest(candidate);
  const sourceMax = source[sourceTop] ?? Number.NaN;
  const candidateMax = candidate[candidateTop] ?? Number.NaN;
  let sourceSum = 0;
  let candidateSum = 0;
  let weighted = 0;
  for (let token = 0; token < source.length; token++) {
    const inSource = (source[token] ?? 0) - sourceMax;
    const inCandidate = (candidate[token] ?? 0) - candidateMax;
    const likelihood = Math.exp(inSource);
    sourceSum += likelihood;
    candidateSum += Math.exp(inCandidate);
    // A token that the source rules out (−∞) adds nothing.
    if (likelihood !== 0) weighted += likelihood * (inSource - inCandidate);
  }
  const sourceLog = Math.log(sourceSum);
  const candidateLog = Math.log(candidateSum);
  return {
    sourceSurprise: sourceLog - ((source[came] ?? Number.NaN) - sourceMax),
    candidateSurprise: candidateLog - ((candidate[came] ?? Number.NaN) - candidateMax),
    divergence: weighted / sourceSum - sourceLog + candidateLog,
    agree: sourceTop === candidateTop,
  };
}

/** The first of several. */
function indexOfLargest(values: Float32Array): number {
  let best = 0;
  let largest = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? 0;
    if (value > largest) {
      largest = value;
      best = index;
    }
  }
  return best;
}
