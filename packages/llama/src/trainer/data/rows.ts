import type { NetworkInputs } from "../graph/network.ts";
import { randomFrom, shuffled } from "../random.ts";
import type { Sequence } from "./sequences.ts";

/** Sequences that lie in one row of the network one after another; they do not see each other. */
export type Row = readonly Sequence[];

/** Where a run is in its data: the next row, of the epoch's rows in the epoch's order. */
export interface DataPosition {
  readonly epoch: number;
  readonly row: number;
}

/** An endless run through the data, shuffled anew in each epoch. The same seed and position give the same rows. */
export class RowStream {
  readonly #sequences: readonly Sequence[];
  readonly #rowTokens: number;
  readonly #seed: number;
  #position: DataPosition = { epoch: 0, row: 0 };
  #rows: readonly Row[];

  constructor(sequences: readonly Sequence[], rowTokens: number, seed: number) {
    this.#sequences = sequences;
    this.#rowTokens = rowTokens;
    this.#seed = seed;
    this.#rows = this.#rowsOf(0);
  }

  /** Rows of the first epoch; later ones may have a few more or less. */
  get firstLength(): number {
    return this.#position.epoch === 0 ? this.#rows.length : this.#rowsOf(0).length;
  }

  get position(): DataPosition {
    return this.#position;
  }

  seek(position: DataPosition): void {
    if (position.epoch !== this.#position.epoch) this.#rows = this.#rowsOf(position.epoch);
    this.#position = position;
  }

  take(count: number): Row[] {
    const taken: Row[] = [];
    while (taken.length < count) {
      const { epoch, row } = this.#position;
      const next = this.#rows[row];
      if (next) {
        taken.push(next);
        this.#position = { epoch, row: row + 1 };
      } else {
        this.seek({ epoch: epoch + 1, row: 0 });
      }
    }
    return taken;
  }

  #rowsOf(epoch: number): Row[] {
    return packRows(shuffled(randomFrom(this.#seed, epoch), this.#sequences), this.#rowTokens);
  }
}

/** Rows that a sequence may still be put into; more would fill rows better and mix the order less. */
const openRows = 24;

/** Puts each sequence into the fullest of the open rows that has room for it. */
export function packRows(sequences: readonly Sequence[], rowTokens: number): Row[] {
  const full: Sequence[][] = [];
  const open: { row: Sequence[]; left: number }[] = [];
  for (const sequence of sequences) {
    const length = sequence.tokens.length;
    let best: (typeof open)[number] | undefined;
    for (const candidate of open) {
      if (candidate.left >= length && (!best || candidate.left < best.left)) best = candidate;
    }
    if (!best) {
      if (open.length === openRows) full.push(...open.splice(0, 1).map(({ row }) => row));
      best = { row: [], left: rowTokens };
      open.push(best);
    }
    best.row.push(sequence);
    best.left -= length;
  }
  return [...full, ...open.map(({ row }) => row)];
}

/** How many tokens of the rows are to be learnt. */
export function countedTokens(rows: readonly Row[]): number {
  let sum = 0;
  for (const row of rows) for (const { counts } of row) for (const counted of counts) sum += counted;
  return sum;
}

/** Writes rows into the inputs of a network; rows that are missing stay empty and ask nothing. */
export function fillInputs(
  inputs: NetworkInputs,
  rows: readonly Row[],
  { rowTokens, vocabularySize }: { readonly rowTokens: number; readonly vocabularySize: number },
): void {
  const places = inputs.tokens.length;
  inputs.tokens.fill(0);
  inputs.positions.fill(0);
  inputs.mask.fill(-Infinity);
  let asked = 0;
  for (let row = 0; row * rowTokens < places; row += 1) {
    let start = 0;
    for (const { tokens, counts } of rows[row] ?? []) {
      for (const [at, token] of tokens.entries()) {
        const place = row * rowTokens + start + at;
        inputs.tokens[place] = token;
        inputs.positions[place] = at;
        const seen = place * rowTokens + start;
        inputs.mask.fill(0, seen, seen + at + 1);
        if (counts[at] === 1) ask(inputs, asked++, place - 1, place - 1, token, vocabularySize);
      }
      start += tokens.length;
    }
    // Whoever sees nobody has no share to give; empty places see themselves.
    for (let at = start; at < rowTokens; at += 1) inputs.mask[(row * rowTokens + at) * rowTokens + at] = 0;
  }
  inputs.counted.fill(1, 0, asked).fill(0, asked);
  for (; asked < inputs.counted.length; asked += 1) ask(inputs, asked, 0, places, 0, vocabularySize);
}

function ask(
  inputs: NetworkInputs,
  asked: number,
  place: number,
  answered: number,
  token: number,
  vocabularySize: number,
): void {
  inputs.askedPlaces[asked] = place;
  inputs.answeredPlaces[asked] = answered;
  const target = asked * vocabularySize + token;
  inputs.targets[asked] = target;
  inputs.longTargets[asked] = BigInt(target);
}

/** The summed cross entropy of what a network was asked. */
export function lossOf(inputs: NetworkInputs, probabilities: Float32Array): number {
  let loss = 0;
  for (const [at, probability] of probabilities.entries()) {
    if (inputs.counted[at] === 1) loss -= Math.log(Math.max(probability, 1e-37));
  }
  return loss;
}
