import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

/** File names of the contenders (`bench/peers/NAME.ts`) and what they are called. */
export const contenders: Readonly<Record<string, string>> = {
  benchtop: "Benchtop",
  langgraph: "LangGraph.js",
  mastra: "Mastra",
  "openai-agents": "OpenAI Agents SDK",
  "ai-sdk": "AI SDK",
};

const folder = join(import.meta.dirname, "../peers");
const root = join(import.meta.dirname, "../..");

/** Installs the peers at their locked versions when they are not there. */
export function ensurePeers(): void {
  const installed = join(folder, "node_modules/.package-lock.json");
  const locked = join(folder, "package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(locked).mtimeMs) return;
  console.error("Installing the peers in bench/peers …");
  // Under this Node, for npm drops native packages that do not suit the Node it runs on.
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"]}` };
  const options = ["ci", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund"];
  execFileSync("npm", options, { cwd: folder, env, stdio: ["ignore", "ignore", "inherit"] });
}

/** Name and version of each peer, as installed. */
export function versionsOf(): string {
  const packages = {
    [folder]: [
      "@langchain/langgraph",
      "@langchain/core",
      "@langchain/langgraph-checkpoint-sqlite",
      "@mastra/core",
      "@mastra/libsql",
      "@openai/agents",
    ],
    [root]: ["ai"],
  };
  return Object.entries(packages)
    .flatMap(([where, names]) => names.map((name) => `${name} ${versionIn(where, name)}`))
    .join(", ");
}

function versionIn(where: string, name: string): string {
  const file = join(where, "node_modules", name, "package.json");
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
