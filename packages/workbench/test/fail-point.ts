/**
 * Loaded with `--import` into a process whose disk is to fail once: `FAIL_AT=renameSync:2:EIO` fails the second rename of the thread
 * that writes trees, and nothing after it.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { threadName } from "node:worker_threads";

const [name = "", count = "1", code = "EIO"] = (process.env["FAIL_AT"] ?? "").split(":");
const functions = fs as unknown as Record<string, (...input: unknown[]) => unknown>;
const original = functions[name];
if (threadName === "benchtop-workbench" && original) {
  let left = Number(count);
  functions[name] = (...input) => {
    left -= 1;
    if (left === 0) throw Object.assign(new Error(`${code}: injected, ${name}`), { code });
    return original(...input);
  };
  syncBuiltinESMExports();
}
