import type { EventInput, Suspension } from "@benchtop/protocol";

/** What a run waits for once this is the newest event of its journal, as JSON; null for every event but `Suspended`. */
export function suspensionOf(event: EventInput, at: string): string | null {
  if (event.type !== "Suspended") return null;
  const { reason, callId, tool, question, gate } = event;
  const suspension: Suspension = {
    at,
    reason,
    callId,
    tool,
    arguments: event.arguments,
    ...(gate !== undefined && { gate }),
    question,
  };
  return JSON.stringify(suspension);
}
