/** `npm run check`: types, lint, layering, formatting, generated documents. Runs all, prints what failed, exits 1 then. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const bin = (name: string): string =>
  join(root, "node_modules", ".bin", process.platform === "win32" ? `${name}.cmd` : name);
const script = (name: string, ...options: string[]): string[] => [
  process.execPath,
  join(root, "scripts", name),
  ...options,
];

const checks: Record<string, string[]> = {
  "types (node)": [bin("tsc"), "-p", "tsconfig.node.json"],
  "types (console)": [bin("tsc"), "-p", "apps/console"],
  lint: [bin("oxlint"), "--deny-warnings"],
  formatting: [bin("oxfmt"), "--check"],
  layers: script("check-layers.ts"),
  ...generated("operations-reference.ts", "operations reference"),
  ...generated("cli-reference.ts", "CLI reference"),
  ...generated("mcp-reference.ts", "MCP reference"),
  ...generated("harness-reference.ts", "harness reference"),
  ...generated("proto.ts", "proto"),
  ...generated("api-shapes.ts", "API shapes"),
};

const results = await Promise.all(Object.entries(checks).map(([name, command]) => runCheck(name, command)));
for (const { name, ok, seconds, output } of results) {
  console.log(`${ok ? "ok  " : "FAIL"} ${name} (${seconds.toFixed(1)} s)`);
  if (!ok) console.log(output.trimEnd().replaceAll(/^/gm, "     "));
}
process.exitCode = results.every((result) => result.ok) ? 0 : 1;

function generated(file: string, name: string): Record<string, string[]> {
  return existsSync(join(root, "scripts", file)) ? { [name]: script(file, "--check") } : {};
}

function runCheck(name: string, [command = "", ...rest]: string[]) {
  const started = performance.now();
  const { promise, resolve: done } = Promise.withResolvers<{
    name: string;
    ok: boolean;
    seconds: number;
    output: string;
  }>();
  const child = spawn(command, rest, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (chunk) => (output += String(chunk)));
  child.stderr.on("data", (chunk) => (output += String(chunk)));
  const finish = (ok: boolean): void => done({ name, ok, seconds: (performance.now() - started) / 1000, output });
  child.on("error", (error) => {
    output += error.message;
    finish(false);
  });
  child.on("close", (code) => finish(code === 0));
  return promise;
}
