import type { Hint, RunScope } from "./scope.ts";

/** What a run is told while it goes: by persons, and by the loop itself when an answer has to be corrected. */
export class Hints {
  readonly #run: RunScope;
  #corrections: Hint[] = [];

  constructor(run: RunScope) {
    this.#run = run;
  }

  get areWaiting(): boolean {
    const { past } = this.#run;
    return past ? past.next === "HintInjected" : this.#run.hasHints;
  }

  /** Tells the model something before its next turn, in the name of the loop. */
  correct(text: string): void {
    this.#corrections.push({ text });
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
