/**
 * What the harness costs beside agent frameworks: a streamed token, a tool call, 100 runs at once, and resuming a long run.
 * Each contender is in a process of its own under the same Node, warm, once in each round; medians of the rounds.
 * `node bench/harness.ts [cost] [concurrent] [resume]`; `BENCH_ROUNDS` sets the rounds (20). The peers are installed on the first call (`bench/peers`).
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ensurePeers, versionsOf } from "./compared/peers.ts";
import { Lab, stateBytes } from "./compared/lab.ts";
import { Child } from "./compared/process.ts";
import type { Report, Work } from "./harness/worker.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 20);
const warmUp = Math.ceil(rounds / 4);
const tokens = 2000;
const calls = 20;
const concurrentRuns = 100;
const concurrentRounds = 5;
const pacedTokens = 100;
const pacedMs = 20;
const resumedTurns = 1650;

const modules: readonly string[] = [
  "./plain.ts",
  "./benchtop.ts",
  "../peers/ai-sdk.ts",
  "../peers/openai-agents.ts",
  "../peers/langgraph.ts",
  "../peers/mastra.ts",
];
const baseName = "AI SDK";

/** A contender's process, and its answers in order. */
class Worker {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  name = "";

  constructor(module: string) {
    const file = join(import.meta.dirname, "harness/worker.ts");
    this.#process = spawn(process.execPath, ["--no-warnings", file, module], { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
  }

  async ready(): Promise<this> {
    this.name = (await this.#answer<{ ready: string }>()).ready;
    return this;
  }

  async do(work: Work): Promise<Report> {
    this.#process.stdin?.write(`${JSON.stringify(work)}\n`);
    return this.#answer<Report>();
  }

  async end(): Promise<void> {
    const closed = once(this.#process, "close");
    this.#process.stdin?.write(`${JSON.stringify({ what: "end" })}\n`);
    await closed;
  }

  async #answer<Answer>(): Promise<Answer> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done === true) throw new Error(`${this.name || "A contender"} ended.`);
      if (value.startsWith("{")) return JSON.parse(value) as Answer;
    }
  }
}

const wanted = process.argv.slice(2);
const wants = (part: string): boolean => wanted.length === 0 || wanted.includes(part);

ensurePeers();
console.log(`${versionsOf()}; load average before: ${loadavg()[0]?.toFixed(2)}`);
const server = spawn(process.execPath, ["--no-warnings", join(import.meta.dirname, "harness/server.ts")], {
  stdio: ["ignore", "pipe", "inherit"],
});
try {
  const [port] = (await once(server.stdout, "data")) as [Buffer];
  const origin = `http://127.0.0.1:${String(port).trim()}`;
  if (wants("cost")) await perUnit(origin);
  if (wants("concurrent")) await atOnce(origin);
} finally {
  server.kill();
}
if (wants("resume")) await resumeLong();
console.log(`\nLoad average after: ${loadavg()[0]?.toFixed(2)}`);

async function perUnit(origin: string): Promise<void> {
  const workers = await Promise.all(modules.map((module) => new Worker(module).ready()));
  await table(workers, `${tokens} tokens, all at once`, "token", {
    what: "answer",
    baseUrl: `${origin}/burst/${tokens}`,
    count: tokens,
  });
  await table(workers, `${tokens} tokens, each in its own network chunk`, "token", {
    what: "answer",
    baseUrl: `${origin}/trickle/${tokens}`,
    count: tokens,
  });
  const agents = workers.filter(({ name }) => !name.startsWith("plain"));
  await table(agents, `a run of ${calls} tool calls, one a turn`, "call", {
    what: "tools",
    baseUrl: `${origin}/tools/${calls}`,
    count: calls,
  });
  await Promise.all(workers.map((worker) => worker.end()));
}

async function table(workers: readonly Worker[], title: string, unit: string, work: Work): Promise<void> {
  const reports = new Map(workers.map(({ name }) => [name, [] as Report[]]));
  for (let round = -warmUp; round < rounds; round += 1) {
    for (const worker of workers) {
      const report = await worker.do(work);
      if (round >= 0) reports.get(worker.name)?.push(report);
    }
  }
  const medians = new Map(
    [...reports].map(([name, list]) => [
      name,
      {
        cpu: median(list.map(({ cpuMicros }) => cpuMicros)) / work.count,
        wall: median(list.map(({ wallMicros }) => wallMicros)) / work.count,
      },
    ]),
  );
  const base = [...medians].find(([name]) => name.startsWith(baseName))?.[1] ?? { cpu: Number.NaN, wall: Number.NaN };
  console.log(`\n| ${title} | CPU µs/${unit} | of AI SDK | wall µs/${unit} | of AI SDK |\n|---|---:|---:|---:|---:|`);
  for (const [name, { cpu, wall }] of medians) {
    const cells = [shown(cpu), (cpu / base.cpu).toFixed(2), shown(wall), (wall / base.wall).toFixed(2)];
    console.log(`| ${name} | ${cells.join(" | ")} |`);
  }
}

