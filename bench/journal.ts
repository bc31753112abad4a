/**
 * Journal throughput on SQLite: events stored a second through the real API, events read a second, and delivery to 1,000
 * live subscribers; beside them, as the peer of the same run, node:sqlite by itself with batches of the same rows.
 *
 * Deltas of one call and channel may be joined; here neighbours differ in channel, so every event that is written is an
 * event that is stored, and the stored ones are what is counted.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openStore, type Store } from "@benchtop/store";
import { newId, newTraceId, type EventInput, type JournalWriter } from "@benchtop/protocol";

const runs = 8;
const eventsPerRun = 50_000;
const subscribers = 1_000;
const eventsForSubscribers = 2_000;
const callId = newId("call");
const text = "a few words of a model's answer, as they come";
const deltas: readonly EventInput<"OutputDelta">[] = [
  { type: "OutputDelta", callId, channel: "text", text },
  { type: "OutputDelta", callId, channel: "reasoning", text },
];
const finished: EventInput<"ProviderCallFinished"> = {
  type: "ProviderCallFinished",
  callId,
  outcome: "success",
  durationMs: 1,
};
const completed: EventInput<"Completed"> = {
  type: "Completed",
  finishReason: "stop",
  output: "",
  totals: { steps: 1, toolCalls: 0, usage: { inputTokens: 1, outputTokens: 1 }, queuedMs: 0, durationMs: 1 },
};
/** The harness waits above its high-water mark; so does this. */
const highWater = 64 * 1024;

interface Row {
  readonly what: string;
  readonly events: number;
  readonly perSecond: number;
  readonly goal?: number;
}

