import { BenchtopError } from "@benchtop/protocol";
import type { Caller } from "../caller.ts";
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

/**
 * What all streams of the newer protocol watch together: a resource is followed once, however many want to know of it. Each who
 * joins has to be one who may read it.
 */
export class SharedWatches {
  readonly #features: readonly McpFeature[];
  readonly #notify: (uri: string) => void;
  readonly #watched = new Map<string, { readers: number; readonly ending: AbortController }>();

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
    const shared = known ?? { readers: 0, ending };
    shared.readers++;
    signal.addEventListener("abort", () => this.#leave(uri, shared), { once: true });
    if (known !== undefined) return ending.abort();
    this.#watched.set(uri, shared);
    const ended = follow(changes, ending.signal, async () => this.#notify(uri));
    ended.catch(() => undefined).finally(() => this.#watched.get(uri) === shared && this.#watched.delete(uri));
  }

  #leave(uri: string, shared: { readers: number; readonly ending: AbortController }): void {
    if (--shared.readers > 0) return;
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
