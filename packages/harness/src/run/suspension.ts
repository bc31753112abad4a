import type { EventInput } from "@benchtop/protocol";
import type { RunScope } from "./scope.ts";

/** Thrown through a program whose run waits for a person; no failure, and not to be caught on the way. */
export class RunSuspended extends Error {
  readonly suspended: EventInput<"Suspended">;

  constructor(suspended: EventInput<"Suspended">) {
    super("The run waits for a decision.");
    this.suspended = suspended;
  }
}

/** Puts the run to sleep until a person decides. Nothing of it stays in memory: whoever resumes it drives it from its journal. */
export async function suspend(run: RunScope, why: Omit<EventInput<"Suspended">, "type">): Promise<never> {
  const suspended: EventInput<"Suspended"> = { type: "Suspended", ...why };
  await run.emit(suspended);
  throw new RunSuspended(suspended);
}
