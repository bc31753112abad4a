import { BenchtopError, type EventInput, type Failure, type Journal, type JournalWriter } from "@benchtop/protocol";
import { OpenWork } from "../run/open-work.ts";
import type { RunOutcome } from "../run/scope.ts";
import { TotalsRecorder } from "../run/totals.ts";
import { activeTimes } from "./active-times.ts";
import { partialAnswer, readEvents } from "./read-events.ts";
import { subRunResult } from "./sub-run-result.ts";

/**
 * Ends a run that nobody drives, without its program: one that waits for a person and is canceled, or that a process which is
 * gone left open. Every open tool call gets its `unknown` outcome, every open provider call keeps the text that had arrived,
 * open child runs end with it, the open step ends, and the terminal event is this failure, or the outcome where it is known to have come to its end.
 *
 * False when there was nothing to end: it has ended already, or somebody drives it.
 */
export async function endRun(journal: Journal, runId: string, end: BenchtopError | RunOutcome): Promise<boolean> {
  let writer: JournalWriter;
  try {
    writer = await journal.acquire(runId);
  } catch (thrown) {
    if (BenchtopError.from(thrown).code === "RUN_INTERRUPTED") return false;
    throw thrown;
  }
  await endAcquired(journal, writer, end);
  return true;
}

/** The same for a run whose writer is at hand; closes it. */
export async function endAcquired(
  journal: Journal,
  writer: JournalWriter,
  end: BenchtopError | RunOutcome,
): Promise<void> {
  try {
    for (const event of await endingEvents(journal, writer.runId, end)) writer.write(event);
    await writer.committed();
  } finally {
    await writer.close();
  }
}

/** All times end with the last event: nobody knows how much longer a process lived. */
async function endingEvents(journal: Journal, runId: string, end: BenchtopError | RunOutcome): Promise<EventInput[]> {
  const events = await readEvents(journal, runId);
  const [started] = events;
  const times = activeTimes(events);
  const open = new OpenWork();
  const totals = new TotalsRecorder(started?.type === "RunStarted" ? (started.queuedMs ?? 0) : 0, 0);
  for (const event of events) {
    open.record(event, times.at(event.seq));
    totals.record(event, times.at(event.seq));
  }
  const failure = BenchtopError.is(end) ? failureOf(end, runId) : failureOf(interruption(), runId);
  const canceled = BenchtopError.is(end) && end.code === "USER_CANCELED";
  const closing = open.closing(canceled, failure, times.totalMs);
  const cause = BenchtopError.is(end) ? end : interruption();
  const closed: EventInput[] = [];
  for (const event of closing) closed.push(await asItEnded(journal, runId, event, cause));
  const snapshot = totals.snapshot(times.totalMs);
  if (BenchtopError.is(end)) return [...closed, { type: "Error", error: failure, totals: snapshot }];
  const { output, finishReason = "stop", result } = end;
  const said = { output, finishReason, ...(result !== undefined && { result }) };
  return [...closed, { type: "Completed", ...said, totals: snapshot }];
}

/** The failure of a run whose process ended before it did. */
export function interruption(): BenchtopError {
  return new BenchtopError("RUN_INTERRUPTED", "Benchtop stopped while this run was going.", { actions: ["retry"] });
}

function failureOf(error: BenchtopError, runId: string): Failure {
  const ended = error.at({ runId });
  return { message: ended.message, ...ended.info };
}

/** What is known of the end of something that nobody closed: a provider call keeps what it said, a child run its own end. */
async function asItEnded(
  journal: Journal,
  runId: string,
  event: EventInput,
  cause: BenchtopError,
): Promise<EventInput> {
  if (event.type === "SubRunFinished") return (await endOfChild(journal, event.childRunId, cause)) ?? event;
  if (event.type !== "ProviderCallFinished") return event;
  const { text, reasoning, refusal } = await partialAnswer(journal, runId, { callId: event.callId, seq: 0 });
  const said = { ...(reasoning !== "" && { reasoning }), ...(refusal !== "" && { refusal }) };
  return { ...event, message: { role: "assistant", content: text, ...said } };
}

/** Ends a child run for the same cause; undefined when it was never begun, or somebody still drives it. */
async function endOfChild(
  journal: Journal,
  childRunId: string,
  cause: BenchtopError,
): Promise<EventInput<"SubRunFinished"> | undefined> {
  try {
    await endRun(journal, childRunId, cause);
    const last = (await readEvents(journal, childRunId)).at(-1);
    if (last?.type !== "Completed" && last?.type !== "Error") return undefined;
    return { type: "SubRunFinished", ...subRunResult(childRunId, last) };
  } catch (thrown) {
    if (BenchtopError.from(thrown).code === "NOT_FOUND") return undefined;
    throw thrown;
  }
}
