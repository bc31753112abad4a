import type { LlamaPart } from "./llama-model.ts";

/** Batches on their way from one writer to one reader, in order; what was pushed before a failure is still read. */
export class PartStream {
  #batches: (readonly LlamaPart[])[] = [];
  #end: { readonly error?: unknown } | undefined;
  #wake: (() => void) | undefined;

  push(parts: readonly LlamaPart[]): void {
    if (this.#end) return;
    this.#batches.push(parts);
    this.#wake?.();
  }

  end(): void {
    this.#end ??= {};
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#end ??= { error };
    this.#wake?.();
  }

  /** As a failure, but at once: the reader gets nothing more. */
  abort(reason: unknown): void {
    if (this.#end === undefined) this.#batches = [];
    this.fail(reason);
  }

  async next(): Promise<readonly LlamaPart[] | undefined> {
    while (this.#batches.length === 0 && !this.#end) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const batch = this.#batches.shift();
    if (batch) return batch;
    if (this.#end && "error" in this.#end) throw this.#end.error;
    return undefined;
  }
}
