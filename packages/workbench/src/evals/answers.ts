import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { createHash, randomUUID } from "node:crypto";
import { join } from "node:path";
import type { CaseResult, EvalCache } from "@benchtop/harness/evals";
import { callerIdPattern, firstWorkspaceId } from "@benchtop/protocol";
import type { Store } from "@benchtop/store";
import { codeOf } from "../path/folder.ts";
import { journalOf } from "../workshop/conversation/journals.ts";

const maxEntries = 50_000;

/**
 * Answers to questions that evaluations of a workspace asked before. A file for each question names the run that answered it, nothing more:
 * the answer itself is read from that run's journal, so a run that is deleted is asked again. The files are no record of
 * anything and may be deleted at any time.
 */
export class KeptAnswers implements EvalCache {
  readonly #store: Store;
  readonly #folder: string;
  readonly #workspaceId: string;
  readonly #reads: boolean;

  /** `reads` false: everything is asked anew, and kept for later. */
  constructor(options: { store: Store; home: string; workspaceId: string; reads: boolean }) {
    this.#store = options.store;
    this.#folder = join(options.home, "cache", "evals");
    this.#workspaceId = options.workspaceId;
    this.#reads = options.reads;
  }

  async get(key: string): Promise<CaseResult | undefined> {
    const runId = this.#reads ? await this.#runOf(key) : undefined;
    if (runId === undefined) return undefined;
    const run = await this.#store.ledger.get(runId);
    if (run?.status !== "success" || run.workspaceId !== this.#workspaceId) return undefined;
    const [completed] = await journalOf(this.#store, runId, ["Completed"]);
    if (completed?.type !== "Completed") return undefined;
    const { output, finishReason, totals } = completed;
    return {
      output,
      finishReason,
      usage: totals.usage,
      ...(totals.costMicros !== undefined && { costMicros: totals.costMicros }),
      durationMs: totals.durationMs,
      ...(totals.firstTokenMs !== undefined && { firstTokenMs: totals.firstTokenMs }),
      runId,
    };
  }

  /** Nothing to do: the run was noted when it was started. */
  async set(): Promise<void> {
    await Promise.resolve();
  }

  /** Remembers which run answers a question. */
  async note(key: string, runId: string): Promise<void> {
    const path = this.#pathOf(key);
    const temporary = `${path}.${randomUUID()}`;
    try {
      await mkdir(join(path, ".."), { recursive: true, mode: 0o700 });
      await writeFile(temporary, runId, { mode: 0o600 });
      await rename(temporary, path);
    } catch {
      // Without the note the question is asked again, which costs money and loses nothing.
      await rm(temporary, { force: true });
    }
  }

  /** Forgets the oldest questions when there are very many. */
  async prune(): Promise<void> {
    const files = await this.#files();
    if (files.length <= maxEntries) return;
    const dated = await Promise.all(files.map(async (path) => ({ path, at: await timeOf(path) })));
    dated.sort((left, right) => left.at - right.at);
    for (const { path } of dated.slice(0, files.length - Math.floor(maxEntries * 0.8))) await rm(path, { force: true });
  }

  async #runOf(key: string): Promise<string | undefined> {
    try {
      const runId = (await readFile(this.#pathOf(key), "utf8")).trim();
      return callerIdPattern.test(runId) ? runId : undefined;
    } catch (thrown) {
      if (codeOf(thrown) === "ENOENT") return undefined;
      throw thrown;
    }
  }

  /** The same question is another one in each workspace; those of the first are named as before there were others. */
  #pathOf(key: string): string {
    const name = this.#workspaceId === firstWorkspaceId ? key : hashOf(`${this.#workspaceId} ${key}`);
    return join(this.#folder, name.slice(0, 2), name);
  }

  async #files(): Promise<string[]> {
    try {
      const entries = await readdir(this.#folder, { recursive: true, withFileTypes: true });
      return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    } catch (thrown) {
      if (codeOf(thrown) === "ENOENT") return [];
      throw thrown;
    }
  }
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** 0 for a file that is gone already. */
async function timeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return 0;
    throw thrown;
  }
}
