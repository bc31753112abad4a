/**
 * How long the daemon takes until it answers, and what it holds then: in a fresh home, and in a warm one.
 * Peers of the same run: a bare hono server, and Node that does nothing.
 *
 * `node bench/startup.ts [--rounds N]`. Ready means the line with the address is printed; memory is the resident set then,
 * and for the daemon also after a second of idling.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "7" } } });
const rounds = Number(values.rounds);
const root = resolve(import.meta.dirname, "..");
const main = join(root, "apps", "cli", "bin", "benchtop.js");

const honoServer = `
  const { Hono } = await import("hono");
  const { serve } = await import("@hono/node-server");
  const app = new Hono().get("/healthz", (context) => context.json({ status: "ok" }));
  serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => console.log(port));
`;
const doNothing = "console.log(process.pid); setInterval(() => {}, 1000);";

interface Sample {
  readonly readyMs: number;
  readonly readyBytes: number;
  readonly idleBytes: number;
}

const folder = await mkdtemp(join(tmpdir(), "benchtop-startup-"));
try {
  const warmHome = join(folder, "warm");
  const fresh: Sample[] = [];
  const warm: Sample[] = [];
  const hono: Sample[] = [];
  const bare: Sample[] = [];
  await startDaemonOnce(warmHome);
  // One after the other in every round, so that a noisy moment falls on all alike.
  for (let round = 0; round < rounds; round++) {
    fresh.push(await startDaemonOnce(join(folder, `fresh-${round}`)));
    warm.push(await startDaemonOnce(warmHome));
    hono.push(await start(["-e", honoServer], {}));
    bare.push(await start(["-e", doNothing], {}));
  }
  printTable({
    "benchtop up, fresh home": fresh,
    "benchtop up, warm home": warm,
    "bare hono server": hono,
    "node -e": bare,
  });
} finally {
  await rm(folder, { recursive: true, force: true });
}

function startDaemonOnce(home: string): Promise<Sample> {
  return start([main, "up", "--json", "--no-open"], {
    BENCHTOP_HOME: home,
    BENCHTOP_PORT: "0",
    XDG_CONFIG_HOME: join(folder, "config"),
  });
}

async function start(command: readonly string[], environment: Readonly<Record<string, string>>): Promise<Sample> {
  const started = performance.now();
  const child = spawn(process.execPath, command, {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  await once(createInterface(child.stdout), "line");
  const readyMs = performance.now() - started;
  const readyBytes = await residentBytes(child.pid ?? 0);
  await sleep(1000);
  const idleBytes = await residentBytes(child.pid ?? 0);
  child.kill("SIGTERM");
  await exited;
  return { readyMs, readyBytes, idleBytes };
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

function printTable(samples: Readonly<Record<string, readonly Sample[]>>): void {
  const base = median((samples["bare hono server"] ?? []).map(({ readyMs }) => readyMs));
  console.log("| | ready (median) | fastest | slowest | against hono | resident when ready | after 1 s |");
  console.log("|---|---|---|---|---|---|---|");
  for (const [name, all] of Object.entries(samples)) {
    const times = all.map(({ readyMs }) => readyMs);
    const cells = [
      `${median(times).toFixed(0)} ms`,
      `${Math.min(...times).toFixed(0)} ms`,
      `${Math.max(...times).toFixed(0)} ms`,
      `${(median(times) / base).toFixed(1)} ×`,
      megabytes(median(all.map(({ readyBytes }) => readyBytes))),
      megabytes(median(all.map(({ idleBytes }) => idleBytes))),
    ];
    console.log(`| ${name} | ${cells.join(" | ")} |`);
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
