import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { operations } from "../packages/operations/src/index.ts";
import { RpcPeer, type RpcAnswer } from "../packages/server/test/rpc-peer.ts";
import { startTestDaemon, type TestDaemon } from "../packages/server/test/test-daemon.ts";
import { startModelServer, type ModelServer } from "./model-server.ts";

/**
 * The contract table of the calls that a surface of another maker may rely on: name, parameters and result of each, in
 * snake_case, over every carrier of JSON-RPC, against a real daemon.
 */

interface Known {
  readonly workbench_id: string;
  readonly sha256: string;
  readonly model: string;
  readonly scope_hash: string;
  readonly run_id: string;
  readonly checkpoint_id: string;
  readonly folder: string;
}

interface Learnt {
  readonly workbench_id: string;
  readonly run_id: string;
  readonly workshop: { readonly scope_hash: string };
  readonly items: readonly { readonly checkpoint_id: string }[];
}

interface Row {
  readonly method: string;
  readonly params: (known: Known) => Record<string, unknown>;
  /** The names of the result, all of them. */
  readonly result: readonly string[];
  /** And what is in it. */
  readonly holds?: (known: Known) => Record<string, unknown>;
  /** What later rows need of it. */
  readonly learn?: (result: Learnt) => Partial<Known>;
}

const bench = ({ workbench_id }: Known) => ({ workbench_id });
const workbench = [
  "workbench_id",
  "name",
  "file_count",
  "total_bytes",
  "manifest_hash",
  "has_draft",
  "created_at",
  "updated_at",
  "published_dir",
  "session_id",
  "memory",
];
const draft = [
  "exists",
  "draft_id",
  "base_manifest_hash",
  "revision",
  "counts",
  "unconfirmed_deletions",
  "created_at",
  "updated_at",
  "stale",
];
const checkpoint = [
  "checkpoint_id",
  "workbench_id",
  "reason",
  "message",
  "manifest_hash",
  "file_count",
  "total_bytes",
  "run_id",
  "created_at",
];
const transition = ["run_id", "status", "checkpoint_id", "counts"];
const task = "make the totals consistent and add a summary.md";

