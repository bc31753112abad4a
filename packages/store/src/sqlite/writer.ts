import { Worker } from "node:worker_threads";
import { BenchtopError } from "@benchtop/protocol/errors";
import { Gate } from "./gate.ts";
import { errorOf } from "./failure.ts";
import type { Reply, Request, RequestKind, Requests } from "./messages.ts";

const workerFile = new URL("./worker.ts", import.meta.url);

interface Pending {
  readonly resolve: (output: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The main thread's end of the thread that writes: sends requests in order, hands each answer to its caller. */
export class SqliteWriter {
  /** Transactions hold it for themselves; everything else passes between them. */
  readonly gate = new Gate();
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #ended: Error | undefined;

  static async open(path: string): Promise<SqliteWriter> {
    // The thread inherits the flags of the process; those of a program given by `--eval` are refused for a file.
    const isEval = process.execArgv.some((flag) => flag.startsWith("--input-type"));
    const flags = isEval ? { execArgv: [] } : {};
    const worker = new Worker(workerFile, { workerData: { path }, name: "benchtop-sqlite", ...flags });
    const writer = new SqliteWriter(worker);
    try {
      await writer.#opened();
    } catch (error) {
      throw cannotOpen(path, (error as Error).cause ?? error);
    }
    return writer;
  }

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", (reply: Reply) => {
      const pending = this.#pending.get(reply.id);
      this.#pending.delete(reply.id);
      if ("failure" in reply) pending?.reject(errorOf(reply.failure));
      else pending?.resolve(reply.output);
    });
    worker.on("error", (error) => this.#end(error));
    worker.on("exit", () => this.#end());
  }

  request<Kind extends RequestKind>(kind: Kind, input: Requests[Kind]["input"]): Promise<Requests[Kind]["output"]> {
    const id = ++this.#lastId;
    const request: Request = { id, kind, input };
    return this.#answerTo(id, () => this.#worker.postMessage(request, [])) as Promise<Requests[Kind]["output"]>;
  }

  /** Waits for what was asked before, checkpoints and ends the thread. */
  async close(): Promise<void> {
    if (this.#ended) return;
    const release = await this.gate.exclusive();
    try {
      const exited = new Promise((resolve) => this.#worker.once("exit", resolve));
      await this.request("close", null);
      await exited;
    } finally {
      release();
    }
  }

  /** The thread says hello (id 0) once the database is open. */
  #opened(): Promise<unknown> {
    return this.#answerTo(0, () => undefined);
  }

  #answerTo(id: number, send: () => void): Promise<unknown> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      send();
    });
  }

  #end(cause?: unknown): void {
    this.#ended ??= new Error("The database thread has ended, so nothing can be saved any more. Restart Benchtop.", {
      cause,
    });
    for (const pending of this.#pending.values()) pending.reject(this.#ended);
    this.#pending.clear();
  }
}

function cannotOpen(path: string, cause: unknown): BenchtopError {
  const known = BenchtopError.from(cause);
  if (known.code === "DISK_FULL") return known;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new BenchtopError("FILE_READ_FAILED", `The database ${path} cannot be opened: ${reason}.`, {
    phase: "settings",
    cause,
  });
}
