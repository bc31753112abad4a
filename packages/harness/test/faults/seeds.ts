import assert from "node:assert/strict";

import type { RunEvent, RunEventType } from "@benchtop/protocol";

/** What the end of a run writes in one commit with its terminal event. */
const closings: ReadonlySet<RunEventType> = new Set([
  "StepFinished",
  "TimedOut",
  "BudgetExceeded",
  "Error",
  "Completed",
]);

/** How many events of a journal its program wrote, before what closed it: a killed process leaves these or fewer, or all. */
export function ownEvents(events: readonly RunEvent[]): number {
  return events.findLastIndex((event) => !closings.has(event.type)) + 1;
}

const atOnce = 24;

/** Does something for each of so many seeds, some at once. Fails with the first few seeds that failed, and why. */
export async function seedsAtOnce(first: number, count: number, act: (seed: number) => Promise<void>): Promise<void> {
  const failures: string[] = [];
  let next = first;
  const worker = async (): Promise<void> => {
    while (next < first + count) {
      const seed = next;
      next += 1;
      try {
        await act(seed);
      } catch (error) {
        failures.push(`seed ${seed}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  assert.equal(failures.length, 0, `${failures.length} of ${count} failed.\n${failures.slice(0, 5).join("\n\n")}`);
}
