import type { RunEvent } from "@benchtop/protocol";

/** A committed event: its text as stored, and parsed when somebody asks. Shared by every follower; do not change it. */
export class StoredEvent {
  readonly seq: number;
  readonly body: string;
  #event: RunEvent | undefined;

  constructor(seq: number, body: string) {
    this.seq = seq;
    this.body = body;
  }

  get event(): RunEvent {
    this.#event ??= JSON.parse(this.body) as RunEvent;
    return this.#event;
  }
}

const keptEvents = 1024;
const keptText = 1024 * 1024;

/**
 * What this process knows of one journal that is written or followed here: how long it is, whether it has ended, and its
 * most recent events. However many follow a run, an event is kept once, and who falls behind reads from the store.
 */
export class Tail {
  readonly runId: string;
  /** Committed events; the next one has this `seq`. */
  length: number;
  ended: boolean;
  /** A writer of this process advances it; otherwise somebody has to look. */
  local = false;
  readonly followers = new Set<Follower>();
  #recent: StoredEvent[] = [];
  #recentText = 0;

  constructor(runId: string, length: number, ended: boolean) {
    this.runId = runId;
    this.length = length;
    this.ended = ended;
  }

  /** A batch was committed by the writer in this process. */
  advance(first: number, bodies: readonly string[], ended: boolean): void {
    if (first !== this.length) this.#forget();
    if (this.followers.size === 0) this.#forget();
    else for (const [place, body] of bodies.entries()) this.#keep(new StoredEvent(first + place, body));
    this.#settle(first + bodies.length, ended);
  }

  /** Another process wrote; its events are read from the store. */
  observe(length: number, ended: boolean): void {
    if (length <= this.length && ended === this.ended) return;
    this.#forget();
    this.#settle(Math.max(length, this.length), ended);
  }

  /** Up to `limit` events from `seq` on, if they are still here. */
  recent(seq: number, limit: number): readonly StoredEvent[] | undefined {
    const first = this.#recent[0];
    if (!first || seq < first.seq) return undefined;
    const start = seq - first.seq;
    return this.#recent.slice(start, start + limit);
  }

  wakeAll(): void {
    for (const follower of this.followers) follower.wake();
  }

  #settle(length: number, ended: boolean): void {
    this.length = length;
    this.ended = ended;
    this.wakeAll();
  }

  #keep(event: StoredEvent): void {
    this.#recent.push(event);
    this.#recentText += event.body.length;
    // Twice the limit before anything is cut off, so that the cost of cutting stays small.
    if (this.#recent.length < 2 * keptEvents && this.#recentText < 2 * keptText) return;
    let start = this.#recent.length - 1;
    let text = this.#recent[start]!.body.length;
    while (start > 0 && this.#recent.length - start < keptEvents) {
      text += this.#recent[start - 1]!.body.length;
      if (text > keptText) break;
      start -= 1;
    }
    this.#recent = this.#recent.slice(start);
    this.#recentText = this.#recent.reduce((sum, { body }) => sum + body.length, 0);
  }

  #forget(): void {
    if (this.#recent.length === 0) return;
    this.#recent = [];
    this.#recentText = 0;
  }
}

/** One reader that waits for more. */
export class Follower {
  #resolve: (() => void) | undefined;

  /** Resolves at the next change of the tail, or when the reader is told to stop. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  wake(): void {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    resolve?.();
  }
}
