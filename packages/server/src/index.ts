import type { Daemon, DaemonOptions } from "./daemon.ts";

export type { Daemon, DaemonOptions } from "./daemon.ts";
export type { McpFeature, McpRequest, ToolAnswer } from "./mcp/feature.ts";

/**
 * Starts the daemon of a home; the contract is in `daemon.ts`. What it is made of is loaded here, not when this module is
 * imported, so that a command which only talks to a running daemon pays nothing for it.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const daemon = await import("./daemon.ts");
  return daemon.startDaemon(options);
}
