import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isDeepStrictEqual } from "node:util";
import { barrierTypes, type RunEvent } from "@benchtop/protocol";
import { checkInvariants } from "@benchtop/protocol/invariants";
import { effectsFile } from "./effects.ts";
import { startUp } from "./product.ts";
import type { Acknowledgement, Facts, Found, FoundWorkbench, Scenario } from "./scenario.ts";

export interface Examination {
  readonly scenario: Pick<Scenario, "check">;
  readonly facts: Facts;
  readonly home: string;
  readonly said: readonly Acknowledgement[];
  readonly finished: boolean;
  /** Events that are no barriers may be lost with the power, though not with the process. */
  readonly lostPower: boolean;
}

/**
 * Starts the product on what a killed process left, lets it recover, stops it, and then looks for itself: the database
 * is read by plain SQL and the files by plain reads, so that no code of the product vouches for itself. Returns
 * one sentence for each promise that does not hold.
 */
export async function examine(examination: Examination): Promise<string[]> {
  const said = await recoverAndVerify(examination.home);
  return [...said, ...(await inspect(examination))];
}

async function recoverAndVerify(home: string): Promise<string[]> {
  await using product = await startUp(home);
  const violations: string[] = [];
  for (const { runId } of await product.store.db.selectFrom("runs").select("id as runId").execute()) {
    const result = await product.store.journal.verify(runId);
    if (!result.ok) violations.push(`verify ${runId}: ${result.violations.join("; ")}`);
  }
  return violations;
}

/** What holds of a home that nobody has open. */
export async function inspect(examination: Examination): Promise<string[]> {
  const { home, facts, said, finished, scenario } = examination;
  const database = new DatabaseSync(join(home, "ops.db"), { readOnly: true });
  try {
    const journals = readJournals(database);
    const workbenches = readWorkbenches(database, home);
    const found: Found = { home, facts, said, finished, workbenches, journals };
    return [
      ...integrity(database),
      ...[...journals].flatMap(([runId, events]) => journalViolations(database, runId, events)),
      ...acknowledgedViolations(examination, journals),
      ...effectViolations(home, journals),
      ...repeatedWrites(database),
      ...fileViolations(database, home),
      ...leftovers(database, home),
      ...(await scenario.check(found)),
    ];
  } finally {
    database.close();
  }
}

type Row = Record<string, string | number | null>;
const rowsOf = (database: DatabaseSync, sql: string, ...values: string[]): Row[] =>
  database.prepare(sql).all(...values) as Row[];

function integrity(database: DatabaseSync): string[] {
  const answers = rowsOf(database, "PRAGMA integrity_check").map((row) => String(row["integrity_check"]));
  return answers[0] === "ok" ? [] : [`the database is damaged: ${answers.join("; ")}`];
}

function readJournals(database: DatabaseSync): Map<string, RunEvent[]> {
  const journals = new Map(
    rowsOf(database, "SELECT id FROM runs").map((row): [string, RunEvent[]] => [String(row["id"]), []]),
  );
  for (const row of rowsOf(database, "SELECT run_id, body FROM run_events ORDER BY run_id, seq")) {
    journals.get(String(row["run_id"]))?.push(JSON.parse(String(row["body"])) as RunEvent);
  }
  return journals;
}

/** Chain, head, invariants, one terminal event, and the ledger's row. */
function journalViolations(database: DatabaseSync, runId: string, events: readonly RunEvent[]): string[] {
  const violations = checkInvariants(events, { ended: true }).map((text) => `${runId}: ${text}`);
  let head = "";
  for (const row of rowsOf(database, "SELECT hash, body FROM run_events WHERE run_id = ? ORDER BY seq", runId)) {
    head = createHash("sha256")
      .update(head + String(row["body"]))
      .digest("hex");
    if (row["hash"] !== head) violations.push(`${runId}: the hash chain is broken`);
  }
  const [run] = rowsOf(database, "SELECT * FROM runs WHERE id = ?", runId);
  if (run?.["head_hash"] !== head || run["event_count"] !== events.length)
    violations.push(`${runId}: head and events differ`);
  if (run?.["finished"] !== 1 || run["lease_owner"] !== null) violations.push(`${runId}: is not closed`);
  const ledger = rowsOf(
    database,
    "SELECT status, error_code FROM workbench_runs WHERE run_id = ? AND status <> 'replay'",
    runId,
  );
  const last = events.at(-1);
  const expected = last?.type === "Completed" ? ["success"] : ["error", "budget_exceeded"];
  if (ledger.length !== 1) violations.push(`${runId}: ${ledger.length} rows in the ledger`);
  else if (!expected.includes(String(ledger[0]?.["status"]))) {
    violations.push(`${runId}: ends with ${last?.type}, but the ledger says ${ledger[0]?.["status"]}`);
  }
  return violations;
}

