/** The last answers, by what was asked. Who asks for what is being computed waits for the same computation. */
export class Recent<Value> {
  readonly #values = new Map<string, Promise<Value>>();
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  /** A computation that fails is not remembered. */
  async get(key: string, compute: () => Promise<Value>): Promise<Value> {
    const known = this.#values.get(key);
    this.#values.delete(key);
    const value = known ?? compute();
    this.#values.set(key, value);
    const [oldest] = this.#values.keys();
    if (this.#values.size > this.#size && oldest !== undefined) this.#values.delete(oldest);
    try {
      return await value;
    } catch (thrown) {
      if (this.#values.get(key) === value) this.#values.delete(key);
      throw thrown;
    }
  }
}
