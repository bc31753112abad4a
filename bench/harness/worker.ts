/**
 * One contender in a process of its own. Each line of its standard input is a job, answered by one line of JSON: CPU time is
 * that of the whole process, threads of the journal included.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Measured } from "./measured.ts";

export interface Work {
  readonly what: "answer" | "tools" | "concurrent" | "end";
  readonly baseUrl: string;
  /** Tokens of an answer, or calls of a run. */
  readonly count: number;
  readonly runs?: number;
}

export interface Report {
  readonly cpuMicros: number;
  readonly wallMicros: number;
  readonly peakBytes: number;
  /** Microseconds from the sending of each token to its arrival at the application, sorted. */
  readonly latencies?: readonly number[];
  readonly checked?: string;
}

const { measured } = (await import(process.argv[2] ?? "")) as { measured: Measured };
const folder = mkdtempSync(join(tmpdir(), "benchtop-harness-"));
const running = await measured.open(folder);
console.log(JSON.stringify({ ready: measured.name }));

for await (const line of createInterface({ input: process.stdin })) {
  const work = JSON.parse(line) as Work;
  if (work.what === "end") break;
  console.log(JSON.stringify(await report(work)));
}
await running.close();
rmSync(folder, { recursive: true, force: true });
process.exit(0);

async function report(work: Work): Promise<Report> {
  const cpuBefore = process.cpuUsage();
  const before = performance.now();
  const latencies = work.what === "concurrent" ? await concurrent(work) : await alone(work);
  const wallMicros = (performance.now() - before) * 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const checked = work.what === "concurrent" ? await running.check?.() : undefined;
  return {
    cpuMicros: user + system,
    wallMicros,
    peakBytes: process.resourceUsage().maxRSS * 1024,
    ...(latencies && { latencies }),
    ...(checked !== undefined && { checked }),
  };
}

async function alone({ what, baseUrl, count }: Work): Promise<undefined> {
  if (what === "tools") {
    const executed = await running.callTools(baseUrl);
    if (executed !== count) throw new Error(`${measured.name} executed ${executed} of ${count} calls.`);
    return;
  }
  let length = 0;
  await running.answer(baseUrl, (text) => (length += text.length));
  if (length < count) throw new Error(`${measured.name} lost text.`);
}

/** Every token is the moment of its sending; a piece may hold several. */
async function concurrent({ baseUrl, count, runs = 1 }: Work): Promise<readonly number[]> {
  const latencies: number[] = [];
  const one = async (): Promise<void> => {
    let tokens = 0;
    let rest = "";
    await running.answer(baseUrl, (text) => {
      const now = Number(process.hrtime.bigint() / 1000n);
      const whole = (rest + text).split(" ");
      rest = whole.pop() ?? "";
      for (const sentAt of whole) latencies.push(now - Number(sentAt));
      tokens += whole.length;
    });
    if (tokens !== count) throw new Error(`${measured.name} lost tokens: ${tokens} of ${count} arrived.`);
  };
  await Promise.all(Array.from({ length: runs }, one));
  return latencies.sort((left, right) => left - right);
}
