import { cpus } from "node:os";

/**
 * Keeps the threads of computation at the number of cores that nobody else is using. ggml's threads wait for one another by
 * spinning, many times for each token: with one thread more than there are free cores, all of them wait for the one that is
 * not running, and a model becomes a hundred times slower (two threads on two cores, one of which is busy: 4,000 to 20
 * tokens a second).
 */
export class FreeCores {
  readonly #most: number;
  readonly #apply: (threads: number) => void;
  #before = sample();
  #threads = 1;
  /** What the last measurement would have allowed. */
  #allowed = 1;
  #timer: NodeJS.Timeout | undefined;

  constructor(most: number, apply: (threads: number) => void) {
    this.#most = most;
    this.#apply = apply;
  }

  /** Measures since the last time, and from now on as long as there is work. */
  follow(): void {
    if (this.#timer) return;
    this.#apply(this.#threads);
    if (this.#most === 1) return;
    this.#measure();
    // Soon, for what was measured before the work began may be long ago.
    this.#again(100);
  }

  rest(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #again(milliseconds: number): void {
    this.#timer = setTimeout(() => {
      this.#measure();
      this.#again(500);
    }, milliseconds);
  }

  #measure(): void {
    const now = sample();
    const wall = now.wall - this.#before.wall;
    // The system counts in hundredths of a second.
    if (wall < 80) return;
    const free = (now.idle - this.#before.idle + now.own - this.#before.own) / wall;
    this.#before = now;
    const allowed = Math.min(this.#most, Math.max(1, Math.floor(free + tolerated)));
    // Fewer at once, more when they were free twice in a row: one thread too many costs far more than one too few.
    this.#threads = allowed < this.#threads ? allowed : Math.max(this.#threads, Math.min(allowed, this.#allowed));
    this.#allowed = allowed;
    this.#apply(this.#threads);
  }
}

/** Of a core: what the system itself takes now and then is no reason to give up a thread. */
const tolerated = 0.15;

/** All in milliseconds: what the processors did not do, and what this process did with all its threads. */
function sample(): { wall: number; idle: number; own: number } {
  const { user, system } = process.cpuUsage();
  const idle = cpus().reduce((sum, { times }) => sum + times.idle, 0);
  return { wall: performance.now(), idle, own: (user + system) / 1000 };
}
