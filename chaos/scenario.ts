import type { RunEvent } from "@benchtop/protocol";
import type { Product } from "./product.ts";

/** What a scenario knows of its prepared home; plain JSON, handed to the process that acts and to the one that checks. */
export type Facts = Readonly<Record<string, unknown>>;

/**
 * What the acting process says it was told, one JSON line each, written before anything else happens. An
 * acknowledgement that got out before the process died must hold for ever.
 */
export type Acknowledgement =
  | {
      readonly kind: "event";
      readonly runId: string;
      readonly seq: number;
      readonly type: string;
      readonly body: string;
    }
  /** A call of the product returned. */
  | { readonly kind: "done"; readonly what: string; readonly value?: unknown }
  /** A call of the product was refused. */
  | {
      readonly kind: "failed";
      readonly what: string;
      readonly code: string;
      readonly message: string;
      readonly actions: readonly string[];
    };

export type Say = (acknowledgement: Acknowledgement) => void;

/** A piece of work that is killed at every boundary. */
export interface Scenario {
  readonly name: string;
  /** What a person would say it does. */
  readonly title: string;
  /** Whether its calls are also failed, one by one: its process must live on, tell the error and keep the files whole. */
  readonly faults: boolean;
  /** Makes the home once; every attempt works on a copy. */
  prepare(home: string): Promise<Facts>;
  /** The work itself, in a process that is going to be killed. */
  act(home: string, facts: Facts, say: Say): Promise<void>;
  /** What must hold after start-up has recovered, beyond what holds for every scenario; one sentence a violation. */
  check(found: Found): Promise<string[]> | string[];
  /** Does it once more, on a home on which it was refused because a call failed; now that none fails, it must work. */
  again?(product: Product, home: string, facts: Facts): Promise<string[]>;
}

/** Beside a home: files of its owner that are none of Benchtop's, and that a scenario works on as well. */
export function placesOf(home: string): string {
  return `${home}-places`;
}

/** The state after recovery. */
export interface Found {
  readonly home: string;
  readonly facts: Facts;
  readonly said: readonly Acknowledgement[];
  /** Whether the acting process came to its end without a blow. */
  readonly finished: boolean;
  readonly workbenches: readonly FoundWorkbench[];
  /** Every run's events. */
  readonly journals: ReadonlyMap<string, readonly RunEvent[]>;
}

export interface FoundWorkbench {
  readonly workbenchId: string;
  readonly name: string;
  /** path → sha256 of what lies on disk. */
  readonly published: ReadonlyMap<string, string>;
  /** The same as the database has it; examined to be equal. */
  readonly manifest: ReadonlyMap<string, string>;
  readonly hasDraft: boolean;
  /** path → sha256 (null: deleted) of the Draft. */
  readonly draft: ReadonlyMap<string, string | null>;
  readonly checkpoints: number;
  /** Ids of the runs that the conversation holds, newest first. */
  readonly conversation: readonly string[];
  /** path → every sha256 that one of the checkpoints has there. */
  readonly kept: ReadonlyMap<string, ReadonlySet<string>>;
}