/** In the order in which a person comes to need them. */
const table: readonly Row[] = [
  {
    method: "WorkbenchCreate",
    params: () => ({ name: "budget" }),
    result: workbench,
    learn: ({ workbench_id }) => ({ workbench_id }),
  },
  { method: "WorkbenchOpen", params: bench, result: workbench, holds: () => ({ name: "budget", file_count: 0 }) },
  { method: "WorkbenchList", params: () => ({}), result: ["items", "next_cursor"] },
  {
    method: "WorkbenchRename",
    params: ({ workbench_id }) => ({ workbench_id, name: "budget 2026" }),
    result: workbench,
    holds: () => ({ name: "budget 2026" }),
  },
  {
    method: "WorkbenchFilesAdd",
    params: ({ workbench_id, sha256 }) => ({
      workbench_id,
      uploads: ["data.csv", "old.txt", "gone.txt"].map((path) => ({ path, sha256 })),
    }),
    result: ["added"],
    holds: ({ sha256 }) => ({
      added: expect.arrayContaining([
        expect.objectContaining({ path: "data.csv", sha256, media_type: "text/csv", opaque: false }),
      ]) as unknown,
    }),
  },
  { method: "WorkbenchFilesList", params: bench, result: ["items", "next_cursor"] },
  {
    method: "WorkbenchFilesRemove",
    params: ({ workbench_id }) => ({ workbench_id, workbench_paths: ["gone.txt"] }),
    result: ["remove_results"],
    holds: () => ({ remove_results: [{ path: "gone.txt", outcome: "done" }] }),
  },
  {
    method: "WorkbenchFilesExtract",
    params: ({ workbench_id, folder }) => ({ workbench_id, destination_dir: folder, workbench_paths: ["data.csv"] }),
    result: ["extract_results"],
    holds: () => ({ extract_results: [{ path: "data.csv", outcome: "done" }] }),
  },
  {
    method: "EgressGetConsentStatus",
    params: ({ workbench_id }) => ({ workbench_id, model: "far/large" }),
    result: ["workshop"],
    holds: () => ({ workshop: { required: true, consented: false, provider_id: "far", model_id: "large" } }),
    learn: ({ workshop }) => ({ scope_hash: workshop.scope_hash }),
  },
  {
    method: "EgressGrantWorkshopConsent",
    params: ({ workbench_id, scope_hash }) => ({
      workbench_id,
      provider_id: "far",
      model_id: "large",
      scope_hash,
      persist: true,
    }),
    result: [],
  },
  {
    method: "EgressGetConsentStatus",
    params: ({ workbench_id }) => ({ workbench_id, model: "far/large" }),
    result: ["workshop"],
    holds: ({ scope_hash }) => ({ workshop: { consented: true, persisted: true, scope_hash } }),
  },
  {
    method: "WorkshopRunAgent",
    params: ({ workbench_id, model }) => ({ workbench_id, model, task, contract: { max_steps: 20 } }),
    result: ["run_id", "trace_id", "session_id"],
    learn: ({ run_id }) => ({ run_id }),
  },
  {
    method: "EgressGetConsentStatus",
    params: bench,
    result: ["workshop"],
    holds: ({ model }) => ({ workshop: { required: false, consented: true, model_id: model.split("/")[1] } }),
  },
  { method: "EgressListEvents", params: bench, result: ["items", "next_cursor"] },
  {
    method: "ReviewGetChangeSet",
    params: bench,
    result: ["draft", "changes", "draft_summary"],
    holds: () => ({
      draft: { exists: true },
      changes: expect.arrayContaining([
        expect.objectContaining({ path: "summary.md", change: "added", sha256_before: null }),
      ]) as unknown,
    }),
  },
  {
    method: "ReviewGetTextDiff",
    params: ({ workbench_id }) => ({ workbench_id, path: "summary.md", context_lines: 1 }),
    result: [
      "path",
      "change",
      "view",
      "hunks",
      "lines_added",
      "lines_removed",
      "truncated",
      "old_line_count",
      "new_line_count",
      "warnings",
    ],
  },
  { method: "DraftGetState", params: bench, result: draft, holds: () => ({ exists: true, unconfirmed_deletions: [] }) },
  { method: "DraftPublish", params: bench, result: transition, holds: () => ({ status: "success" }) },
  {
    method: "CheckpointsCreate",
    params: ({ workbench_id }) => ({ workbench_id, message: "before the summer" }),
    result: checkpoint,
    holds: () => ({ reason: "manual", message: "before the summer" }),
  },
  {
    method: "CheckpointsList",
    params: bench,
    result: ["items", "next_cursor"],
    learn: ({ items }) => ({ checkpoint_id: items.at(-1)!.checkpoint_id }),
  },
  {
    method: "CheckpointsRestore",
    params: ({ workbench_id, checkpoint_id }) => ({ workbench_id, checkpoint_id }),
    result: transition,
    holds: () => ({ status: "success" }),
  },
  {
    method: "WorkshopRunAgent",
    params: ({ workbench_id, model }) => ({ workbench_id, model, task: "delete old.txt" }),
    result: ["run_id", "trace_id", "session_id"],
    learn: ({ run_id }) => ({ run_id }),
  },
  {
    method: "WorkshopUndoToMessage",
    params: ({ workbench_id, run_id }) => ({ workbench_id, run_id }),
    result: ["run_id", "removed", "message", "draft"],
    holds: ({ run_id }) => ({ removed: [run_id], message: "delete old.txt", draft: { exists: false } }),
  },
  {
    method: "WorkshopSwitchModel",
    params: ({ workbench_id, model }) => ({ workbench_id, model: `${model}-mini` }),
    result: ["run_id", "model", "previous"],
    holds: ({ model }) => ({ model: `${model}-mini` }),
  },
  {
    method: "WorkshopSendUserMessage",
    params: ({ workbench_id }) => ({ workbench_id, message: "delete old.txt" }),
    result: ["run_id", "trace_id", "session_id"],
    learn: ({ run_id }) => ({ run_id }),
  },
  {
    method: "WorkshopRegenerate",
    params: ({ workbench_id, run_id, model }) => ({ workbench_id, turn_run_id: run_id, model }),
    result: ["run_id", "trace_id", "session_id"],
    learn: ({ run_id }) => ({ run_id }),
  },
  {
    method: "WorkshopRunAgent",
    params: ({ workbench_id, model }) => ({ workbench_id, model, task: "delete old.txt" }),
    result: ["run_id", "trace_id", "session_id"],
    learn: ({ run_id }) => ({ run_id }),
  },
  {
    method: "DraftConfirmDeletions",
    params: ({ workbench_id }) => ({ workbench_id, paths: ["old.txt"] }),
    result: draft,
    holds: () => ({ counts: { deleted: 1 }, unconfirmed_deletions: [] }),
  },
  { method: "DraftDiscard", params: bench, result: ["discarded"], holds: () => ({ discarded: true }) },
  { method: "ReviewGetChangeSet", params: bench, result: ["draft", "changes"], holds: () => ({ changes: [] }) },
  { method: "WorkbenchDelete", params: bench, result: [] },
];