/** No acknowledged event is lost, and none has changed. */
function acknowledgedViolations({ said, lostPower }: Examination, journals: ReadonlyMap<string, RunEvent[]>): string[] {
  const promised = new Map<string, number>();
  for (const event of said.filter((item) => item.kind === "event")) {
    if (!lostPower || barrierTypes.has(event.type as RunEvent["type"])) promised.set(event.runId, event.seq);
  }
  const violations: string[] = [];
  for (const item of said) {
    if (item.kind !== "event" || item.seq > (promised.get(item.runId) ?? -1)) continue;
    const stored = journals.get(item.runId)?.[item.seq];
    if (!stored) violations.push(`acknowledged event ${item.runId}/${item.seq} (${item.type}) is lost`);
    else if (!isDeepStrictEqual(stored, JSON.parse(item.body))) {
      violations.push(`acknowledged event ${item.runId}/${item.seq} (${item.type}) has changed`);
    }
  }
  return violations;
}

/**
 * A tool that is not idempotent writes a line `runId callId` each time it takes effect. No call has two lines, and none has
 * one that the journal did not announce.
 */
function effectViolations(home: string, journals: ReadonlyMap<string, RunEvent[]>): string[] {
  const path = effectsFile(home);
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n").filter(Boolean);
  const violations = lines
    .filter((line, index) => lines.indexOf(line) !== index)
    .map((line) => `tool call ran twice: ${line}`);
  for (const line of lines) {
    const [runId = "", callId = ""] = line.split(" ");
    const announced = journals
      .get(runId)
      ?.some((event) => event.type === "ToolCallRequested" && event.callId === callId);
    if (!announced) violations.push(`tool call took effect before it was in the journal: ${line}`);
  }
  for (const [runId, events] of journals) {
    for (const event of events) {
      if (event.type !== "ToolCallFinished" || event.outcome !== "success" || event.name !== "count") continue;
      if (!lines.includes(`${runId} ${event.callId}`))
        violations.push(`${runId} ${event.callId}: success without effect`);
    }
  }
  return violations;
}

/** Each call of an agent's tool changed the Draft at most once. */
function repeatedWrites(database: DatabaseSync): string[] {
  const repeated = `SELECT run_id, call_id FROM draft_changes WHERE call_id IS NOT NULL
                    GROUP BY draft_id, run_id, call_id, path HAVING count(*) > 1`;
  return rowsOf(database, repeated).map((row) => `tool call wrote twice: ${row["run_id"]} ${row["call_id"]}`);
}

interface ManifestFile {
  readonly path: string;
  readonly sha256: string;
}

function manifestOf(home: string, hash: string): ManifestFile[] {
  const bytes = readFileSync(blobPath(home, hash));
  if (sha256(bytes) !== hash) throw new Error(`manifest ${hash} is damaged`);
  return (JSON.parse(bytes.toString("utf8")) as { files: ManifestFile[] }).files;
}

export function readWorkbenches(database: DatabaseSync, home: string): FoundWorkbench[] {
  return rowsOf(database, "SELECT * FROM workbenches").map((row) => {
    const workbenchId = String(row["id"]);
    const changes = rowsOf(
      database,
      `SELECT path, change, sha256 FROM draft_changes JOIN drafts ON drafts.id = draft_id
       WHERE workbench_id = ? ORDER BY draft_changes.revision`,
      workbenchId,
    );
    const newest = new Map(changes.map((change) => [String(change["path"]), change]));
    const draft = [...newest].filter(([, change]) => change["change"] !== "reverted");
    return {
      workbenchId,
      name: String(row["name"]),
      published: treeOf(join(home, "workbenches", workbenchId, "published")),
      manifest: new Map(manifestOf(home, String(row["manifest_hash"])).map(({ path, sha256 }) => [path, sha256])),
      hasDraft: rowsOf(database, "SELECT id FROM drafts WHERE workbench_id = ?", workbenchId).length > 0,
      draft: new Map(draft.map(([path, change]) => [path, change["sha256"] as string | null])),
      checkpoints: rowsOf(database, "SELECT id FROM checkpoints WHERE workbench_id = ?", workbenchId).length,
      conversation: conversationOf(database, String(row["session_id"])),
      kept: keptBy(database, home, workbenchId),
    };
  });
}

