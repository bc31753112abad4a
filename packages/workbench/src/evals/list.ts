import { EvalSummary, type RunEvent, type RunRecord, type RunStatus } from "@benchtop/protocol";
import type { Store } from "@benchtop/store";
import type { Page, PageInput } from "../page.ts";
import { journalOf } from "../workshop/conversation/journals.ts";
import { readInput, summaryName } from "./input.ts";

/** One run of a suite, as lists show it; a view of its journal. */
export interface EvalRun {
  readonly runId: string;
  readonly name: string;
  readonly status: RunStatus;
  readonly errorCode: string | null;
  readonly models: string[];
  readonly cases: number;
  readonly repeat: number;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly durationMs: number | null;
  readonly progress: { readonly done: number; readonly total: number };
  readonly summary: EvalSummary | null;
}

/** Newest first. Refused repetitions of a run id are no evaluations. */
export async function listEvals(store: Store, input: PageInput & { workspaceId: string }): Promise<Page<EvalRun>> {
  const { workspaceId, cursor, limit } = input;
  const page = await store.ledger.list({ workspaceId, kind: "eval", cursor, limit });
  const runs = page.items.filter(({ status }) => status !== "replay");
  return { items: await Promise.all(runs.map((run) => evalRunOf(store, run))), nextCursor: page.nextCursor };
}

export async function evalRunOf(store: Store, run: RunRecord): Promise<EvalRun> {
  const events = [
    ...(await journalOf(store, run.runId, ["RunStarted", "Completed"])),
    ...(await lastPhase(store, run.runId)),
  ];
  const started = events.find((event) => event.type === "RunStarted");
  const { name, models, cases, repeat } = readInput(started?.input ?? null);
  const phase = events.find((event) => event.type === "PhaseChanged");
  return {
    runId: run.runId,
    name,
    status: run.status,
    errorCode: run.errorCode,
    models,
    cases,
    repeat,
    startedAt: run.startedAt,
    finishedAt: run.finishedAt,
    durationMs: run.durationMs,
    progress: { done: phase?.done ?? 0, total: phase?.total ?? models.length * cases * repeat },
    summary: await summaryOf(store, run, events),
  };
}

/** The `Completed` event has the summary; a run that was stopped left it in its report. */
async function summaryOf(store: Store, run: RunRecord, events: readonly RunEvent[]): Promise<EvalSummary | null> {
  if (run.status === "pending") return null;
  const completed = events.find((event) => event.type === "Completed");
  if (completed) return EvalSummary.safeParse(completed.result).data ?? null;
  const artifacts = await journalOf(store, run.runId, ["ArtifactWritten"]);
  const kept = artifacts.find((event) => event.type === "ArtifactWritten" && event.name === summaryName);
  if (kept?.type !== "ArtifactWritten") return null;
  const summary: unknown = JSON.parse(Buffer.from(await store.blobs.read(kept.sha256)).toString("utf8"));
  return EvalSummary.safeParse(summary).data ?? null;
}

/** The newest `PhaseChanged` alone: an evaluation has one for each answer. */
async function lastPhase(store: Store, runId: string): Promise<RunEvent[]> {
  const rows = await store.db
    .selectFrom("run_events")
    .select("body")
    .where("run_id", "=", runId)
    .where("type", "=", "PhaseChanged")
    .orderBy("seq", "desc")
    .limit(1)
    .execute();
  return rows.map((row) => JSON.parse(row.body) as RunEvent);
}
