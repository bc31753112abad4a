import { newId, newTraceId, type Attachment, type Contract, type Json, type RunInit } from "@benchtop/protocol";
import type { Harness } from "../harness/harness.ts";
import { formatModelRef } from "../model/model.ts";
import type { Session } from "../session/session.ts";
import type { RunHandle } from "./scope.ts";
import { startRun } from "./start-run.ts";
import { round } from "./totals.ts";

/** One run in the making. */
export class RunBuilder {
  readonly #harness: Harness;
  readonly #session: Session;
  readonly #input: string;
  readonly #askedAt = performance.now();
  #runId: string | undefined;
  #contract: Contract = {};
  #signal: AbortSignal | undefined;
  #attachments: readonly Attachment[] = [];

  constructor(harness: Harness, session: Session, input: string) {
    this.#harness = harness;
    this.#session = session;
    this.#input = input;
  }

  /** An id of the caller's; a second run of the same id is refused. */
  id(runId: string): this {
    this.#runId = runId;
    return this;
  }

  /** Ceilings of this run; what is absent comes from the session, the harness, and then the defaults. */
  contract(contract: Contract): this {
    this.#contract = contract;
    return this;
  }

  /** Images and files that the model is shown beside the input. */
  attach(...attachments: readonly Attachment[]): this {
    this.#attachments = [...this.#attachments, ...attachments];
    return this;
  }

  /** Aborting it cancels the run. */
  signal(signal: AbortSignal): this {
    this.#signal = signal;
    return this;
  }

  /** Starts the run; resolves once `RunStarted` is in the journal. Rejects with `RUN_REPLAYED` when the id is taken. */
  start(): Promise<RunHandle> {
    return this.#session.inTurn(() => {
      const body = this.#session.program(this.#input, this.#attachments);
      return startRun(this.#harness.journal, this.#init(), body, this.#signal);
    });
  }

  #init(): RunInit {
    const { config, id, model } = this.#session;
    return {
      runId: this.#runId ?? newId("run"),
      traceId: newTraceId(),
      kind: this.#harness.tools.specs.length > 0 ? "agent" : "prompt",
      userId: config.userId ?? "local",
      sessionId: id,
      model: formatModelRef(model),
      contract: { ...this.#harness.contract, ...config.contract, ...this.#contract },
      input: promptInput(this.#input, this.#attachments),
      queuedMs: round(performance.now() - this.#askedAt),
    };
  }
}

/** What a run of a session is asked, as its journal has it. */
export function promptInput(prompt: string, attachments: readonly Attachment[]): Json {
  return { prompt, ...(attachments.length > 0 && { attachments: attachments.map((one) => ({ ...one })) }) } as Json;
}