let daemon: TestDaemon;
let models: ModelServer;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-contract-"));
  models = await startModelServer();
  daemon = await startTestDaemon();
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await models.close();
  await rm(folder, { recursive: true, force: true });
});

type Ask = (method: string, params: Record<string, unknown>) => Promise<RpcAnswer>;

async function overPost(): Promise<{ ask: Ask; close(): Promise<void> }> {
  return {
    ask: async (method, params) => {
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
      return (await (await daemon.fetch("/rpc", { method: "POST", headers, body })).json()) as RpcAnswer;
    },
    close: async () => undefined,
  };
}

async function overWebSocket(): Promise<{ ask: Ask; close(): Promise<void> }> {
  const peer = await RpcPeer.open(daemon);
  return { ask: (method, params) => peer.ask(method, params), close: () => peer[Symbol.asyncDispose]() };
}

async function overStdio(): Promise<{ ask: Ask; close(): Promise<void> }> {
  const main = resolve(import.meta.dirname, "../apps/cli/src/main.ts");
  const child = spawn(process.execPath, [main, "rpc", "--stdio"], {
    env: { ...process.env, BENCHTOP_HOME: folder, BENCHTOP_URL: daemon.url, BENCHTOP_TOKEN: daemon.token },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value as string) as RpcAnswer & { readonly method?: string };
  return {
    ask: async (method, params) => {
      child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })}\n`);
      let answer = await next();
      // Progress comes before the answer.
      while (answer.method !== undefined) answer = await next();
      return answer;
    },
    close: async () => {
      const exited = once(child, "exit");
      child.stdin.end();
      expect((await exited)[0]).toBe(0);
    },
  };
}

const carriers = { POST: overPost, WebSocket: overWebSocket, stdio: overStdio };

describe.each(Object.entries(carriers))("S12 over %s", (_, open) => {
  test("every method of the table takes and answers what it says", { timeout: 60_000 }, async () => {
    const carrier = await open();
    const answer = async (method: string, params: Record<string, unknown>) => {
      const { result, error } = await carrier.ask(method, params);
      if (error !== undefined) throw new Error(`${method}: ${error.data.error_code} ${error.message}`);
      return result as Record<string, string> & Learnt;
    };
    await answer("ProvidersAdd", { name: "loop", kind: "openai-chat", base_url: models.url, local: true });
    await answer("ProvidersAdd", { name: "far", kind: "openai-chat", base_url: "https://models.example/v1" });
    const content = Buffer.from("item,amount\nrent,700\nfood,300\ntotal,900\n").toString("base64");
    const { sha256 } = await answer("FilesUpload", { content });
    const destination = await mkdtemp(join(folder, "extracted-"));
    let known = { sha256, model: "loop/gpt-5.2", folder: destination } as unknown as Known;
    for (const row of table) {
      const result = await answer(row.method, row.params(known));
      expect([row.method, Object.keys(result).toSorted()]).toEqual([row.method, row.result.toSorted()]);
      for (const name of namesIn(result))
        expect([row.method, name]).toEqual([row.method, expect.stringMatching(snakeCase)]);
      expect(result).toMatchObject(row.holds?.(known) ?? {});
      known = { ...known, ...row.learn?.(result) };
      if (row.result.includes("trace_id")) await runEnded(answer, known.run_id);
    }
    expect(await readFile(join(destination, "data.csv"), "utf8")).toContain("rent,700");
    await carrier.close();
  });
});

test("S12 whatever the table names is there", () => {
  const there = new Set(Object.values(operations).map(({ rpc }) => rpc as string));
  for (const { method } of table) expect(there).toContain(method);
});

const snakeCase = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/;

function namesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(namesIn);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...namesIn(inner)]);
}

async function runEnded(
  answer: (method: string, params: Record<string, unknown>) => Promise<Record<string, unknown>>,
  runId: string,
): Promise<void> {
  for (;;) {
    const { status } = await answer("RunsGet", { run_id: runId });
    if (status !== "pending") return;
    await new Promise((done) => setTimeout(done, 20));
  }
}
