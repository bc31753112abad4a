import type { Hint, RunScope } from "./scope.ts";

/** What a run is told while it goes: by persons, and by the loop itself when an answer has to be corrected. */
export class Hints {
  readonly #run: RunScope;
  #corrections: Hint[] = [];
  haveCorrected = false;

  constructor(run: RunScope) {
    this.#run = run;
  }

  get areWaiting(): boolean {
    return this.#corrections.length > 0 || this.#run.hasHints || this.#run.past?.next === "HintInjected";
  }

  correct(text: string): void {
    this.#corrections.push({ text });
    this.haveCorrected = true;
  }

  /** Hints for the next turn, journaled as they are taken. */
  take(): readonly Hint[] {
    const recorded: Hint[] = [];
    for (let hint = this.#run.past?.takeIf("HintInjected"); hint; hint = this.#run.past?.takeIf("HintInjected")) {
      recorded.push({ text: hint.text });
    }
    const corrections = this.#corrections.filter(({ text }) => !recorded.some((hint) => hint.text === text));
    this.#corrections = [];
    if (this.#run.past) return recorded;
    const fresh = [...corrections, ...this.#run.takeHints()];
    for (const hint of fresh) this.#run.write({ type: "HintInjected", ...hint });
    return [...recorded, ...fresh];
  }
}
