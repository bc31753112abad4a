import { z } from "zod";
import { operation } from "./define.ts";
import { Empty } from "./pagination.ts";

export const Health = z.object({ status: z.literal("ok"), version: z.string(), uptimeSeconds: z.number() });

export const SystemStatus = z.object({
  version: z.string(),
  nodeVersion: z.string(),
  pid: z.int(),
  home: z.string(),
  url: z.string(),
  startedAt: z.string(),
  /** What an operator should not forget, such as that nobody has to prove who they are. */
  warnings: z.array(z.string()),
  memoryBytes: z.int(),
  database: z.object({ dialect: z.enum(["sqlite", "postgres"]), location: z.string(), migration: z.string() }),
  runs: z.object({ active: z.int(), total: z.int() }),
  workbenches: z.int(),
  providers: z.int(),
  /** Sockets of the operator's configuration that are not HTTP requests of ours (a database on another host). */
  otherConnections: z.array(z.object({ purpose: z.string(), target: z.string() })),
  /** Where traces of runs go, and how it goes: spans or lines passed on, given up, waiting; runs not passed on whole yet. */
  traces: z.array(
    z.object({
      target: z.string(),
      passedOn: z.int(),
      dropped: z.int(),
      waiting: z.int(),
      runs: z.int(),
      problem: z.string().optional(),
    }),
  ),
  /** Where secrets are kept: a file encrypted with a key kept elsewhere. */
  secrets: z.object({ backend: z.string(), location: z.string() }),
});
export type SystemStatus = z.infer<typeof SystemStatus>;

export const systemOperations = {
  "system.health": operation({
    id: "system.health",
    rpc: "SystemHealth",
    method: "GET",
    path: "/healthz",
    permission: "public",
    summary: "Whether the process lives.",
    input: Empty,
    output: Health,
    errors: [],
  }),
  "system.ready": operation({
    id: "system.ready",
    rpc: "SystemReady",
    method: "GET",
    path: "/readyz",
    permission: "public",
    summary: "Whether the daemon can take work: migrated, recovered, database writable.",
    input: Empty,
    output: z.object({ status: z.literal("ready") }),
    errors: ["DISK_FULL", "FILE_WRITE_FAILED"],
  }),
  "system.status": operation({
    id: "system.status",
    rpc: "SystemStatus",
    method: "GET",
    path: "/api/v1/status",
    permission: "system:read",
    summary: "Version, database, memory, and what is going on.",
    input: Empty,
    output: SystemStatus,
    errors: [],
  }),
} as const;
