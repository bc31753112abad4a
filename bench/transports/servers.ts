import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const root = resolve(import.meta.dirname, "../..");

/** A server in a process of its own, and what it has used so far. */
export interface ServerProcess extends AsyncDisposable {
  readonly url: string;
  /** Empty where there is none. */
  readonly token: string;
  cpuMicros(): Promise<number>;
  residentBytes(): Promise<number>;
  /** The most that was resident since it started. */
  peakBytes(): Promise<number>;
}

/** A daemon on a home of its own whose limits of requests are out of the way. */
export async function startDaemonProcess(): Promise<ServerProcess> {
  const folder = await mkdtemp(join(tmpdir(), "benchtop-transports-"));
  const home = join(folder, "home");
  await mkdir(home, { mode: 0o700 });
  const unlimited = { perSecond: 1_000_000, burst: 1_000_000 };
  const config = { rateLimits: { identity: unlimited, address: unlimited } };
  await writeFile(join(home, "config.json"), JSON.stringify(config), { mode: 0o600 });
  const main = join(root, "apps/cli/bin/benchtop.js");
  const child = spawn(process.execPath, [main, "up", "--json", "--no-open"], {
    cwd: root,
    env: {
      ...process.env,
      BENCHTOP_HOME: home,
      BENCHTOP_PORT: "0",
      XDG_CONFIG_HOME: join(folder, "config"),
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { url, token, pid } = JSON.parse(await firstLine(child)) as { url: string; token: string; pid: number };
  return serverProcess(child, pid, url, token, () => rm(folder, { recursive: true, force: true }));
}

/** Hono that answers the same JSON to everything, without any identity. */
export async function startHonoProcess(answer: string): Promise<ServerProcess> {
  const program = `
    const { Hono } = await import("hono");
    const { serve } = await import("@hono/node-server");
    const answer = JSON.parse(process.env.ANSWER);
    const app = new Hono().get("/api/v1/whoami", (context) => context.json(answer));
    serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => console.log(port));
  `;
  const child = spawn(process.execPath, ["-e", program], {
    cwd: root,
    env: { ...process.env, ANSWER: answer },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const port = (await firstLine(child)).trim();
  return serverProcess(child, child.pid ?? 0, `http://127.0.0.1:${port}`, "", async () => undefined);
}

function serverProcess(
  child: ChildProcess,
  pid: number,
  url: string,
  token: string,
  cleanUp: () => Promise<void>,
): ServerProcess {
  const status = async (field: string): Promise<number> => {
    const text = await readFile(`/proc/${pid}/status`, "utf8");
    return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(text)?.[1] ?? 0) * 1024;
  };
  return {
    url,
    token,
    cpuMicros: () => cpuMicrosOf(pid),
    residentBytes: () => status("VmRSS"),
    peakBytes: () => status("VmHWM"),
    async [Symbol.asyncDispose]() {
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      await exited;
      await cleanUp();
    },
  };
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [line] = (await once(createInterface(child.stdout!), "line")) as [string];
  return line;
}

/** User and system time of all threads. */
async function cpuMicrosOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  // Fields after the name in parentheses, which may hold spaces: utime and stime are the 14th and 15th of the line.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return ticks * 10_000;
}
