import type { EventOf, Failure, Json, RunEvent } from "@benchtop/protocol";
import type { Point } from "../components/chart-scale.ts";

export interface JobPhase {
  readonly phase: string;
  readonly done: number | undefined;
  readonly total: number | undefined;
}

/** What a job that makes a model has told so far: its journal, read as phases and curves. */
export interface Job {
  /** In the order in which they began; the last one goes on while the job runs. */
  readonly phases: readonly JobPhase[];
  /** Values by the name of their metric, in the order of their steps. */
  readonly curves: ReadonlyMap<string, readonly Point[]>;
  /** Numbers that stand for the whole, by name. */
  readonly values: ReadonlyMap<string, number>;
  readonly input: Facts;
  /** What training decided before its first step: parameters, examples, steps. */
  readonly plan: Facts;
  readonly artifacts: readonly EventOf<"ArtifactWritten">[];
  readonly output: string | undefined;
  readonly result: Facts;
  readonly failure: Failure | undefined;
  readonly ended: boolean;
}

export type Facts = Readonly<Record<string, Json>>;

/** Reads events as they arrive; `read` may be called with a growing list and looks at each event once. */
export class JobReader {
  #seen = 0;
  #phases: JobPhase[] = [];
  readonly #curves = new Map<string, Point[]>();
  readonly #values = new Map<string, number>();
  #input: Facts = {};
  #plan: Facts = {};
  readonly #artifacts: EventOf<"ArtifactWritten">[] = [];
  #output: string | undefined;
  #result: Facts = {};
  #failure: Failure | undefined;
  #ended = false;

  read(events: readonly RunEvent[]): Job {
    for (; this.#seen < events.length; this.#seen++) {
      const event = events[this.#seen];
      if (event !== undefined) this.#take(event);
    }
    return {
      phases: this.#phases,
      // Anew, so that what is drawn from them is drawn again.
      curves: new Map([...this.#curves].map(([name, points]) => [name, [...points]])),
      values: new Map(this.#values),
      input: this.#input,
      plan: this.#plan,
      artifacts: this.#artifacts,
      output: this.#output,
      result: this.#result,
      failure: this.#failure,
      ended: this.#ended,
    };
  }

  #take(event: RunEvent): void {
    switch (event.type) {
      case "RunStarted":
        this.#input = factsOf(event.input);
        break;
      case "PhaseChanged":
        this.#takePhase(event);
        break;
      case "MetricLogged":
        this.#takeMetric(event);
        break;
      case "ArtifactWritten":
        this.#artifacts.push(event);
        break;
      case "Completed":
        this.#output = event.output;
        this.#result = factsOf(event.result);
        this.#ended = true;
        break;
      case "Error":
        this.#failure = event.error;
        this.#ended = true;
        break;
      default:
        // Jobs on models ask no model and call no tool.
        break;
    }
  }

  #takePhase({ phase, done, total, detail }: EventOf<"PhaseChanged">): void {
    if (detail !== undefined) this.#plan = { ...this.#plan, ...detail };
    const before = this.#phases.at(-1)?.phase === phase ? this.#phases.slice(0, -1) : this.#phases;
    this.#phases = [...before, { phase, done, total }];
  }

  /** What has no step stands for the whole. A step that was told before (a job that went on) is told anew from there. */
  #takeMetric({ name, value, step }: EventOf<"MetricLogged">): void {
    if (step === undefined) {
      this.#values.set(name, value);
      return;
    }
    const points = this.#curves.get(name) ?? [];
    while ((points.at(-1)?.x ?? -1) >= step) points.pop();
    points.push({ x: step, y: value });
    this.#curves.set(name, points);
  }
}

export function factsOf(value: Json | undefined): Facts {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

export function numberIn(facts: Facts, name: string): number | undefined {
  const value = facts[name];
  return typeof value === "number" ? value : undefined;
}

export function textIn(facts: Facts, name: string): string | undefined {
  const value = facts[name];
  return typeof value === "string" ? value : undefined;
}
