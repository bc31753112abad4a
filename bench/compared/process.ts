import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Job, Outcome } from "./contender.ts";

export interface ChildOutcome extends Outcome {
  readonly peakBytes: number;
  /** From being told to go until the outcome. */
  readonly milliseconds: number;
}

type Action = "start" | "resume" | "approve" | "read";

/** A process of a scenario (`child.ts`). Killed for good when it takes longer than its limit. */
export class Child {
  readonly #process: ChildProcess;
  readonly #ready = Promise.withResolvers<void>();
  readonly #outcome = Promise.withResolvers<ChildOutcome>();
  #errors = "";
  /** Characters of text that the application has been given (`tellHeard`). */
  heard = 0;

  constructor(contender: string, action: Action, job: Job, limitMs = 120_000) {
    this.#process = spawn(
      process.execPath,
      ["--no-warnings", join(import.meta.dirname, "child.ts"), contender, action, JSON.stringify(job)],
      {
        stdio: ["pipe", "pipe", "pipe"],
        env: { ...process.env, LANGCHAIN_TRACING: "false", MASTRA_TELEMETRY_DISABLED: "1" },
      },
    );
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), limitMs);
    this.#process.stdin?.on("error", () => undefined);
    this.#process.stderr?.on("data", (bytes) => (this.#errors += String(bytes)));
    createInterface({ input: this.#process.stdout! }).on("line", (line) => {
      if (line === "ready") this.#ready.resolve();
      if (line.startsWith("heard ")) this.heard = Number(line.slice(6));
      if (line.startsWith("outcome ")) this.#outcome.resolve(JSON.parse(line.slice(8)) as ChildOutcome);
    });
    this.#process.on("close", (code, signal) => {
      clearTimeout(timer);
      const fatal = /FATAL ERROR.*|Assertion.*/.exec(this.#errors)?.[0] ?? this.#errors.slice(-300);
      const error = `ended by ${signal ?? `exit ${code}`}: ${fatal}`;
      this.#ready.resolve();
      this.#outcome.resolve({ status: "failed", text: "", error, peakBytes: 0, milliseconds: 0 });
    });
  }

  async ready(): Promise<this> {
    await this.#ready.promise;
    return this;
  }

  go(): this {
    this.#process.stdin?.write("go\n");
    return this;
  }

  /** Cancels the run as a person would. */
  stop(): void {
    this.#process.stdin?.write("stop\n");
  }

  get outcome(): Promise<ChildOutcome> {
    return this.#outcome.promise;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** SIGKILL, as a crash. */
  async kill(): Promise<void> {
    if (!this.isRunning) return;
    const closed = new Promise((resolve) => this.#process.once("close", resolve));
    this.#process.kill("SIGKILL");
    await closed;
  }
}

/** One process from its start to its outcome. */
export async function runChild(contender: string, action: Action, job: Job): Promise<ChildOutcome> {
  const child = await new Child(contender, action, job).ready();
  return child.go().outcome;
}