/** From the head back, as the rows say. */
function conversationOf(database: DatabaseSync, sessionId: string): string[] {
  const runs: string[] = [];
  const [head] = rowsOf(database, "SELECT run_id FROM conversation_heads WHERE session_id = ?", sessionId);
  for (let next = head?.["run_id"]; typeof next === "string" && !runs.includes(next);) {
    runs.push(next);
    [next] = rowsOf(database, "SELECT previous_run_id FROM conversation_turns WHERE run_id = ?", next).map(
      (turn) => turn["previous_run_id"],
    );
  }
  return runs;
}

function keptBy(database: DatabaseSync, home: string, workbenchId: string): Map<string, Set<string>> {
  const kept = new Map<string, Set<string>>();
  for (const row of rowsOf(database, "SELECT manifest_hash FROM checkpoints WHERE workbench_id = ?", workbenchId)) {
    for (const { path, sha256 } of manifestOf(home, String(row["manifest_hash"]))) {
      kept.set(path, (kept.get(path) ?? new Set()).add(sha256));
    }
  }
  return kept;
}

/** path → sha256 of every file below a folder. */
export function treeOf(root: string): Map<string, string> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [relative(root, path), entry.isFile() ? sha256(readFileSync(path)) : "not a plain file"];
    }),
  );
}

/** What is published is what the database says, and every blob that anything refers to is there and whole. */
function fileViolations(database: DatabaseSync, home: string): string[] {
  const violations: string[] = [];
  for (const { name, published, manifest } of readWorkbenches(database, home)) {
    violations.push(...differences(manifest, published).map((text) => `published of ${name}: ${text}`));
  }
  const manifests = rowsOf(
    database,
    "SELECT manifest_hash AS h FROM workbenches UNION SELECT manifest_hash FROM checkpoints",
  );
  const referred = new Set(
    rowsOf(database, "SELECT sha256 FROM draft_changes WHERE sha256 IS NOT NULL").map((row) => String(row["sha256"])),
  );
  for (const row of manifests) for (const file of manifestOf(home, String(row["h"]))) referred.add(file.sha256);
  for (const hash of referred) {
    const path = blobPath(home, hash);
    if (!existsSync(path)) violations.push(`blob ${hash} is missing`);
    else if (sha256(readFileSync(path)) !== hash) violations.push(`blob ${hash} is damaged`);
  }
  return violations;
}

/** How a tree differs from what it should be; empty when it does not. */
export function differences(expected: ReadonlyMap<string, unknown>, actual: ReadonlyMap<string, unknown>): string[] {
  const paths = new Set([...expected.keys(), ...actual.keys()]);
  return [...paths].flatMap((path) => {
    if (expected.get(path) === actual.get(path)) return [];
    if (!actual.has(path)) return [`${path} is missing`];
    return [expected.has(path) ? `${path} has other content` : `${path} should not be there`];
  });
}

/** Nothing half-done is left in the home, and no intent in the database. */
function leftovers(database: DatabaseSync, home: string): string[] {
  const intents = rowsOf(database, "SELECT action FROM publish_intents").map(
    (row) => `an intent is left: ${row["action"]}`,
  );
  const deleting = rowsOf(database, "SELECT name FROM workbenches WHERE deleting = 1").map(
    (row) => `${row["name"]} is half deleted`,
  );
  const known = new Set(rowsOf(database, "SELECT id FROM workbenches").map((row) => String(row["id"])));
  const files = readdirSync(home, { recursive: true })
    .map(String)
    .filter((path) => !belongs(path, known));
  return [...intents, ...deleting, ...files.map((path) => `left over: ${path}`)];
}

function belongs(path: string, workbenches: ReadonlySet<string>): boolean {
  if (/^ops\.db(-wal|-shm)?$/.test(path)) return true;
  if (/^blobs(\/temporary|\/[0-9a-f]{2}(\/[0-9a-f]{64})?)?$/.test(path)) return true;
  if (
    /^(bootstrap-token|daemon\.json|daemon\.lock|secrets[^/]*|cache(\/provider-catalogue\.json)?|logs(\/.*)?|reports(\/.*)?|workbenches|models(\/\.installation)?)$/.test(
      path,
    )
  )
    return true;
  const [, id, folder] = /^workbenches\/([^/]+)(?:\/([^/]+))?/.exec(path) ?? [];
  return (
    id !== undefined &&
    workbenches.has(id) &&
    (folder === undefined || folder === "published" || folder === "published.stamps.json")
  );
}

const blobPath = (home: string, hash: string): string => join(home, "blobs", hash.slice(0, 2), hash);
export const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");
