/**
 * Watches a process that has work: it has to say something at least every `silentMs`, and something has to move at least every
 * `stalledMs`. What counts is how often it was looked at, not the clock, so that a machine that slept does not find everything
 * dead when it wakes.
 */
export class Watchdog {
  readonly #limits: WatchdogLimits;
  readonly #bite: (why: "silent" | "stalled") => void;
  #timer: NodeJS.Timeout | undefined;
  #heard = true;
  #moved = true;
  #silentLooks = 0;
  #stalledLooks = 0;
  #progress = -1;

  constructor(limits: WatchdogLimits, bite: (why: "silent" | "stalled") => void) {
    this.#limits = limits;
    this.#bite = bite;
  }

  watch(): void {
    if (this.#timer) return;
    this.#heard = true;
    this.#moved = true;
    this.#timer = setInterval(() => this.#look(), this.#lookMs);
    // A model that works keeps nobody from ending.
    this.#timer.unref();
  }

  rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** The process said something; with `progress`, how far it is. Any other message is progress by itself. */
  hear(progress?: number): void {
    this.#heard = true;
    if (progress === undefined || progress !== this.#progress) this.#moved = true;
    if (progress !== undefined) this.#progress = progress;
  }

  get #lookMs(): number {
    return Math.min(this.#limits.silentMs, this.#limits.stalledMs) / 4;
  }

  #look(): void {
    this.#silentLooks = this.#heard ? 0 : this.#silentLooks + 1;
    this.#stalledLooks = this.#moved ? 0 : this.#stalledLooks + 1;
    this.#heard = false;
    this.#moved = false;
    if (this.#silentLooks * this.#lookMs >= this.#limits.silentMs) this.#bite("silent");
    else if (this.#stalledLooks * this.#lookMs >= this.#limits.stalledMs) this.#bite("stalled");
  }
}

export interface WatchdogLimits {
  readonly silentMs: number;
  readonly stalledMs: number;
}
