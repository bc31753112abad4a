import { z } from "zod";
import { operation } from "./define.ts";
import { RunId } from "./runs.ts";

export const retentionOperations = {
  "runs.delete": operation({
    id: "runs.delete",
    rpc: "RunsDelete",
    method: "DELETE",
    path: "/api/v1/runs/{runId}",
    permission: "runs:write",
    summary: "Delete the journal of a run that has ended. Its ledger row stays, without its title; its id stays taken.",
    input: z.object({
      runId: RunId,
      /** Although a checkpoint or another run names it. */
      force: z.union([z.boolean(), z.stringbool()]).optional(),
    }),
    output: z.object({ runId: z.string(), events: z.int() }),
    errors: ["NOT_FOUND", "VALIDATION_FAILED"],
  }),
  "runs.prune": operation({
    id: "runs.prune",
    rpc: "RunsPrune",
    method: "POST",
    path: "/api/v1/runs/prune",
    permission: "runs:write",
    summary:
      "Delete the journals of runs that ended before a time, and the stored content that nothing names any more.",
    input: z.object({
      before: z.iso.datetime(),
      /** The newest runs of each conversation that stay, however old. */
      keepPerSession: z.int().nonnegative().optional(),
      kinds: z.array(z.string().max(60)).min(1).max(50).optional(),
      /** Also runs that a checkpoint or another run names. */
      force: z.boolean().optional(),
      /** Say what would go, and touch nothing. */
      dryRun: z.boolean().default(false),
    }),
    output: z.object({
      dryRun: z.boolean(),
      runs: z.int(),
      events: z.int(),
      /** Old enough, but a checkpoint or another run names them. */
      kept: z.int(),
      /** Pieces of stored content that were removed in the installation, and their bytes; null for a dry run, and for who may not know. */
      blobs: z.int().nullable(),
      bytes: z.int().nullable(),
    }),
    errors: ["DISK_FULL"],
  }),
} as const;
