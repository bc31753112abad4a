import { Worker } from "node:worker_threads";
import { BenchtopError, type ErrorCode, type Phase } from "@benchtop/protocol";
import type { JobFailure, JobInput, JobName, JobOutput, JobReply, JobRequest } from "./jobs.ts";

/** What the threads are called in a debugger, and in `node:worker_threads`. */
export const threadName = "benchtop-workbench";

interface Waiting {
  resolve(output: unknown): void;
  reject(error: Error): void;
}

/**
 * One worker thread, started with its first job and ended when it has had none for a while. Work that may block on a disk
 * or take long (trees, hashes, diffs, searches) is done there, so that streams of runs never wait for it.
 */
export class Thread {
  #worker: Worker | undefined;
  #nextId = 1;
  readonly #waiting = new Map<number, Waiting>();
  #idle: NodeJS.Timeout | undefined;

  /**
   * Runs one job; jobs of one thread run in order. Past `timeoutMs` the thread is killed, and this job, with any behind it,
   * rejects with `ETIMEDOUT`: only for threads whose jobs change nothing.
   */
  async run<Name extends JobName>(name: Name, input: JobInput<Name>, timeoutMs?: number): Promise<JobOutput<Name>> {
    clearTimeout(this.#idle);
    const worker = (this.#worker ??= this.#start());
    const id = this.#nextId++;
    const timer =
      timeoutMs === undefined ? undefined : setTimeout(() => void this.#kill(worker, timedOut()), timeoutMs);
    try {
      const output = await new Promise((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        worker.ref();
        worker.postMessage({ id, name, input } satisfies JobRequest, []);
      });
      return output as JobOutput<Name>;
    } finally {
      clearTimeout(timer);
      if (this.#waiting.size === 0) this.#rest();
    }
  }

  /** Ends the thread; jobs that have not finished reject. A later job starts it again. */
  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    if (worker) await this.#kill(worker, new Error("Benchtop is shutting down."));
  }

  #start(): Worker {
    // Descriptors travel between threads here, so the worker must not close at its end what the main thread still reads.
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { trackUnmanagedFds: false, name: threadName });
    worker.unref();
    worker.on("message", (reply: JobReply) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if (this.#waiting.size === 0) worker.unref();
      if ("failure" in reply) waiting?.reject(errorOf(reply.failure));
      else waiting?.resolve(reply.output);
    });
    worker.on("error", (error: Error) => void this.#kill(worker, error));
    worker.on("exit", () => void this.#kill(worker, new Error("The worker thread ended.")));
    return worker;
  }

  async #kill(worker: Worker, error: Error): Promise<void> {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const job of waiting) job.reject(error);
    await worker.terminate();
  }

  #rest(): void {
    this.#idle = setTimeout(() => void this.close(), 30_000).unref();
  }
}

function timedOut(): Error {
  return Object.assign(new Error("It took too long."), { code: "ETIMEDOUT" });
}

function errorOf(failure: JobFailure): Error {
  if (failure.benchtop) {
    return new BenchtopError(failure.benchtop.code as ErrorCode, failure.message, {
      phase: failure.benchtop.phase as Phase,
    });
  }
  const error = new Error(failure.message);
  if (failure.stack !== undefined) error.stack = failure.stack;
  return Object.assign(error, { code: failure.code, path: failure.path });
}
