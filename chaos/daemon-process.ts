import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { createClient, type Client } from "@benchtop/client";

const main = resolve(import.meta.dirname, "../apps/cli/src/main.ts");

/** A daemon as a person starts it, `benchtop up --json --no-open`, with a client for it. */
export interface RunningDaemon {
  readonly client: Client;
  /** Aborts when the process has ended. */
  readonly ended: AbortSignal;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  kill(signal: NodeJS.Signals): void;
}

/** Undefined when the process ended before it was ready. `stderr` then tells why, unless it was killed. */
export async function bootDaemon(
  home: string,
  environment: Readonly<Record<string, string>>,
): Promise<{ daemon: RunningDaemon } | { daemon: undefined; signal: NodeJS.Signals | null; stderr: string }> {
  const config = join(dirname(home), "config");
  mkdirSync(config, { recursive: true });
  const child = spawn(process.execPath, [main, "up", "--json", "--no-open"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: config,
      XDG_CONFIG_HOME: config,
      BENCHTOP_HOME: home,
      BENCHTOP_PORT: "0",
      ...(process.env["NODE_COMPILE_CACHE"] && { NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] }),
      ...environment,
    },
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const exited = exitOf(child);
  const line = await Promise.race([firstLine(child), exited.then(() => undefined)]);
  if (line === undefined) return { daemon: undefined, signal: (await exited).signal, stderr };
  const { url, token } = JSON.parse(line) as { url: string; token: string };
  const over = new AbortController();
  void exited.then(() => over.abort());
  const kill = (signal: NodeJS.Signals): void => void child.kill(signal);
  return { daemon: { client: createClient({ url, token }), ended: over.signal, exited, kill } };
}

function exitOf(child: ChildProcess): RunningDaemon["exited"] {
  return new Promise((done) => child.once("close", (code, signal) => done({ code, signal })));
}

async function firstLine(child: ChildProcess): Promise<string | undefined> {
  if (!child.stdout) return undefined;
  for await (const line of createInterface({ input: child.stdout })) return line;
  return new Promise(() => undefined);
}
