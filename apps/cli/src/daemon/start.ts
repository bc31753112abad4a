import { spawn } from "node:child_process";
import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { BenchtopError } from "@benchtop/protocol/errors";
import { findDaemon, type FoundDaemon } from "./find.ts";

const patienceMs = 60_000;

/**
 * Starts a daemon that outlives this command, and waits until it answers. When another command starts one at the same
 * moment, that one is used. What the daemon prints goes to `logs/up.log` in the home.
 */
export async function startDetached(home: string, options: { port?: number } = {}): Promise<FoundDaemon> {
  const log = join(home, "logs", "up.log");
  await mkdir(join(home, "logs"), { recursive: true, mode: 0o700 });
  const output = await open(log, "w", 0o600);
  const main = fileURLToPath(new URL("../main.ts", import.meta.url));
  const port = options.port === undefined ? [] : ["--port", String(options.port)];
  const child = spawn(process.execPath, [main, "up", "--json", "--no-open", ...port], {
    detached: true,
    stdio: ["ignore", output.fd, output.fd],
    env: { ...process.env, BENCHTOP_HOME: home },
    cwd: home,
  });
  child.unref();
  await output.close();
  let ended: string | undefined;
  child.once("exit", (code, signal) => (ended = code === null ? `was killed (${signal})` : `ended with code ${code}`));
  child.once("error", (error) => (ended = `could not be started (${error.message})`));

  const deadline = Date.now() + patienceMs;
  while (Date.now() < deadline) {
    const found = await findDaemon(home);
    if (found !== undefined) return found;
    if (ended !== undefined) throw await failedToStart(log, ended);
    await sleep(20);
  }
  throw await failedToStart(log, `did not answer within ${patienceMs / 1000} s`);
}

/** The daemon's own error if it left one, else how it ended. */
async function failedToStart(log: string, how: string): Promise<BenchtopError> {
  const lines = (await readFile(log, "utf8")).split("\n").filter((line) => line.startsWith('{"error"'));
  const last = lines.at(-1);
  if (last !== undefined) {
    const { error } = JSON.parse(last) as { error: { message: string; error_code: BenchtopError["code"] } };
    return new BenchtopError(error.error_code, error.message, { phase: "settings", detail: { log } });
  }
  return new BenchtopError("INTERNAL", `The daemon ${how}. What it printed is in ${log}.`, {
    phase: "settings",
    detail: { log },
  });
}
