import { Attachment, BenchtopError, type Journal, type Json, type Message, type RunEvent } from "@benchtop/protocol";
import { continued, runMessages } from "../context/from-events.ts";
import { readEvents } from "../replay/read-events.ts";
import { initOf } from "../replay/resume-run.ts";
import { sessionEvents } from "./history.ts";

/** A run of a session as it was asked: what its program is made of once more. */
export interface PastRun {
  readonly events: readonly RunEvent[];
  readonly input: string;
  readonly attachments: readonly Attachment[];
  /** What had been said in the session before it. */
  readonly history: readonly Message[];
}

/**
 * Reads a run of a session, or a fork of one, and what the session had come to when it began. Rejects with `NOT_FOUND`, and
 * with `VALIDATION_FAILED` when it is no run of a session.
 */
export async function pastRun(
  journal: Journal,
  runId: string,
  session: { readonly runIds: readonly string[]; readonly before: readonly Message[] },
): Promise<PastRun> {
  const events = await readEvents(journal, runId);
  const { input, forkedFrom } = initOf(events[0]);
  const { prompt, attachments } = askedIn(runId, input);
  if (forkedFrom) {
    const { history } = await pastRun(journal, forkedFrom.runId, session);
    return { events, input: prompt, attachments, history };
  }
  let history = session.before;
  const startedAt = events[0]?.at ?? "";
  for (const earlier of session.runIds.slice(0, Math.max(0, session.runIds.indexOf(runId)))) {
    const said = await sessionEvents(journal, earlier);
    // What an earlier run said later, because it had waited for a person, this one did not know.
    history = continued(history, runMessages(said.filter(({ at }) => at <= startedAt)));
  }
  return { events, input: prompt, attachments, history };
}

function askedIn(runId: string, input: Json): { prompt: string; attachments: readonly Attachment[] } {
  const asked = typeof input === "object" && input !== null && !Array.isArray(input) ? input : { prompt: input };
  const { prompt, attachments = [] } = asked;
  const parsed = Attachment.array().safeParse(attachments);
  if (typeof prompt === "string" && parsed.success) return { prompt, attachments: parsed.data };
  throw new BenchtopError("VALIDATION_FAILED", "This is no run of a session: it was not asked a prompt.", { runId });
}
