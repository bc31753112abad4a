const windowMs = 5000;

/** How fast bytes came in the last seconds. */
export class Speed {
  #samples: { readonly at: number; readonly bytes: number }[] = [];

  add(bytes: number): void {
    const now = performance.now();
    const last = this.#samples.at(-1);
    // Pieces that come together are one sample.
    if (last && now - last.at < windowMs / 50) {
      this.#samples[this.#samples.length - 1] = { at: last.at, bytes: last.bytes + bytes };
      return;
    }
    this.#samples.push({ at: now, bytes });
    this.#forget(now);
  }

  clear(): void {
    this.#samples = [];
  }

  /** Null when nothing came. */
  bytesPerSecond(): number | null {
    const now = performance.now();
    this.#forget(now);
    const [first] = this.#samples;
    if (!first) return null;
    const bytes = this.#samples.reduce((sum, sample) => sum + sample.bytes, 0);
    return Math.round((bytes / Math.max(200, now - first.at)) * 1000);
  }

  #forget(now: number): void {
    this.#samples = this.#samples.filter(({ at }) => now - at < windowMs);
  }
}
