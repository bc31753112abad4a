import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
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

/**
 * Installs the peers at their locked versions, once. `better-sqlite3` (LangGraph's checkpointer) is compiled for this Node,
 * with the headers that come with it, where no prebuilt one can be downloaded: that takes a minute and a C++ compiler.
 */
export function ensurePeers(): void {
  const binary = join(folder, "node_modules/better-sqlite3/build/Release/better_sqlite3.node");
  if (existsSync(binary)) return;
  console.error("Installing the peers in bench/peers …");
  const headers = join(root, "node_modules", `node-${process.platform}-${process.arch}`);
  const env = {
    ...process.env,
    PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
    ...(existsSync(join(headers, "include/node")) && { npm_config_nodedir: headers }),
  };
  const npm = (...options: string[]): void => {
    execFileSync("npm", options, { cwd: folder, env, stdio: ["ignore", "inherit", "inherit"] });
  };
  npm("ci", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund");
  npm("rebuild", "better-sqlite3");
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
