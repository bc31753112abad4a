import type { EventOf, RunEvent } from "@benchtop/protocol";
import { formatSeconds, printable } from "./format.ts";
import { barOf } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

/**
 * How a job over a model goes on, on standard error: on a terminal one line that is drawn over, elsewhere a line when a
 * phase begins and every five seconds. Times are those of the events, so that a job that is caught up with shows the same.
 */
export class JobLine {
  readonly #terminal: Terminal;
  readonly #metrics = new Map<string, number>();
  #phase = "";
  #done = 0;
  #total: number | undefined;
  #begun: { readonly at: number; readonly done: number } | undefined;
  #last = 0;
  #toldAt = 0;
  #drawnAt = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(event: RunEvent): void {
    if (event.type === "PhaseChanged") this.#phaseChanged(event);
    else if (event.type === "MetricLogged") this.#measured(event);
    else return;
    const now = Date.parse(event.at);
    this.#last = now;
    if (this.#terminal.isErrorTty) return this.#draw();
    if (now - this.#toldAt < tellEveryMs) return;
    this.#toldAt = now;
    this.#terminal.errorLine(this.#facts().join(" · "));
  }

  /** Takes what was drawn off the terminal. */
  clear(): void {
    if (this.#drawnAt > 0) this.#terminal.writeError("\r\u001B[K");
    this.#drawnAt = 0;
  }

  #phaseChanged({ phase, done, total, at }: EventOf<"PhaseChanged">): void {
    if (phase !== this.#phase) {
      this.#phase = phase;
      this.#begun = undefined;
      this.#toldAt = 0;
      this.#done = 0;
      this.#total = undefined;
    }
    this.#total = total ?? this.#total;
    this.#advance(done, at);
  }

  #measured({ name, value, step, at }: EventOf<"MetricLogged">): void {
    this.#metrics.set(name, value);
    this.#advance(step, at);
  }

  #advance(done: number | undefined, at: string): void {
    if (done === undefined) return;
    this.#done = Math.max(this.#done, done);
    this.#begun ??= { at: Date.parse(at), done };
  }

  #draw(): void {
    const now = Date.now();
    if (now - this.#drawnAt < drawEveryMs) return;
    this.#drawnAt = now;
    const total = this.#countable;
    const bar = total === undefined ? "" : `${barOf(this.#done, total, 12)} `;
    // Cut rather than wrapped: a line of two rows could not be drawn over.
    const line = `${bar}${this.#facts().join(" · ")}`.slice(0, Math.max(20, Math.min(this.#terminal.width, 160) - 1));
    this.#terminal.writeError(`\r\u001B[K${line}`);
  }

  /** A phase of one part is over or not: counting it says nothing. */
  get #countable(): number | undefined {
    return this.#total !== undefined && this.#total > 1 ? this.#total : undefined;
  }

  #facts(): string[] {
    const total = this.#countable;
    const rate = this.#metrics.get("tokens per second");
    const left = this.#secondsLeft();
    return [
      printable(this.#phase === "" ? "begins" : this.#phase.replaceAll("_", " ")),
      ...(total === undefined ? [] : [`${this.#done.toLocaleString("en-US")}/${total.toLocaleString("en-US")}`]),
      ...["loss", "evaluation loss"].flatMap((name) => {
        const value = this.#metrics.get(name);
        return value === undefined ? [] : [`${name} ${value.toFixed(3)}`];
      }),
      ...(rate === undefined ? [] : [`${Math.round(rate).toLocaleString("en-US")} tokens/s`]),
      ...(left === undefined ? [] : [`${formatSeconds(left)} left`]),
    ];
  }

  /** Undefined while nobody can say, and in the last moment. */
  #secondsLeft(): number | undefined {
    if (this.#total === undefined || this.#begun === undefined) return undefined;
    const done = this.#done - this.#begun.done;
    const took = this.#last - this.#begun.at;
    if (done <= 0 || took <= 0 || this.#done >= this.#total) return undefined;
    const seconds = Math.round(((this.#total - this.#done) / done) * (took / 1000));
    return seconds > 0 ? seconds : undefined;
  }
}

const tellEveryMs = 5000;
const drawEveryMs = 80;
