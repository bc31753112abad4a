import { spawn } from "node:child_process";
import { mkdir, open, readFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { BenchtopError, type ErrorInfo } from "@benchtop/protocol/errors";
import { findDaemon, type FoundDaemon } from "./find.ts";

const patienceMs = 60_000;

/**
 * Starts a daemon that outlives this command, and waits until it answers. When another command starts one at the same
 * moment, that one is used. What the daemon prints goes to `logs/up.log` in the home.
 */
export async function startDetached(home: string, options: { port?: number } = {}): Promise<FoundDaemon> {
  const log = await openLog(home);
  const main = fileURLToPath(new URL("../main.ts", import.meta.url));
  const port = options.port === undefined ? [] : ["--port", String(options.port)];
  const child = spawn(process.execPath, [main, "up", "--json", "--no-open", ...port], {
    detached: true,
    stdio: ["ignore", log.file.fd, log.file.fd],
    env: { ...process.env, BENCHTOP_HOME: home },
    cwd: home,
  });
  child.unref();
  await log.file.close();
  let ended: string | undefined;
  child.once("exit", (code, signal) => (ended = code === null ? `was killed (${signal})` : `ended with code ${code}`));
  child.once("error", (error) => (ended = `could not be started (${error.message})`));

  const deadline = Date.now() + patienceMs;
  while (Date.now() < deadline) {
    const found = await findDaemon(home);
    if (found !== undefined) return found;
    if (ended !== undefined) {
      const error = await errorIn(log);
      // Another command was faster: its daemon has the home and will answer.
      if (error?.info.subphase !== "home_locked") throw error ?? failedToStart(log, ended);
    }
    await sleep(20);
  }
  throw (await errorIn(log)) ?? failedToStart(log, `did not answer within ${patienceMs / 1000} s`);
}

interface StartLog {
  readonly file: FileHandle;
  readonly path: string;
  /** Where this start's own lines begin. */
  readonly from: number;
}

async function openLog(home: string): Promise<StartLog> {
  const folder = join(home, "logs");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, "up.log");
  const file = await open(path, "a", 0o600);
  return { file, path, from: (await file.stat()).size };
}

/** The error that the daemon left, if it did. */
async function errorIn({ path, from }: StartLog): Promise<BenchtopError | undefined> {
  const lines = (await readFile(path)).subarray(from).toString("utf8").split("\n");
  const line = lines.findLast((line) => line.startsWith('{"error"'));
  if (line === undefined) return undefined;
  const { error } = JSON.parse(line) as { error: ErrorInfo & { message: string } };
  return new BenchtopError(error.error_code, error.message, {
    phase: "settings",
    ...(error.subphase !== undefined && { subphase: error.subphase }),
    detail: { ...error.detail, log: path },
  });
}

function failedToStart({ path }: StartLog, how: string): BenchtopError {
  const message = `The daemon ${how}. What it printed is in ${path}.`;
  return new BenchtopError("INTERNAL", message, { phase: "settings", detail: { log: path } });
}
