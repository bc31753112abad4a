/**
 * What a streamed token costs in the process that receives it: streams of 2,000 tokens from a server in another
 * process, warm, every contender once in each round. Goal: with the durable journal on, at most a third of what AI SDK
 * `streamText` costs without one. `BENCH_ROUNDS` sets the rounds (40).
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { contenders, peer, type Contender } from "./tokens/contenders.ts";

const tokens = 2000;
const rounds = Number(process.env["BENCH_ROUNDS"] ?? 40);
const warmUp = Math.ceil(rounds / 4);

const server = spawn(process.execPath, [join(import.meta.dirname, "tokens/server.ts")], {
  stdio: ["ignore", "pipe", "inherit"],
});
try {
  const [port] = (await once(server.stdout, "data")) as [Buffer];
  const origin = `http://127.0.0.1:${String(port).trim()}`;
  const all = await contenders();
  await report("all at once", `${origin}/burst/${tokens}`, all);
  await report("each token in its own network chunk", `${origin}/trickle/${tokens}`, all);
  for (const contender of all) await contender.close();
} finally {
  server.kill();
}

interface Cost {
  readonly cpu: number;
  readonly wall: number;
}

async function report(title: string, baseUrl: string, all: readonly Contender[]): Promise<void> {
  const costs = new Map(all.map(({ name }) => [name, [] as Cost[]]));
  for (let round = -warmUp; round < rounds; round += 1) {
    for (const contender of all) {
      const cost = await measure(contender, baseUrl);
      if (round >= 0) costs.get(contender.name)?.push(cost);
    }
  }
  const medians = new Map(
    [...costs].map(([name, list]) => [name, { cpu: median(list, "cpu"), wall: median(list, "wall") }]),
  );
  const base = medians.get(peer) ?? { cpu: Number.NaN, wall: Number.NaN };
  console.log(`\n| ${tokens} tokens, ${title} | CPU µs/token | of streamText | wall µs/token | of streamText |`);
  console.log("|---|---:|---:|---:|---:|");
  for (const [name, { cpu, wall }] of medians) {
    const cells = [cpu.toFixed(2), (cpu / base.cpu).toFixed(2), wall.toFixed(2), (wall / base.wall).toFixed(2)];
    console.log(`| ${name} | ${cells.join(" | ")} |`);
  }
}

/** CPU is that of the whole process, threads of the journal included. */
async function measure(contender: Contender, baseUrl: string): Promise<Cost> {
  const cpuBefore = process.cpuUsage();
  const before = performance.now();
  const text = await contender.stream(baseUrl);
  const wall = (performance.now() - before) * 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  if (!text.startsWith("The quick") || text.length < tokens) throw new Error(`${contender.name} lost text.`);
  return { cpu: (user + system) / tokens, wall: wall / tokens };
}

function median(costs: readonly Cost[], of: keyof Cost): number {
  const sorted = costs.map((cost) => cost[of]).sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
