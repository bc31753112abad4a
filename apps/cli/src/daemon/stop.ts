import { setTimeout as sleep } from "node:timers/promises";
import { BenchtopError } from "@benchtop/protocol/errors";
import { findDaemon, isOurProcess } from "./find.ts";

const patienceMs = 30_000;

/** Asks the daemon of a home to stop and waits until its process is gone. Answers its pid; `undefined` when none ran. */
export async function stopDaemon(home: string): Promise<number | undefined> {
  const pid = (await findDaemon(home))?.pid;
  if (pid === undefined) return undefined;
  process.kill(pid, "SIGTERM");
  const deadline = Date.now() + patienceMs;
  while (isOurProcess(pid)) {
    if (Date.now() > deadline) {
      throw new BenchtopError("INTERNAL", `The daemon (pid ${pid}) did not stop within ${patienceMs / 1000} s.`, {
        phase: "settings",
        detail: { pid },
      });
    }
    await sleep(20);
  }
  return pid;
}
