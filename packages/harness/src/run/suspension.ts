import type { EventInput } from "@benchtop/protocol";

/**
 * Thrown through a program whose run waits for a person; no failure, and not to be caught on the way. Whoever drives calls that
 * are still going writes the event once they have ended: while a run waits, nothing else happens in it. Nothing of it stays
 * in memory: whoever resumes it drives it from its journal.
 */
export class RunSuspended extends Error {
  readonly suspended: EventInput<"Suspended">;

  constructor(why: Omit<EventInput<"Suspended">, "type">) {
    super("The run waits for a decision.");
    this.suspended = { type: "Suspended", ...why };
  }
}
