import { parseReplayToken, type ReplayPoint } from "@benchtop/protocol";
import type { Kysely } from "kysely";
import type { Tables } from "../schema.ts";
import { noSuchEvent, noSuchRun, otherHistory } from "./refusals.ts";

/** An event of a journal and the hash there. Rejects with `NOT_FOUND` when the run has no such event. */
export async function pointAt(db: Kysely<Tables>, runId: string, seq?: number): Promise<ReplayPoint> {
  const head = await db
    .selectFrom("runs")
    .select("event_count")
    .where("id", "=", runId)
    .where("deleted_at", "is", null)
    .executeTakeFirst();
  if (!head) throw noSuchRun(runId);
  const wanted = seq ?? head.event_count - 1;
  if (!Number.isInteger(wanted) || wanted < 0 || wanted >= head.event_count) throw noSuchEvent(runId, wanted);
  const row = await db
    .selectFrom("run_events")
    .select("hash")
    .where("run_id", "=", runId)
    .where("seq", "=", wanted)
    .executeTakeFirst();
  if (!row) throw noSuchEvent(runId, wanted);
  return { runId, seq: wanted, hash: row.hash };
}

/** The point that a token names, if the journal still says the same up to there. */
export async function resolveToken(db: Kysely<Tables>, token: string): Promise<ReplayPoint> {
  const claimed = parseReplayToken(token);
  const point = await pointAt(db, claimed.runId, claimed.seq);
  if (point.hash !== claimed.hash) throw otherHistory(claimed);
  return point;
}