const folder = mkdtempSync(join(tmpdir(), "benchtop-bench-journal-"));
try {
  const rows = await measure();
  console.log("| SQLite, 2 barriers a run, 300-byte events | events | events/s | goal |");
  console.log("|---|---:|---:|---:|");
  for (const { what, events, perSecond, goal } of rows) {
    const goalText = goal === undefined ? "" : goal.toLocaleString("en");
    console.log(
      `| ${what} | ${events.toLocaleString("en")} | ${Math.round(perSecond).toLocaleString("en")} | ${goalText} |`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measure(): Promise<Row[]> {
  // Once for the compiler, once to be measured.
  const warmUp = await openStore({ home: join(folder, "warm-up") });
  await writeRuns(warmUp, 5_000);
  await warmUp.close();
  const store = await openStore({ home: join(folder, "measured") });
  const written = await writeRuns(store, eventsPerRun);
  const bodies = await readRuns(store, written.runIds, "bodies");
  const events = await readRuns(store, written.runIds, "events");
  const verified = await verifyRuns(store, written.runIds);
  const delivered = await deliver(store);
  await store.close();
  return [
    { what: `in: ${runs} runs at once, hash chain, committed`, ...written, goal: 150_000 },
    { what: "in, peer: node:sqlite alone, 500-row batches, same rows", ...rawBatches() },
    { what: "out: pages of stored text (`readBodies`)", ...bodies, goal: 300_000 },
    { what: "out: parsed events (`follow`, catching up)", ...events, goal: 300_000 },
    { what: "verified (`runs verify`)", ...verified },
    { what: `handed to ${subscribers.toLocaleString("en")} live subscribers`, ...delivered },
  ];
}

async function writeRuns(
  store: Store,
  perRun: number,
): Promise<{ runIds: string[]; events: number; perSecond: number }> {
  const started = performance.now();
  const runIds = await Promise.all(Array.from({ length: runs }, () => writeRun(store, perRun)));
  const seconds = (performance.now() - started) / 1000;
  const { total } = await store.db
    .selectFrom("run_events")
    .select(({ fn }) => fn.countAll<number>().as("total"))
    .executeTakeFirstOrThrow();
  return { runIds, events: total, perSecond: total / seconds };
}

async function writeRun(store: Store, count: number): Promise<string> {
  const writer = await createRun(store);
  for (let i = 0; i < count; i++) {
    writer.write(deltas[i % 2]!);
    // As a provider's stream does: a network chunk holds a few events, then others have their turn.
    if (i % 16 === 15) await new Promise(setImmediate);
    if (writer.pending > highWater) await writer.committed();
  }
  writer.write(finished);
  writer.write(completed);
  await writer.close();
  return writer.runId;
}

async function readRuns(
  store: Store,
  runIds: readonly string[],
  as: "bodies" | "events",
): Promise<{ events: number; perSecond: number }> {
  const started = performance.now();
  let events = 0;
  for (const runId of runIds) {
    if (as === "events") {
      for await (const event of store.journal.follow(runId)) events += event.seq >= 0 ? 1 : 0;
      continue;
    }
    for (let after = -1; ;) {
      const page = await store.journal.readBodies(runId, { after, limit: 1000 });
      if (page.length === 0) break;
      events += page.length;
      after += page.length;
    }
  }
  return { events, perSecond: (events / (performance.now() - started)) * 1000 };
}

async function verifyRuns(store: Store, runIds: readonly string[]): Promise<{ events: number; perSecond: number }> {
  const started = performance.now();
  let events = 0;
  for (const runId of runIds) {
    const { ok, eventCount, violations } = await store.journal.verify(runId);
    if (!ok) throw new Error(`The journal of ${runId} is damaged: ${violations.join(" ")}`);
    events += eventCount;
  }
  return { events, perSecond: (events / (performance.now() - started)) * 1000 };
}

/** One run, followed live by all subscribers; counts what each of them received. */
async function deliver(store: Store): Promise<{ events: number; perSecond: number }> {
  const writer = await createRun(store);
  const followers = Array.from({ length: subscribers }, async () => {
    let received = 0;
    for await (const page of store.journal.followPages(writer.runId)) {
      for (const { body } of page) received += body.length > 0 ? 1 : 0;
    }
    return received;
  });
  const started = performance.now();
  for (let i = 0; i < eventsForSubscribers; i++) {
    writer.write(deltas[i % 2]!);
    if (i % 16 === 15) await new Promise(setImmediate);
  }
  writer.write(finished);
  writer.write(completed);
  await writer.close();
  const received = await Promise.all(followers);
  const events = received.reduce((sum, count) => sum + count, 0);
  const { length } = await store.journal.readBodies(writer.runId, { limit: 100_000 });
  if (received.some((count) => count !== length)) throw new Error("A subscriber missed an event.");
  return { events, perSecond: (events / (performance.now() - started)) * 1000 };
}

function rawBatches(): { events: number; perSecond: number } {
  const database = new DatabaseSync(join(folder, "raw.db"));
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  database.exec(
    "CREATE TABLE run_events (run_id text, seq integer, type text, hash text, body text, PRIMARY KEY (run_id, seq)) WITHOUT ROWID",
  );
  const insert = database.prepare("INSERT INTO run_events VALUES (?, ?, ?, ?, ?)");
  const runIds = Array.from({ length: runs }, () => newId("run"));
  const hash = "0".repeat(64);
  const body = JSON.stringify({ runId: runIds[0], seq: 1, at: new Date().toISOString(), ...deltas[0] }).padEnd(295);
  const started = performance.now();
  for (let first = 0; first < eventsPerRun; first += 500) {
    for (const runId of runIds) {
      database.exec("BEGIN");
      for (let seq = first; seq < first + 500; seq++) insert.run(runId, seq, "OutputDelta", hash, body);
      database.exec("COMMIT");
    }
  }
  const seconds = (performance.now() - started) / 1000;
  database.close();
  return { events: runs * eventsPerRun, perSecond: (runs * eventsPerRun) / seconds };
}

async function createRun(store: Store): Promise<JournalWriter> {
  const writer = await store.journal.create({
    runId: newId("run"),
    traceId: newTraceId(),
    kind: "prompt",
    userId: "bench",
    contract: {},
    input: { prompt: "Write a long text." },
  });
  writer.write({
    type: "ProviderCallStarted",
    callId,
    providerId: "local",
    modelId: "bench",
    attempt: 1,
    requestHash: "0".repeat(64),
    messageCount: 1,
  });
  return writer;
}
