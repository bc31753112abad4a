import { InvariantCheck } from "@benchtop/protocol/invariants";
import type { RunEvent } from "@benchtop/protocol";
import type { Kysely } from "kysely";
import type { Tables } from "../schema.ts";
import { emptyHead, linkHash } from "@benchtop/protocol/chain";
import { journalDeleted, noSuchRun } from "./refusals.ts";
import type { JournalStorage, StoredRow } from "./storage.ts";

export interface Verification {
  readonly runId: string;
  readonly ok: boolean;
  readonly eventCount: number;
  readonly headHash: string;
  /** What is wrong, in words; empty when the journal is whole and unchanged. */
  readonly violations: string[];
}

const pageSize = 250;
const maxViolations = 100;

/** Head before events: a journal that grows meanwhile is checked up to the head that was read. */
export async function verifyRun(db: Kysely<Tables>, storage: JournalStorage, runId: string): Promise<Verification> {
  const run = await db.selectFrom("runs").selectAll().where("id", "=", runId).executeTakeFirst();
  if (!run) throw noSuchRun(runId);
  if (run.deleted_at !== null) throw journalDeleted(runId, run.deleted_at);
  const check = new ChainCheck(runId);
  while (check.length < run.event_count) {
    const rows = await storage.rows(runId, check.length - 1, Math.min(pageSize, run.event_count - check.length));
    if (rows.length === 0) break;
    for (const row of rows) check.add(row);
    // Lets other work in between two pages.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const violations = [...check.finish(run.finished === 1)];
  if (check.length !== run.event_count) {
    violations.push(`The journal has ${check.length} events; ${run.event_count} were committed.`);
  }
  if (check.headHash !== run.head_hash)
    violations.push("The hash of the last event is not the one that was committed.");
  violations.push(...(await checkBeyondHead(db, storage, runId)));
  return {
    runId,
    ok: violations.length === 0,
    eventCount: check.length,
    headHash: check.headHash,
    violations: violations.slice(0, maxViolations),
  };
}

/** Recomputes the hashes and checks that each row says what its body says. */
class ChainCheck {
  headHash = emptyHead;
  length = 0;
  readonly #runId: string;
  readonly #violations: string[] = [];
  readonly #invariants = new InvariantCheck();

  constructor(runId: string) {
    this.#runId = runId;
  }

  add(row: StoredRow): void {
    if (row.seq !== this.length) this.#violations.push(`Event ${this.length} is missing; event ${row.seq} follows.`);
    this.length = row.seq + 1;
    this.headHash = linkHash(this.headHash, row.body);
    if (this.headHash !== row.hash) {
      this.#violations.push(`Event ${row.seq} or its hash was changed: the chain breaks here.`);
      // Goes on from what is stored, so that one change is reported once.
      this.headHash = row.hash;
    }
    const event = parsed(row.body);
    if (!event) {
      this.#violations.push(`Event ${row.seq} is not an event.`);
      return;
    }
    if (event.runId !== this.#runId) this.#violations.push(`Event ${row.seq} belongs to run ${event.runId}.`);
    if (event.type !== row.type)
      this.#violations.push(`Event ${row.seq} is filed as ${row.type} and is ${event.type}.`);
    this.#invariants.add(event);
  }

  finish(ended: boolean): readonly string[] {
    return [...this.#violations, ...this.#invariants.finish(ended)];
  }
}

/** Rows past the end and ledger rows that disagree are changes behind our back, too. Read after the chain: a run may have grown. */
async function checkBeyondHead(db: Kysely<Tables>, storage: JournalStorage, runId: string): Promise<string[]> {
  const violations: string[] = [];
  const head = await db
    .selectFrom("runs")
    .innerJoin("workbench_runs", "workbench_runs.run_id", "runs.id")
    .select(["runs.event_count", "runs.finished", "workbench_runs.status"])
    .where("runs.id", "=", runId)
    .where("workbench_runs.status", "<>", "replay")
    .executeTakeFirst();
  if (!head) return ["The run has no row in the ledger."];
  const [beyond] = await storage.rows(runId, head.event_count - 1, 1);
  const grown = await db.selectFrom("runs").select("event_count").where("id", "=", runId).executeTakeFirst();
  if (beyond && grown?.event_count === head.event_count)
    violations.push(`Event ${beyond.seq} was never committed by a run.`);
  if ((head.finished === 1) === (head.status === "pending")) {
    violations.push(`The ledger says "${head.status}", the journal says ${head.finished ? "ended" : "not ended"}.`);
  }
  return violations;
}

function parsed(body: string): RunEvent | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null && "type" in value ? (value as RunEvent) : undefined;
  } catch {
    return undefined;
  }
}
