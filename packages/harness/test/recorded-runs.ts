import {
  isTerminal,
  type Contract,
  newTraceId,
  type EventInput,
  type Journal,
  type JournalWriter,
  type RunEvent,
  type RunInit,
} from "@benchtop/protocol";
import { checkInvariants } from "@benchtop/protocol/invariants";
import { expect } from "vitest";
import {
  memoryJournal,
  readEvents,
  resumeRun,
  startRun,
  type MemoryJournal,
  type RunBody,
  type RunResult,
} from "../src/index.ts";

/** What was written to a journal, run by run, in the order in which it was written. */
export type Log = ({ readonly init: RunInit } | { readonly runId: string; readonly event: EventInput })[];

export interface Noted {
  readonly journal: MemoryJournal;
  readonly log: Log;
}

/** A journal that notes what is written, so that another one can be made that ends anywhere, as after a crash. */
export function notedJournal(): Noted {
  const memory = memoryJournal();
  const log: Log = [];
  const noted = (writer: JournalWriter): JournalWriter => {
    const write = writer.write.bind(writer);
    writer.write = (event) => {
      write(event);
      log.push({ runId: writer.runId, event });
    };
    return writer;
  };
  const journal: MemoryJournal = {
    ...memory,
    async create(init) {
      const writer = await memory.create(init);
      log.push({ init });
      return noted(writer);
    },
    acquire: async (runId) => noted(await memory.acquire(runId)),
  };
  return { journal, log };
}

/** The journals as a process left them that was killed after so many events. */
export async function journalCutAt(log: Log, length: number): Promise<MemoryJournal> {
  return (await cutAt(log, length)).journal;
}

/** The same, and it notes what is written from then on. */
export async function cutAt(before: Log, length: number): Promise<Noted> {
  const { journal, log } = notedJournal();
  const writers = new Map<string, JournalWriter>();
  for (const entry of before.slice(0, length)) {
    if ("init" in entry) writers.set(entry.init.runId, await journal.create(entry.init));
    else writers.get(entry.runId)?.write(entry.event);
  }
  for (const writer of writers.values()) await writer.close();
  return { journal, log };
}

export async function recordRun(
  body: (journal: Journal) => RunBody,
  contract: Contract = {},
): Promise<{
  readonly runId: string;
  readonly log: Log;
  readonly journal: MemoryJournal;
  readonly result: RunResult;
}> {
  const { journal, log } = notedJournal();
  const init = { runId: "run_1", traceId: newTraceId(), kind: "agent", userId: "ada", contract, input: "go" };
  const first = await (await startRun(journal, init, body(journal))).result;
  const result = await carriedOn(journal, init.runId, body(journal), first);
  return { runId: init.runId, log, journal, result };
}

/** Resumes a run until it ends. Whoever is asked approves, and has nothing repeated. */
export async function carriedOn(
  journal: Journal,
  runId: string,
  body: RunBody,
  before?: RunResult,
): Promise<RunResult> {
  let result = before;
  while (!result || result.status === "suspended") {
    const last = (await readEvents(journal, runId)).at(-1);
    const decision = last?.type === "Suspended" && (last.reason === "outcome-unknown" ? "skip" : "approve");
    const handle = await resumeRun(journal, runId, body, decision ? { decision } : {});
    result = await handle.result;
  }
  return result;
}

/** Every run of a journal keeps the rules and has ended; the events of all. */
export async function eventsOfAll(journal: MemoryJournal): Promise<RunEvent[]> {
  const all: RunEvent[] = [];
  for (const { runId } of (await journal.runs.list({ limit: 1000 })).items) {
    const events = await journal.read(runId);
    expect(checkInvariants(events, { ended: true })).toEqual([]);
    all.push(...events);
  }
  return all;
}

/** Calls that a cut journal says were finished. */
export function finishedCalls(log: Log, length: number): Set<string> {
  const finished = new Set<string>();
  for (const entry of log.slice(0, length)) {
    if ("event" in entry && entry.event.type === "ToolCallFinished") finished.add(entry.event.callId);
  }
  return finished;
}

/** True where a cut leaves the first run of the log without its end. */
export function isOpenAt(log: Log, length: number): boolean {
  const [first] = log;
  const runId = first && "init" in first ? first.init.runId : "";
  const last = log.slice(0, length).findLast((entry) => "event" in entry && entry.runId === runId);
  return !(last && "event" in last && isTerminal(last.event));
}
