import { Worker } from "node:worker_threads";
import type { Json } from "@benchtop/protocol";

/** Work whose duration whoever wrote the suite, or the model, decides: a pattern or a schema on a text. */
export type TimedCheck =
  | { readonly kind: "regex"; readonly pattern: string; readonly flags: string; readonly text: string }
  | { readonly kind: "schema"; readonly schema: { readonly [keyword: string]: Json }; readonly value: Json };

export type TimedReply =
  | { readonly began: true }
  | { readonly matches: boolean; readonly problems: readonly string[] }
  | { readonly failure: string };

export type TimedResult =
  | { readonly matches: boolean; readonly problems: readonly string[] }
  | { readonly failure: string };

/**
 * Does such checks in a thread of its own and kills it when one takes longer than it may, so that a catastrophic pattern costs
 * a second and no more. One check at a time. The thread starts with the first check; `close()` ends it.
 */
export class TimedChecks {
  readonly #timeoutMs: number;
  #worker: Worker | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(timeoutMs = 1000) {
    this.#timeoutMs = timeoutMs;
  }

  check(job: TimedCheck): Promise<TimedResult> {
    const turn = this.#last.then(() => this.#run(job));
    this.#last = turn;
    return turn;
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#end();
  }

  async #run(job: TimedCheck): Promise<TimedResult> {
    const worker = (this.#worker ??= startWorker());
    worker.ref();
    let timer: NodeJS.Timeout | undefined;
    const { promise: result, resolve: settle } = Promise.withResolvers<TimedResult>();
    const onMessage = (reply: TimedReply): void => {
      if (!("began" in reply)) return settle(reply);
      timer = setTimeout(() => {
        settle({ failure: `It took longer than ${this.#timeoutMs} ms.` });
        void this.#end();
      }, this.#timeoutMs);
    };
    const onError = (error: Error): void => {
      settle({ failure: `The check failed (${error.name}).` });
      void this.#end();
    };
    worker.on("message", onMessage);
    worker.once("error", onError);
    worker.postMessage(job, []);
    try {
      return await result;
    } finally {
      clearTimeout(timer);
      worker.off("message", onMessage);
      worker.off("error", onError);
      worker.unref();
    }
  }

  async #end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}

function startWorker(): Worker {
  const worker = new Worker(new URL("./timed-check-worker.ts", import.meta.url), {
    name: "benchtop-evals",
    resourceLimits: { maxOldGenerationSizeMb: 256 },
  });
  // A worker that dies while nobody waits is replaced with the next check.
  worker.on("error", () => {});
  return worker;
}
