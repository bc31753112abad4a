import { inspect } from "node:util";

/**
 * A secret value that shows itself only to who asks for it by name. Printing, JSON, string conversion and inspection all
 * give `[secret]`, so that it cannot reach a log, an error or a response by accident.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }

  [inspect.custom](): string {
    return "[secret]";
  }
}
