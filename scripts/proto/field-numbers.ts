/** What one field of a message was given, for ever. */
export interface Assignment {
  readonly number: number;
  readonly name: string;
  /** As proto writes it, without `optional`. */
  readonly type: string;
}

/** By the full name of the message, every field that it ever had. */
export type FieldNumbers = Readonly<Record<string, readonly Assignment[]>>;

/**
 * Gives fields their numbers. One that had a number keeps it; a new one, or one whose type changed, takes the next that no
 * field of the message ever had.
 */
export class NumberLock {
  readonly #byMessage: Map<string, Assignment[]>;

  constructor(locked: FieldNumbers) {
    this.#byMessage = new Map(Object.entries(locked).map(([message, fields]) => [message, [...fields]]));
  }

  numberOf(message: string, name: string, type: string): number {
    const fields = this.#fieldsOf(message);
    const known = fields.find((field) => field.name === name && field.type === type);
    if (known !== undefined) return known.number;
    const number = Math.max(0, ...fields.map((field) => field.number)) + 1;
    fields.push({ number, name, type });
    return number;
  }

  /** Numbers and names of a message that only fields of the past had. */
  reservedOf(message: string, used: ReadonlySet<number>): { numbers: readonly number[]; names: readonly string[] } {
    const fields = this.#fieldsOf(message);
    const past = fields.filter(({ number }) => !used.has(number));
    const present = new Set(fields.filter(({ number }) => used.has(number)).map(({ name }) => name));
    return {
      numbers: past.map(({ number }) => number),
      names: [...new Set(past.map(({ name }) => name))].filter((name) => !present.has(name)),
    };
  }

  get all(): FieldNumbers {
    return Object.fromEntries([...this.#byMessage].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  #fieldsOf(message: string): Assignment[] {
    const fields = this.#byMessage.get(message) ?? [];
    this.#byMessage.set(message, fields);
    return fields;
  }
}
