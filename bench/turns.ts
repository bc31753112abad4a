/**
 * What a turn costs without model and network: runs of many tool calls against an adapter in this process, on the durable
 * journal. How often the disk is waited for, with and without gates; whether a long run stays linear; and what it takes
 * to replay it, to resume it and to keep it in memory for that. `BENCH_ROUNDS` sets the rounds (5).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { allow, ask, Harness, readEvents, type Gate, type ProviderAdapter, type Tool } from "@benchtop/harness";
import { openStore, type Store } from "@benchtop/store";
import { SqliteWriter } from "../packages/store/src/sqlite/writer.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 5);
const shortRun = 200;
const longRun = 1650;

/** Commits that the thread of the database was asked for; a durable one ends with an fsync. */
const asked = { commits: 0, durable: 0 };
const request = Reflect.get(SqliteWriter.prototype, "request");
SqliteWriter.prototype.request = function (kind, input) {
  if (kind === "journal") {
    asked.commits += 1;
    if ((input as { durable: boolean }).durable) asked.durable += 1;
  }
  return Reflect.apply(request, this, [kind, input]);
};

const folder = mkdtempSync(join(tmpdir(), "benchtop-turns-"));
const store = await openStore({ home: folder });
try {
  await turns(store);
  await again(store);
} finally {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
}

function allowing(name: string): Gate {
  return { name, points: ["tool-call", "tool-result"], mode: "enforcing", check: async () => allow };
}

async function turns(store: Store): Promise<void> {
  console.log(`| one tool call a turn | turns | commits a turn | fsyncs a turn | CPU µs a turn | turns/s |`);
  console.log("|---|---:|---:|---:|---:|---:|");
  for (const [what, count, gates] of [
    ["no gates", shortRun, []],
    ["two gates that allow", shortRun, [allowing("one"), allowing("two")]],
    ["no gates, nothing trimmed", longRun, []],
  ] as const) {
    const cpu: number[] = [];
    const wall: number[] = [];
    for (let round = -1; round < rounds; round += 1) {
      if (round === 0) Object.assign(asked, { commits: 0, durable: 0 });
      const cost = await measured(async () => {
        const { error } = await (await sessionOf(store, count, gates).run("Go.").start()).result;
        if (error) throw error;
      });
      if (round < 0) continue;
      cpu.push((cost.cpuMs * 1000) / count);
      wall.push(cost.wallMs);
    }
    const all = rounds * count;
    const perTurn = [asked.commits / all, asked.durable / all].map((value) => value.toFixed(2));
    const speed = Math.round((count / median(wall)) * 1000).toLocaleString("en");
    const cells = [what, count.toLocaleString("en"), ...perTurn, median(cpu).toFixed(0), speed];
    console.log(`| ${cells.join(" | ")} |`);
  }
}

/** A run that waits for an approval in its last turn: replayed, and resumed to its end. */
async function again(store: Store): Promise<void> {
  const approval: Gate = {
    name: "approval",
    points: ["tool-call"],
    mode: "enforcing",
    check: async (subject) =>
      "call" in subject && subject.call.callId === `call_${longRun - 1}` ? ask("May it?") : allow,
  };
  const replays: number[] = [];
  const resumptions: number[] = [];
  let kept = { events: 0, bytes: 0 };
  for (let round = -1; round < rounds; round += 1) {
    const session = sessionOf(store, longRun, [approval]);
    const { runId, result } = await session.run("Go.").start();
    if ((await result).status !== "suspended") throw new Error("The run does not wait.");
    kept = await heldBy(() => readEvents(store.journal, runId));
    const replay = await measured(async () => {
      const { outcome } = await session.replay(runId);
      if (outcome !== "identical") throw new Error("The replay diverged.");
    });
    const resumption = await measured(async () => {
      const { status } = await (await session.resume(runId, { decision: "approve" })).result;
      if (status !== "success") throw new Error("The resumed run failed.");
    });
    if (round < 0) continue;
    replays.push(replay.cpuMs);
    resumptions.push(resumption.cpuMs);
  }
  const events = kept.events.toLocaleString("en");
  console.log(`\n| a run of ${longRun.toLocaleString("en")} turns, ${events} events | CPU ms | CPU µs an event |`);
  console.log("|---|---:|---:|");
  for (const [what, times] of [
    ["replayed", replays],
    ["resumed, one more answer", resumptions],
  ] as const) {
    const cpu = median(times);
    console.log(`| ${what} | ${cpu.toFixed(0)} | ${((cpu * 1000) / kept.events).toFixed(1)} |`);
  }
  console.log(`\nIn memory while it is driven again: ${Math.round(kept.bytes / kept.events)} bytes an event.`);
}

/** Calls a tool that does nothing `count` times, one a turn, and then answers. */
function sessionOf(store: Store, count: number, gates: readonly Gate[]) {
  let turn = 0;
  const provider: ProviderAdapter = {
    id: "local",
    async *stream() {
      yield [];
      const callId = `call_${turn}`;
      turn += 1;
      yield [{ type: "text", text: `This is what I think in turn ${turn}.` }];
      if (turn <= count) yield [{ type: "tool-call", callId, name: "noop", arguments: `{"n":${turn}}` }];
      yield [
        { type: "usage", usage: { inputTokens: 10, outputTokens: 10 } },
        { type: "finish", reason: turn <= count ? "tool-calls" : "stop" },
      ];
    },
  };
  const noop: Tool = {
    name: "noop",
    description: "Does nothing.",
    inputSchema: { type: "object", properties: { n: { type: "number" } }, required: ["n"] },
    effects: "none",
    idempotent: true,
    execute: async () => ({ content: "Nothing was done, and here is a sentence about it.".repeat(6) }),
  };
  const harness = Harness.builder().provider(provider).journal(store.journal).tools([noop]).gates(gates).build();
  const contract = { maxSteps: 10_000, maxTotalTokens: 1_000_000_000 };
  const context = { maxMessages: 100_000, tokenLimit: 100_000_000 };
  return harness.session({ model: "local/m", contract, context });
}

async function measured(body: () => Promise<void>): Promise<{ cpuMs: number; wallMs: number }> {
  const cpuBefore = process.cpuUsage();
  const before = performance.now();
  await body();
  const { user, system } = process.cpuUsage(cpuBefore);
  return { cpuMs: (user + system) / 1000, wallMs: performance.now() - before };
}

async function heldBy(make: () => Promise<readonly unknown[]>): Promise<{ events: number; bytes: number }> {
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const events = await make();
  collectGarbage();
  return { events: events.length, bytes: process.memoryUsage().heapUsed - before };
}

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;
}
