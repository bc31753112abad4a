import { EvalComparison, EvalSuite, EvalSummary, RunStatus } from "@benchtop/protocol";
import { z } from "zod";
import { operation } from "./define.ts";
import { page, pageInput } from "./pagination.ts";
import { ModelRef } from "./providers.ts";
import { ConsentChoice, RunId, RunIdText } from "./runs.ts";

/** One run of a suite: what it found, or how far it has come. */
export const EvalRun = z.object({
  runId: z.string(),
  name: z.string(),
  status: RunStatus,
  errorCode: z.string().nullable(),
  models: z.array(z.string()),
  cases: z.int(),
  repeat: z.int(),
  startedAt: z.string(),
  finishedAt: z.string().nullable(),
  durationMs: z.number().nullable(),
  /** Answers so far, and how many there will be. */
  progress: z.object({ done: z.int(), total: z.int() }),
  /** Null while it goes, and when it ended before anything could be reported. */
  summary: EvalSummary.nullable(),
});
export type EvalRun = z.infer<typeof EvalRun>;

const evalId = { runId: RunId };

export const evalOperations = {
  "evals.run": operation({
    id: "evals.run",
    rpc: "EvalsRun",
    method: "POST",
    path: "/api/v1/evals",
    permission: "runs:write",
    status: 202,
    summary: "Run a suite: each model is asked each case, the answers are judged. Follow it with runs.events.",
    input: z.object({
      runId: RunIdText.optional(),
      suite: EvalSuite.optional(),
      /** Runs the suite of an earlier run again, instead of `suite`. */
      from: RunId.optional(),
      /** Asks these models instead of those of the suite. */
      models: z.array(ModelRef).min(1).max(16).optional(),
      /** False asks everything again, also what was answered before. */
      cache: z.boolean().default(true),
      consent: ConsentChoice.optional(),
    }),
    output: z.object({ runId: z.string(), traceId: z.string() }),
    errors: [
      "NOT_FOUND",
      "RUN_REPLAYED",
      "PROVIDER_NOT_CONFIGURED",
      "PROVIDER_AUTH_FAILED",
      "FILE_READ_FAILED",
      "DISK_FULL",
    ],
  }),
  "evals.list": operation({
    id: "evals.list",
    rpc: "EvalsList",
    method: "GET",
    path: "/api/v1/evals",
    permission: "runs:read",
    summary: "Runs of suites, newest first, with their summaries.",
    input: z.object(pageInput),
    output: page(EvalRun),
    errors: [],
  }),
  "evals.get": operation({
    id: "evals.get",
    rpc: "EvalsGet",
    method: "GET",
    path: "/api/v1/evals/{runId}",
    permission: "runs:read",
    summary: "One run of a suite, with the suite (without its cases).",
    input: z.object(evalId),
    output: EvalRun.extend({ suite: EvalSuite.omit({ cases: true }) }),
    errors: ["NOT_FOUND", "FILE_READ_FAILED"],
  }),
  "evals.report": operation({
    id: "evals.report",
    rpc: "EvalsReport",
    method: "GET",
    path: "/api/v1/evals/{runId}/report",
    permission: "runs:read",
    transfer: "download",
    summary: "The whole report: JSON, or one HTML file that needs nothing else.",
    input: z.object({ ...evalId, format: z.enum(["json", "html"]).default("json") }),
    output: z.instanceof(Uint8Array),
    errors: ["NOT_FOUND", "FILE_READ_FAILED"],
  }),
  "evals.compare": operation({
    id: "evals.compare",
    rpc: "EvalsCompare",
    method: "GET",
    path: "/api/v1/evals/{runId}/compare/{otherRunId}",
    permission: "runs:read",
    summary:
      "What changed from one run of a suite (runId) to another (otherRunId): regressions, fixes, score, cost, latency.",
    input: z.object({
      ...evalId,
      otherRunId: RunId,
      /** A model of the first … */
      beforeModel: ModelRef.optional(),
      /** … and the one of the second to compare it with. */
      afterModel: ModelRef.optional(),
    }),
    output: EvalComparison,
    errors: ["NOT_FOUND", "FILE_READ_FAILED"],
  }),
} as const;
