import type { Outcome, Prepared } from "./laboratory.ts";
import type { Options } from "./options.ts";
import type { Group } from "./plan.ts";

/** What was done, what failed and how to repeat it. */
export class Report {
  readonly #options: Options;
  readonly #started = performance.now();
  readonly #notRun: string[] = [];
  #passed = 0;
  #failed = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  section(text: string): void {
    console.log(`\n${text}`);
  }

  counted({ scenario, boundaries, durationMs }: Prepared): void {
    console.log(`${scenario.name}: ${scenario.title}; ${boundaries.length} boundaries, ${Math.round(durationMs)} ms`);
  }

  chosen(groups: readonly { readonly group: Group; readonly chosen: number }[]): void {
    const total = (count: (item: { group: Group; chosen: number }) => number): string =>
      groups.reduce((sum, item) => sum + count(item), 0).toLocaleString("en");
    const of = total(({ group }) => group.attempts.length);
    this.section(
      `${total(({ chosen }) => chosen)} of ${of} enumerated attempts${this.#options.ci ? ", chosen evenly" : ""}`,
    );
    for (const { group, chosen } of groups) {
      const crossed = group.attempts.length.toLocaleString("en");
      console.log(`  ${group.prepared.scenario.name}, ${group.title}: ${chosen.toLocaleString("en")} of ${crossed}`);
    }
  }

  notRun(what: string): void {
    this.#notRun.push(what);
    console.log(`NOT RUN: ${what}`);
  }

  take({ name, boundary, violations, kept }: Outcome): void {
    if (violations.length === 0) {
      this.#passed += 1;
      if (this.#options.verbose) console.log(`ok    ${name}${boundary ? `  ${boundary.call} ${boundary.path}` : ""}`);
      return;
    }
    this.#failed += 1;
    console.log(`FAIL  ${name}${boundary ? `  at ${boundary.call} ${boundary.path}` : ""}`);
    for (const violation of violations) console.log(`        ${violation}`);
    if (kept) console.log(`        kept: ${kept}`);
    const seed = name.includes(":random:") ? ` --seed ${this.#options.seed} --random ${this.#options.random}` : "";
    console.log(`        repeat: node chaos/run.ts --only ${seed ? name.split(":")[0] : name}${seed}`);
  }

  /** The exit code. */
  end(): number {
    const seconds = Math.round((performance.now() - this.#started) / 1000);
    for (const what of this.#notRun) console.log(`not run: ${what}`);
    console.log(`took ${seconds} s`);
    console.log(`chaos: ${this.#passed} passed, ${this.#failed} failed`);
    return this.#failed === 0 && this.#passed > 0 ? 0 : 1;
  }
}
