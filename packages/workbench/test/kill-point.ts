/**
 * Loaded with `--import` into a process that is to die: `KILL_AT=renameSync:2:after` kills it, as by power loss of the process, right
 * after the second rename of the thread that writes trees (`before`: right before it).
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { threadName } from "node:worker_threads";

const [name = "", count = "1", when = "before"] = (process.env["KILL_AT"] ?? "").split(":");
const functions = fs as unknown as Record<string, (...input: unknown[]) => unknown>;
const original = functions[name];
if (threadName === "benchtop-workbench" && original) {
  let left = Number(count);
  functions[name] = (...input) => {
    left -= 1;
    if (left === 0 && when === "before") process.kill(process.pid, "SIGKILL");
    const output = original(...input);
    if (left === 0 && when === "after") process.kill(process.pid, "SIGKILL");
    return output;
  };
  syncBuiltinESMExports();
}
