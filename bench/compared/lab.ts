import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { stateOf, type Job } from "./contender.ts";
import { ScriptedModel, type ModelLog, type Script } from "./model.ts";

/** One thing that is tried with every contender. */
export interface Scenario {
  readonly id: string;
  readonly question: string;
  /** Where the same is a test of ours. */
  readonly test: string;
  run(lab: Lab, contender: string): Promise<Finding>;
}

export interface Finding {
  /** Whether it came out as a user wants it; undefined where the contender has no such thing. */
  readonly good: boolean | undefined;
  /** What was seen, in a few words and numbers. */
  readonly says: string;
}

/** What scenarios are made with: a scripted model, folders, and the effects that tools left. */
export class Lab {
  readonly #model = new ScriptedModel();
  readonly #root = mkdtempSync(join(tmpdir(), "benchtop-compared-"));
  #count = 0;

  async open(): Promise<this> {
    await this.#model.listen();
    return this;
  }

  close(): void {
    this.#model.close();
  }

  /** A fresh job and the log of what its model was asked. */
  job(script: Script, options: Partial<Job> = {}): { readonly job: Job; readonly log: readonly ModelLog[] } {
    const { baseUrl, log } = this.script(script);
    const folder = join(this.#root, `job-${this.#count}`);
    mkdirSync(folder);
    const job: Job = {
      folder,
      baseUrl,
      runId: "run-1",
      instructions: "Be helpful.",
      tools: ["note", "charge"],
      ...options,
    };
    return { job, log };
  }

  script(script: Script): { readonly baseUrl: string; readonly log: readonly ModelLog[] } {
    this.#count += 1;
    return this.#model.add(`script-${this.#count}`, script);
  }
}

/** How often each effect happened, in the order in which they first did. */
export function effectsOf(job: Job): ReadonlyMap<string, number> {
  const file = join(job.folder, "effects.log");
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}

export const said = (effects: ReadonlyMap<string, number>): string =>
  [...effects].map(([line, count]) => `${line} ×${count}`).join(", ") || "no effects";

export function stateBytes(job: Job): number {
  const folder = stateOf(job);
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

/** Waits until something is so, for at most `limitMs`; says whether it came to be. */
export async function until(isSo: () => boolean, limitMs = 20_000): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (!isSo()) {
    if (performance.now() > end) return false;
    await pause(20);
  }
  return true;
}
