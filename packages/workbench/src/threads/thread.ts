import { Worker, type ResourceLimits } from "node:worker_threads";
import { BenchtopError, type ErrorCode, type Phase } from "@benchtop/protocol";
import type { JobFailure, JobReply, JobRequest, Jobs, JobTable } from "./jobs.ts";

/** What the threads are called in a debugger, and in `node:worker_threads`. */
export const threadName = "benchtop-workbench";

interface Waiting {
  readonly request: JobRequest;
  readonly timeoutMs: number | undefined;
  timer?: NodeJS.Timeout;
  began?: boolean;
  resolve(output: unknown): void;
  reject(error: Error): void;
}

export interface ThreadOptions {
  readonly script?: URL;
  /** What the jobs may take of memory; one that takes more ends its thread, and rejects with `ERR_WORKER_OUT_OF_MEMORY`. */
  readonly resourceLimits?: ResourceLimits;
}

/**
 * One worker thread, started with its first job and ended when it has had none for a while. Work that may block on a disk
 * or take long (trees, hashes, diffs, searches) is done there, so that streams of runs never wait for it.
 */
export class Thread<Table extends JobTable = Jobs> {
  readonly #script: URL;
  readonly #resourceLimits: ResourceLimits | undefined;
  #worker: Worker | undefined;
  #nextId = 1;
  readonly #waiting = new Map<number, Waiting>();
  #idle: NodeJS.Timeout | undefined;

  /** `script` serves the jobs; by default those that only need what Node has. */
  constructor({ script = new URL("./worker.ts", import.meta.url), resourceLimits }: ThreadOptions = {}) {
    this.#script = script;
    this.#resourceLimits = resourceLimits;
  }

  /**
   * Runs one job; jobs of one thread run in order. One that takes longer than `timeoutMs`, its time in the queue not counted,
   * rejects with `ETIMEDOUT`, and its thread is killed; those behind it go on in a new one. Only for jobs that change nothing.
   */
  async run<Name extends keyof Table & string>(
    name: Name,
    input: Parameters<Table[Name]>[0],
    timeoutMs?: number,
  ): Promise<Awaited<ReturnType<Table[Name]>>> {
    clearTimeout(this.#idle);
    const request: JobRequest = { id: this.#nextId++, name, input };
    try {
      const output = await new Promise((resolve, reject) => {
        this.#waiting.set(request.id, { request, timeoutMs, resolve, reject });
        this.#post(request);
      });
      return output as Awaited<ReturnType<Table[Name]>>;
    } finally {
      if (this.#waiting.size === 0) this.#idle = setTimeout(() => void this.close(), idleMs).unref();
    }
  }

  /** Ends the thread; jobs that have not finished reject. A later job starts it again. */
  async close(): Promise<void> {
    clearTimeout(this.#idle);
    await this.#end(new Error("Benchtop is shutting down."));
  }

  #post(request: JobRequest): void {
    this.#worker ??= this.#start();
    this.#worker.ref();
    this.#worker.postMessage(request, []);
  }

  #start(): Worker {
    // Descriptors travel between threads here, so the worker must not close at its end what the main thread still reads.
    const limits = this.#resourceLimits;
    const options = { trackUnmanagedFds: false, name: threadName, ...(limits && { resourceLimits: limits }) };
    const worker = new Worker(this.#script, options);
    const lost = (error: Error): void => {
      if (this.#worker === worker) this.#lose(error);
    };
    worker.on("message", (reply: JobReply) => {
      const job = this.#waiting.get(reply.id);
      if (!job || this.#worker !== worker) return;
      if ("began" in reply) this.#limit(job);
      else this.#finish(worker, job, reply);
    });
    worker.on("error", lost);
    worker.on("exit", () => lost(new Error("The worker thread ended.")));
    return worker;
  }

  #limit(job: Waiting): void {
    job.began = true;
    if (job.timeoutMs !== undefined) job.timer = setTimeout(() => void this.#abandon(job), job.timeoutMs);
  }

  #finish(worker: Worker, job: Waiting, reply: Exclude<JobReply, { began: true }>): void {
    clearTimeout(job.timer);
    this.#waiting.delete(job.request.id);
    if (this.#waiting.size === 0) worker.unref();
    if ("failure" in reply) job.reject(errorOf(reply.failure));
    else job.resolve(reply.output);
  }

  async #abandon(job: Waiting): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#waiting.delete(job.request.id);
    job.reject(Object.assign(new Error("It took too long."), { code: "ETIMEDOUT" }));
    for (const { request } of this.#waiting.values()) this.#post(request);
    await worker?.terminate();
  }

  /** The thread ended by itself. The job that it was at is to blame; those behind it go on in a new one. */
  #lose(error: Error): void {
    const blamed = [...this.#waiting.values()].filter((job) => job.began);
    // A thread that does not even begin would be started for ever.
    if (blamed.length === 0) return void this.#end(error);
    this.#worker = undefined;
    for (const job of blamed) {
      clearTimeout(job.timer);
      this.#waiting.delete(job.request.id);
      job.reject(error);
    }
    for (const { request } of this.#waiting.values()) this.#post(request);
  }

  async #end(error: Error): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    const jobs = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const job of jobs) {
      clearTimeout(job.timer);
      job.reject(error);
    }
    await worker?.terminate();
  }
}

const idleMs = 30_000;

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
