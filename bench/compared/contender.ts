import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** What a process of a scenario is told to do. */
export interface Job {
  /** Where the contender keeps its state (`state/`), and where the tools leave their effects. */
  readonly folder: string;
  readonly baseUrl: string;
  readonly runId: string;
  readonly instructions: string;
  readonly tools: readonly ToolName[];
  /** A tool that a person has to approve. */
  readonly approve?: ToolName;
  /** The parent has a sub-agent (tool `helper`) on this model, with these tools. */
  readonly helper?: { readonly baseUrl: string; readonly tools: readonly ToolName[] };
  /** `charge` never returns after its effect, so that the process can be killed between the effect and its record. */
  readonly hangAfterEffect?: boolean;
  /** `charge` asks a person in its middle, after a first effect, where the contender can do so. */
  readonly askInside?: boolean;
  /** Whoever can keeps only the last state, where every state of a very long run would take gigabytes. */
  readonly keepsOnlyLast?: boolean;
  /** Say on standard output how much of the model's text the application has been given. */
  readonly tellHeard?: boolean;
}

export type ToolName = "note" | "charge" | "tick" | "page";

export interface Outcome {
  /** `unsupported`: the contender has no way to do this. */
  readonly status: "finished" | "suspended" | "failed" | "canceled" | "refused" | "unsupported";
  readonly text: string;
  readonly error?: string;
}

/** An agent framework, used as its documentation says for the most durable configuration that it has in one process. */
export interface Contender {
  start(job: Job, signal: AbortSignal): Promise<Outcome>;
  /** Continues a run whose process died. */
  resume(job: Job, signal: AbortSignal): Promise<Outcome>;
  /** Approves what a run waits for. */
  approve(job: Job, signal: AbortSignal): Promise<Outcome>;
  /** What the kept state shows of the model's words. */
  read(job: Job): Promise<string>;
}

/** A tool with an effect that can be counted: a line in `effects.log`. Its argument is `{ n: number }`. */
export interface BenchTool {
  readonly name: ToolName;
  readonly description: string;
  readonly idempotent: boolean;
  execute(n: number, signal?: AbortSignal): Promise<string>;
}

export function toolsOf(job: Job, names: readonly ToolName[] = job.tools): readonly BenchTool[] {
  return names.map((name) => ({ name, ...tools[name](job) }));
}

let heard = 0;

/** Called with each piece of text that the framework hands to the application. */
export function hear(job: Job, piece: string): void {
  if (job.tellHeard !== true) return;
  heard += piece.length;
  console.log(`heard ${heard}`);
}

export const stateOf = (job: Job): string => join(job.folder, "state");

export function effect(job: Job, line: string): void {
  appendFileSync(join(job.folder, "effects.log"), `${line}\n`);
}

type ToolMaker = (job: Job) => Omit<BenchTool, "name">;

const tools: Readonly<Record<ToolName, ToolMaker>> = {
  note: (job) => ({
    description: "Writes a note.",
    idempotent: true,
    async execute(n) {
      effect(job, `note ${n}`);
      return `noted ${n}`;
    },
  }),
  charge: (job) => ({
    description: "Charges a card; never repeat it.",
    idempotent: false,
    async execute(n) {
      effect(job, `charge ${n}`);
      if (job.hangAfterEffect === true) await pause(600_000);
      await pause(200);
      return `charged ${n}`;
    },
  }),
  tick: (job) => ({
    description: "Works for a long time.",
    idempotent: false,
    async execute(n, signal) {
      for (let index = 0; index < 400; index += 1) {
        if (signal?.aborted === true) break;
        effect(job, `tick ${n}`);
        await pause(20);
      }
      return `ticked ${n}`;
    },
  }),
  page: () => ({
    description: "Reads a page of 1,000 characters.",
    idempotent: true,
    async execute(n) {
      return `page ${n}: `.padEnd(1000, "lorem ipsum ");
    },
  }),
};
