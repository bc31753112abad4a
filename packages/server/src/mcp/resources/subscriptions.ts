import { BenchtopError } from "@benchtop/protocol";
import type { Caller } from "../../api/caller.ts";
import type { McpFeature, Watch } from "../feature.ts";

const maxSubscriptions = 64;
/** A journal may grow hundreds of times a second; whoever reads it again needs to be told once. */
const pauseMs = 500;

/** What one session watches. Each is looked at with what its client showed when it subscribed. */
export class Subscriptions {
  readonly #features: readonly McpFeature[];
  readonly #notify: (uri: string) => Promise<void>;
  readonly #watched = new Map<string, AbortController>();

  constructor(features: readonly McpFeature[], notify: (uri: string) => Promise<void>) {
    this.#features = features;
    this.#notify = notify;
  }

  /** Throws what reading it would throw. */
  async add(uri: string, caller: Caller): Promise<Record<string, never>> {
    if (this.#watched.has(uri)) return {};
    if (this.#watched.size >= maxSubscriptions) {
      throw new BenchtopError("RATE_LIMITED", `A session watches ${maxSubscriptions} resources at most.`, {
        phase: "settings",
        detail: { limit: maxSubscriptions },
      });
    }
    const ending = new AbortController();
    this.#watched.set(uri, ending);
    try {
      await watch(this.#features, uri, { caller, signal: ending.signal }, () => this.#notify(uri));
    } catch (error) {
      this.remove(uri);
      throw error;
    }
    return {};
  }

  remove(uri: string): void {
    this.#watched.get(uri)?.abort();
    this.#watched.delete(uri);
  }

  close(): void {
    for (const ending of this.#watched.values()) ending.abort();
    this.#watched.clear();
  }
}

/** One resource that is followed for several streams, by what one of its readers may see. */
interface Shared {
  /** By the signal of each stream. */
  readonly readers: Map<AbortSignal, Caller>;
  readonly ending: AbortController;
}

/**
 * What all streams of the newer protocol watch together: a resource is followed once, however many want to know of it. Each who
 * joins has to be one who may read it, and when the one by whose leave it is followed may not any more, the next one's counts.
 */
export class SharedWatches {
  readonly #features: readonly McpFeature[];
  readonly #notify: (uri: string) => void;
  readonly #watched = new Map<string, Shared>();

  constructor(features: readonly McpFeature[], notify: (uri: string) => void) {
    this.#features = features;
    this.#notify = notify;
  }

  /** Until `signal` aborts. Rejects as reading the resource would. */
  async join(uri: string, caller: Caller, signal: AbortSignal): Promise<void> {
    const ending = new AbortController();
    const changes = await changesOf(this.#features, uri, { caller, signal: ending.signal });
    if (signal.aborted) return ending.abort();
    const known = this.#watched.get(uri);
    const shared = known ?? { readers: new Map(), ending };
    shared.readers.set(signal, caller);
    signal.addEventListener("abort", () => this.#leave(uri, shared, signal), { once: true });
    if (known !== undefined) return ending.abort();
    this.#watched.set(uri, shared);
    void this.#follow(uri, shared, { signal, changes });
  }

  /** By the leave of one reader after the other, each until it ends. */
  async #follow(
    uri: string,
    shared: Shared,
    first: { readonly signal: AbortSignal; readonly changes: AsyncIterable<unknown> },
  ): Promise<void> {
    const { signal: ended } = shared.ending;
    let current: typeof first | undefined = first;
    while (current !== undefined && !ended.aborted) {
      await follow(current.changes, ended, async () => this.#notify(uri)).catch(() => undefined);
      shared.readers.delete(current.signal);
      current = await this.#next(uri, shared);
    }
    if (this.#watched.get(uri) === shared) this.#watched.delete(uri);
  }

  async #next(uri: string, { readers, ending }: Shared) {
    for (const [signal, caller] of readers) {
      try {
        return { signal, changes: await changesOf(this.#features, uri, { caller, signal: ending.signal }) };
      } catch {
        // Who may not see it any more waits for nothing.
        readers.delete(signal);
      }
    }
    return undefined;
  }

  #leave(uri: string, shared: Shared, signal: AbortSignal): void {
    shared.readers.delete(signal);
    if (shared.readers.size > 0) return;
    shared.ending.abort();
    if (this.#watched.get(uri) === shared) this.#watched.delete(uri);
  }
}

/**
 * Calls `notify` when a resource has changed, until `signal` aborts. Resolves once it is watched, and rejects when it must not
 * be; what fails later ends the watching quietly, as the end of the resource does.
 */
export async function watch(
  features: readonly McpFeature[],
  uri: string,
  of: Watch,
  notify: () => Promise<void>,
): Promise<void> {
  const changes = await changesOf(features, uri, of);
  follow(changes, of.signal, notify).catch(() => undefined);
}

/** Throws what reading it would throw. */
async function changesOf(features: readonly McpFeature[], uri: string, of: Watch): Promise<AsyncIterable<unknown>> {
  for (const feature of features) {
    const changes = await feature.watchResource?.(uri, of);
    if (changes !== undefined) return changes;
  }
  throw new BenchtopError("NOT_FOUND", "There is no such resource.", { phase: "settings" });
}

async function follow(
  changes: AsyncIterable<unknown>,
  signal: AbortSignal,
  notify: () => Promise<void>,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tell = (): void => {
    timer = undefined;
    // A client that is gone is told nothing.
    if (!signal.aborted) notify().catch(() => undefined);
  };
  for await (const _ of changes) {
    if (signal.aborted) return;
    timer ??= setTimeout(tell, pauseMs);
  }
}
