/**
 * A small operation (`identity.whoami`, with an API key) on every transport, beside bare Hono that answers the same JSON to
 * anybody. Servers are processes of their own; each contender is asked in every round, one after the other.
 *
 * `node bench/transports.ts [--rounds N] [--seconds N]`: requests a second with 16 under way, their latency, and what a
 * request costs the server's CPU.
 */
import { parseArgs } from "node:util";
import { connectJson, grpc, jsonRpc, jsonRpcOverWebSocket, mcp } from "./transports/carriers.ts";
import { concurrency, overHttp, type Contender } from "./transports/contenders.ts";
import { startDaemonProcess, startHonoProcess, type ServerProcess } from "./transports/servers.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, seconds: { type: "string", default: "2" } },
});
const rounds = Number(values.rounds);
const milliseconds = Number(values.seconds) * 1000;
const path = "/api/v1/whoami";

interface Sample {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuMicros: number;
}

await using daemon = await startDaemonProcess();
const key = await createKey(daemon);
const whoami = await fetch(`${daemon.url}${path}`, { headers: { authorization: `Bearer ${key}` } });
await using hono = await startHonoProcess(await whoami.text());

const contenders: readonly { readonly contender: Contender; readonly server: ServerProcess }[] = [
  { contender: overHttp("bare Hono, no identity", { path }), server: hono },
  ...[overHttp("REST", { path }), jsonRpc, jsonRpcOverWebSocket, connectJson, grpc, mcp].map((contender) => ({
    contender,
    server: { ...daemon, token: key } as ServerProcess,
  })),
];

const samples = new Map<string, Sample[]>(contenders.map(({ contender }) => [contender.name, []]));
for (let round = -1; round < rounds; round += 1) {
  for (const { contender, server } of contenders) {
    const sample = await measure(contender, server);
    if (round >= 0) samples.get(contender.name)?.push(sample);
  }
}
printTable();

async function measure(contender: Contender, server: ServerProcess): Promise<Sample> {
  const caller = await contender.open(server);
  const latencies: number[] = [];
  await caller.ask();
  const cpuBefore = await server.cpuMicros();
  const started = performance.now();
  const until = started + milliseconds;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (performance.now() < until) {
        const asked = performance.now();
        await caller.ask();
        latencies.push(performance.now() - asked);
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const cpu = (await server.cpuMicros()) - cpuBefore;
  await caller.close();
  latencies.sort((a, b) => a - b);
  return {
    perSecond: latencies.length / seconds,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    cpuMicros: cpu / latencies.length,
  };
}

function printTable(): void {
  const medians = [...samples].map(([name, all]) => ({
    name,
    perSecond: median(all.map(({ perSecond }) => perSecond)),
    p50: median(all.map(({ p50 }) => p50)),
    p99: median(all.map(({ p99 }) => p99)),
    cpuMicros: median(all.map(({ cpuMicros }) => cpuMicros)),
  }));
  const [base] = medians;
  console.log("| whoami, 16 under way | requests/s | of Hono | p50 ms | p99 ms | server CPU µs | of Hono |");
  console.log("|---|---:|---:|---:|---:|---:|---:|");
  for (const { name, perSecond, p50, p99, cpuMicros } of medians) {
    const cells = [
      Math.round(perSecond).toLocaleString("en"),
      (perSecond / (base?.perSecond ?? Number.NaN)).toFixed(2),
      p50.toFixed(2),
      p99.toFixed(2),
      cpuMicros.toFixed(0),
      (cpuMicros / (base?.cpuMicros ?? Number.NaN)).toFixed(1),
    ];
    console.log(`| ${name} | ${cells.join(" | ")} |`);
  }
}

async function createKey({ url, token }: ServerProcess): Promise<string> {
  const response = await fetch(`${url}/api/v1/keys`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ name: "bench", scopes: ["runs:read"] }),
  });
  return ((await response.json()) as { secret: string }).secret;
}

function quantile(sorted: readonly number[], of: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * of))] ?? Number.NaN;
}

function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}
