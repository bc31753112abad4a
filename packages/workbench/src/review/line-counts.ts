import { setTimeout as delay } from "node:timers/promises";
import type { Environment } from "../environment.ts";
import type { Count } from "./count-lines.ts";

/** The contents of the two sides; null where a side has none. */
export interface Pair {
  readonly before: string | null;
  readonly after: string | null;
}

/** How long a list waits for its counts. Those of a long one that come later are there when it is asked for again. */
const patienceMs = { short: 3000, long: 150 };
const shortList = 100;
const pairsAtOnce = 200;
/** Of one piece of work, so that other diffs and searches have their turn. */
const budgetMs = 60;
const remembered = 20_000;

/** Counts of lines, by content: computed once, behind the lists that show them. */
export class LineCounts {
  readonly #environment: Environment;
  readonly #known = new Map<string, Count>();
  readonly #wanted = new Map<string, Pair>();
  #work: Promise<void> | undefined;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Undefined while it is not counted yet, or where it cannot be. */
  get(pair: Pair): Exclude<Count, null> | undefined {
    return this.#known.get(keyOf(pair)) ?? undefined;
  }

  /** Sees to it that the pairs get counted, and waits a moment for it. */
  async want(pairs: Iterable<Pair>): Promise<void> {
    for (const pair of pairs) {
      const key = keyOf(pair);
      if (!this.#known.has(key)) this.#wanted.set(key, pair);
    }
    if (this.#wanted.size === 0) return;
    this.#work ??= this.#count();
    const patience = this.#wanted.size <= shortList ? patienceMs.short : patienceMs.long;
    const timer = new AbortController();
    await Promise.race([this.#work, delay(patience, undefined, { signal: timer.signal }).catch(() => {})]);
    timer.abort();
  }

  /** Never rejects: without counts a list is complete all the same. */
  async #count(): Promise<void> {
    const { store, compute, limits } = this.#environment;
    const pathOf = (sha256: string | null): string | null => (sha256 === null ? null : store.blobs.pathOf(sha256));
    try {
      while (this.#wanted.size > 0) {
        const wanted = [...this.#wanted].slice(0, pairsAtOnce);
        const counts = await compute.run("countLines", {
          pairs: wanted.map(([, { before, after }]) => ({ before: pathOf(before), after: pathOf(after) })),
          maxLines: limits.maxDiffLines,
          timeoutMs: limits.diffTimeoutMs,
          budgetMs,
        });
        for (const [index, count] of counts.entries()) this.#remember(wanted[index]?.[0] ?? "", count);
      }
    } catch {
      // The thread ended, as it does when Benchtop does. What is wanted again is counted again.
      this.#wanted.clear();
    } finally {
      this.#work = undefined;
    }
  }

  #remember(key: string, count: Count): void {
    this.#wanted.delete(key);
    this.#known.set(key, count);
    const [oldest] = this.#known.keys();
    if (this.#known.size > remembered && oldest !== undefined) this.#known.delete(oldest);
  }
}

function keyOf({ before, after }: Pair): string {
  return `${before ?? ""}:${after ?? ""}`;
}