/** Fresh processes, each asked alone, in turns; added is what came on top of plain reading in the same round. */
async function atOnce(origin: string): Promise<void> {
  const work = (runs: number): Work => ({
    what: "concurrent",
    baseUrl: `${origin}/paced/${pacedTokens}/${pacedMs}`,
    count: pacedTokens,
    runs,
  });
  const workers = await Promise.all(modules.map((module) => new Worker(module).ready()));
  const reports = new Map(workers.map((worker) => [worker, [] as Report[]]));
  const failures = new Map<Worker, string>();
  for (let round = -1; round < concurrentRounds; round += 1) {
    for (const worker of workers) {
      if (failures.has(worker)) continue;
      try {
        const report = await worker.do(work(round < 0 ? 10 : concurrentRuns));
        if (round >= 0) reports.get(worker)?.push(report);
      } catch (thrown) {
        failures.set(worker, String(thrown));
      }
    }
  }
  const plain = [...reports.values()][0] ?? [];
  console.log(
    `\n| ${concurrentRuns} runs at once, a token every ${pacedMs} ms each | p50 ms | p99 ms | added p50 | added p99 | CPU | peak memory MB | tokens lost |`,
  );
  console.log("|---|---:|---:|---:|---:|---:|---:|---:|");
  for (const [worker, list] of reports) {
    const failure = failures.get(worker);
    if (failure !== undefined) {
      console.log(`| ${worker.name} | ${failure} | | | | | | |`);
      continue;
    }
    const added = (of: number): number =>
      median(list.map((report, round) => latency(report, of) - latency(plain[round], of)));
    const cells = [
      median(list.map((report) => latency(report, 0.5))),
      median(list.map((report) => latency(report, 0.99))),
      added(0.5),
      added(0.99),
    ].map((value) => value.toFixed(2));
    const cpu = median(list.map(({ cpuMicros, wallMicros }) => cpuMicros / wallMicros));
    const peak = Math.max(...list.map(({ peakBytes }) => peakBytes));
    console.log(
      `| ${worker.name} | ${cells.join(" | ")} | ${Math.round(cpu * 100)} % | ${Math.round(peak / 1e6)} | 0 |`,
    );
  }
  for (const [{ name }, list] of reports) {
    const checked = list.at(-1)?.checked;
    if (checked !== undefined) console.log(`\n${name}: ${checked}.`);
  }
  await Promise.all(workers.filter((worker) => !failures.has(worker)).map((worker) => worker.end()));
}

/** Milliseconds. A contender that loses a token ends with an error (`worker.ts`). */
function latency(report: Report | undefined, of: number): number {
  return quantile(report?.latencies ?? [], of) / 1000;
}

/**
 * A run of some 11,500 events that waits for an approval is resumed to its end by a fresh process: opening what is kept, the
 * approved call, and one further answer of the model to the whole history.
 */
async function resumeLong(): Promise<void> {
  const lab = await new Lab().open();
  console.log(
    `\n| a run of ${resumedTurns} turns, resumed by a fresh process | ms | of LangGraph.js | kept MB |\n|---|---:|---:|---:|`,
  );
  const resumed = new Map<string, { times: number[]; bytes: number }>();
  const jobs = ["langgraph", "benchtop"].map((contender) => {
    const { job } = lab.job(
      ({ turn }) => {
        if (turn < resumedTurns) return { calls: [{ name: "note", n: turn }] };
        return turn === resumedTurns ? { calls: [{ name: "charge", n: 1 }] } : { text: "Done." };
      },
      { approve: "charge", keepsOnlyLast: true },
    );
    return { contender, job };
  });
  for (const { contender, job } of jobs) {
    const child = await new Child(contender, "start", job, 900_000).ready();
    const { status, error } = await child.go().outcome;
    if (status !== "suspended") throw new Error(`${contender} did not come to wait: ${status} ${error ?? ""}`);
    resumed.set(contender, { times: [], bytes: stateBytes(job) });
  }
  for (let round = 0; round < 7; round += 1) {
    for (const { contender, job } of jobs) {
      const folder = `${job.folder}-${round}`;
      mkdirSync(folder);
      cpSync(join(job.folder, "state"), join(folder, "state"), { recursive: true });
      const child = await new Child(contender, "approve", { ...job, folder }).ready();
      const { status, error, milliseconds } = await child.go().outcome;
      if (status !== "finished") throw new Error(`${contender} did not finish: ${status} ${error ?? ""}`);
      resumed.get(contender)?.times.push(milliseconds);
      rmSync(folder, { recursive: true });
    }
  }
  lab.close();
  const base = median(resumed.get("langgraph")?.times ?? []);
  for (const [name, { times, bytes }] of resumed) {
    const time = median(times);
    console.log(`| ${name} | ${time.toFixed(0)} | ${(time / base).toFixed(2)} | ${(bytes / 1e6).toFixed(1)} |`);
  }
}

function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((left, right) => left - right),
    0.5,
  );
}

function quantile(sorted: readonly number[], of: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * of))] ?? Number.NaN;
}

function shown(micros: number): string {
  return micros < 100 ? micros.toFixed(2) : Math.round(micros).toLocaleString("en");
}
