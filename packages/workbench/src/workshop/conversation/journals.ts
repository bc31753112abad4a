import type { RunEvent, RunEventType } from "@benchtop/protocol";
import type { Store } from "@benchtop/store";

/** Events of a run, of some types or of all but the deltas, whose text the finished call repeats. */
export async function journalOf(store: Store, runId: string, types?: readonly RunEventType[]): Promise<RunEvent[]> {
  let query = store.db.selectFrom("run_events").select("body").where("run_id", "=", runId).orderBy("seq");
  query = types ? query.where("type", "in", types) : query.where("type", "<>", "OutputDelta");
  return (await query.execute()).map((row) => JSON.parse(row.body) as RunEvent);
}
