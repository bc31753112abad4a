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

export const Identity = z.object({
  userId: z.string(),
  displayName: z.string(),
  workspaceId: z.string(),
  permissions: z.array(z.string()),
  via: z.enum(["token", "sign-in"]),
});
export type Identity = z.infer<typeof Identity>;

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
  "signIn.create": operation({
    id: "signIn.create",
    rpc: "SignInCreate",
    method: "POST",
    path: "/api/v1/sign-in",
    permission: "public",
    summary: "Exchange a token for a browser session (HttpOnly, SameSite=Strict cookie).",
    input: z.object({ token: z.string().min(1).max(500) }),
    output: Identity,
    errors: ["AUTH_REQUIRED"],
  }),
  "signIn.createLink": operation({
    id: "signIn.createLink",
    rpc: "SignInCreateLink",
    method: "POST",
    path: "/api/v1/sign-in/links",
    permission: "system:read",
    status: 201,
    summary: "A console address that signs one browser in: good once, for ten minutes.",
    input: Empty,
    /** The token is in the fragment (`/#token=…`), which no browser sends and no log keeps; the console posts it to signIn.create. */
    output: z.object({ url: z.string(), expiresAt: z.string() }),
    errors: [],
  }),
  "signIn.end": operation({
    id: "signIn.end",
    rpc: "SignInEnd",
    method: "DELETE",
    path: "/api/v1/sign-in",
    permission: "system:read",
    summary: "End this browser session.",
    input: Empty,
    output: Empty,
    errors: [],
  }),
  "identity.whoami": operation({
    id: "identity.whoami",
    rpc: "IdentityWhoami",
    method: "GET",
    path: "/api/v1/whoami",
    permission: "system:read",
    summary: "Who this token or session is, and what it may do.",
    input: Empty,
    output: Identity,
    errors: [],
  }),
} as const;
