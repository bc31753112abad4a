/**
 * The last answers, by what was asked: at most so many, and together at most of so much weight. Who asks for what is being
 * computed waits for the same computation.
 */
export class Recent<Value> {
  readonly #entries = new Map<string, { readonly value: Promise<Value>; weight: number }>();
  readonly #size: number;
  readonly #maxWeight: number;
  readonly #weigh: (value: Value) => number;

  constructor(size: number, maxWeight = Number.POSITIVE_INFINITY, weigh: (value: Value) => number = () => 0) {
    this.#size = size;
    this.#maxWeight = maxWeight;
    this.#weigh = weigh;
  }

  /** A computation that fails is not remembered. */
  async get(key: string, compute: () => Promise<Value>): Promise<Value> {
    const entry = this.#entries.get(key) ?? { value: compute(), weight: 0 };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    try {
      const value = await entry.value;
      entry.weight = this.#weigh(value);
      return value;
    } catch (thrown) {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      throw thrown;
    } finally {
      this.#shrink();
    }
  }

  #shrink(): void {
    let weight = 0;
    for (const entry of this.#entries.values()) weight += entry.weight;
    for (const [key, entry] of this.#entries) {
      if (this.#entries.size <= this.#size && weight <= this.#maxWeight) return;
      this.#entries.delete(key);
      weight -= entry.weight;
    }
  }
}
