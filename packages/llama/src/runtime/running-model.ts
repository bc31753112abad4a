import type { ChildProcess } from "node:child_process";
import type { Duplex } from "node:stream";
import { BenchtopError } from "@benchtop/protocol/errors";
import { checkChat, checkCompletion, checkText, checkTexts } from "./check-request.ts";
import { encodeFrame, FrameReader } from "./frames.ts";
import type {
  LlamaChatRequest,
  LlamaCompletionRequest,
  LlamaModel,
  LlamaModelFacts,
  LlamaModelState,
  LlamaPart,
} from "./llama-model.ts";
import { patience } from "./limits.ts";
import { PartStream } from "./part-stream.ts";
import { endedBy, LastWords } from "./process-end.ts";
import { readReply, type Order, type Reply } from "./process-messages.ts";
import { Watchdog, type WatchdogLimits } from "./watchdog.ts";

export type ProcessEnd = Awaited<LlamaModel["exited"]>;

/** A question to the process, from when it is asked until the process has said that it is done with it. */
interface Job {
  readonly order: Exclude<Order, { type: "load" | "abort" }>;
  readonly onReply: (reply: Reply) => void;
  readonly onFailure: (error: unknown) => void;
}

/** The daemon's side of a process with a model. Made by `startLlamaModel`. */
export class RunningModel implements LlamaModel {
  readonly pid: number;
  readonly exited: Promise<ProcessEnd>;
  readonly loaded: Promise<void>;
  readonly #child: ChildProcess;
  readonly #channel: Duplex;
  readonly #parallel: number;
  #watchdog: Watchdog;
  readonly #patience: WatchdogLimits;
  readonly #words = new LastWords();
  readonly #load = Promise.withResolvers<void>();
  readonly #running = new Map<number, Job>();
  readonly #waiting = new Map<number, Job>();
  #facts: LlamaModelFacts | undefined;
  #memoryBytes = 0;
  #lastId = 0;
  #over: BenchtopError | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    child: ChildProcess,
    channel: Duplex,
    options: { readonly parallel: number; readonly patience: WatchdogLimits },
  ) {
    this.#child = child;
    this.#channel = channel;
    this.#parallel = options.parallel;
    this.pid = child.pid ?? 0;
    this.loaded = this.#load.promise;
    // Whoever waits for it is told; that nobody may is no defect.
    this.loaded.catch(() => undefined);
    this.#patience = options.patience;
    this.#watchdog = this.#watchdogOf({ ...options.patience, stalledMs: patience.loadingMs });
    this.exited = this.#follow();
    this.#watchdog.watch();
  }

  get facts(): LlamaModelFacts {
    if (!this.#facts) throw new Error("The model is not loaded yet.");
    return this.#facts;
  }

  get state(): LlamaModelState {
    return { busy: this.#generating, waiting: this.#waiting.size, memoryBytes: this.#memoryBytes };
  }

  send(order: Order): void {
    this.#channel.write(encodeFrame(order));
  }

  chat(request: LlamaChatRequest, signal: AbortSignal): AsyncGenerator<readonly LlamaPart[]> {
    return this.#generate((id) => {
      checkChat(request, this.facts.contextTokens);
      return { type: "chat", id, request };
    }, signal);
  }

  complete(request: LlamaCompletionRequest, signal: AbortSignal): AsyncGenerator<readonly LlamaPart[]> {
    return this.#generate((id) => {
      checkCompletion(request, this.facts.contextTokens);
      return { type: "complete", id, request };
    }, signal);
  }

  async embed(
    texts: readonly string[],
    signal: AbortSignal,
  ): Promise<{ vectors: Float32Array[]; inputTokens: number }> {
    signal.throwIfAborted();
    checkTexts(texts, this.facts.contextTokens);
    if (texts.length === 0) return { vectors: [], inputTokens: 0 };
    const vectors: Float32Array[] = [];
    const inputTokens = await this.#ask(
      (id) => ({ type: "embed", id, texts }),
      (reply) => {
        if (reply.type === "vector") vectors.push(reply.vector);
      },
      signal,
    );
    if (vectors.length !== texts.length) throw new Error("The process with the model left out a text.");
    return { vectors, inputTokens };
  }

  async tokenize(text: string): Promise<number[]> {
    checkText(text.length);
    let tokens: number[] = [];
    await this.#ask(
      (id) => ({ type: "tokenize", id, text }),
      (reply) => {
        if (reply.type === "tokens") ({ tokens } = reply);
      },
    );
    return tokens;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #watchdogOf(limits: WatchdogLimits): Watchdog {
    return new Watchdog(limits, (why) => this.#kill(unresponsive(why, limits)));
  }

  /** Ends everything with an error, and the process with it. */
  #kill(error: BenchtopError): void {
    this.#end(error);
    this.#child.kill("SIGKILL");
  }

  async #close(): Promise<void> {
    this.#end(new BenchtopError("USER_CANCELED", "The model was unloaded."));
    this.#child.kill("SIGTERM");
    const killing = setTimeout(() => this.#child.kill("SIGKILL"), patience.closeMs);
    await this.exited;
    clearTimeout(killing);
  }

  async *#generate(orderOf: (id: number) => Job["order"], signal: AbortSignal): AsyncGenerator<readonly LlamaPart[]> {
    signal.throwIfAborted();
    const stream = new PartStream();
    const order = orderOf(++this.#lastId);
    const abort = (): void => {
      stream.abort(signal.reason);
      this.#leave(order.id);
    };
    signal.addEventListener("abort", abort, { once: true });
    try {
      this.#enter({
        order,
        onReply: (reply) => {
          if (reply.type === "parts") stream.push(reply.parts);
          else if (reply.type === "ended") stream.end();
        },
        onFailure: (error) => stream.fail(error),
      });
      for (let batch = await stream.next(); batch !== undefined; batch = await stream.next()) yield batch;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#leave(order.id);
    }
  }

  async #ask(
    orderOf: (id: number) => Job["order"],
    onReply: (reply: Reply) => void,
    signal?: AbortSignal,
  ): Promise<number> {
    const order = orderOf(++this.#lastId);
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const abort = (): void => {
      reject(signal?.reason as Error);
      this.#leave(order.id);
    };
    signal?.addEventListener("abort", abort, { once: true });
    this.#enter({
      order,
      onReply: (reply) => {
        if (reply.type === "ended") resolve(reply.inputTokens ?? 0);
        else onReply(reply);
      },
      onFailure: reject,
    });
    try {
      return await promise;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  #enter(job: Job): void {
    if (this.#over) {
      job.onFailure(this.#over);
      return;
    }
    this.#waiting.set(job.order.id, job);
    this.#admit();
  }

  /** Sends what there is room for, in order. Tokens are counted beside everything else. */
  #admit(): void {
    for (const [id, job] of this.#waiting) {
      if (job.order.type !== "tokenize" && this.#generating >= this.#parallel) continue;
      this.#waiting.delete(id);
      this.#running.set(id, job);
      this.send(job.order);
      this.#watchdog.watch();
    }
  }

  get #generating(): number {
    let count = 0;
    for (const { order } of this.#running.values()) if (order.type !== "tokenize") count += 1;
    return count;
  }

  /** Nobody waits for it any more. Its place is free once the process says so. */
  #leave(id: number): void {
    if (this.#waiting.delete(id)) return;
    if (this.#running.has(id) && !this.#over) this.send({ type: "abort", id });
  }

  #take(reply: Reply): void {
    this.#watchdog.hear(reply.type === "beat" ? reply.progress : undefined);
    switch (reply.type) {
      case "loaded":
        this.#facts = reply.facts;
        this.#memoryBytes = reply.facts.memoryBytes;
        this.#watchdog.rest();
        this.#watchdog = this.#watchdogOf(this.#patience);
        this.#load.resolve();
        break;
      case "not-loaded":
        this.#kill(BenchtopError.of(reply.failure));
        break;
      case "beat":
        this.#memoryBytes = reply.memoryBytes;
        break;
      case "ended": {
        const job = this.#running.get(reply.id);
        this.#running.delete(reply.id);
        this.#memoryBytes = reply.memoryBytes;
        if (reply.failure) job?.onFailure(BenchtopError.of(reply.failure));
        else job?.onReply(reply);
        this.#admit();
        this.#rest();
        break;
      }
      default:
        this.#running.get(reply.id)?.onReply(reply);
    }
  }

  #rest(): void {
    if (this.#running.size === 0) this.#watchdog.rest();
  }

  /** Listens until the process is gone. */
  async #follow(): Promise<ProcessEnd> {
    const reader = new FrameReader();
    this.#channel.on("data", (chunk: Buffer) => {
      if (this.#over) return;
      try {
        for (const frame of reader.push(chunk)) this.#take(readReply(frame));
      } catch (cause) {
        this.#kill(
          new BenchtopError("PROVIDER_UNAVAILABLE", "The process with the model went wrong. Try again.", { cause }),
        );
      }
    });
    // A pipe that breaks is told by the end of the process.
    this.#channel.on("error", () => undefined);
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#words.hear(text));
    const end = await ended(this.#child);
    this.#end(endedBy(end.code, end.signal, this.#words));
    this.#channel.destroy();
    return end;
  }

  /** Everything that is going or waiting fails with it, and whatever is asked from now on; the first reason stays. */
  #end(error: BenchtopError): void {
    if (this.#over) return;
    this.#over = error;
    this.#watchdog.rest();
    this.#load.reject(error);
    const jobs = [...this.#running.values(), ...this.#waiting.values()];
    this.#running.clear();
    this.#waiting.clear();
    for (const job of jobs) job.onFailure(error);
  }
}

/** Waits until a process is gone and all that it said has been read, but not for others that hold its pipes. */
async function ended(child: ChildProcess): Promise<ProcessEnd> {
  return await new Promise((resolve) => {
    child.once("error", () => resolve({ code: null, signal: null }));
    child.once("close", (code, signal) => resolve({ code, signal }));
    child.once("exit", (code, signal) => setTimeout(() => resolve({ code, signal }), 200));
  });
}

function unresponsive(why: "silent" | "stalled", { silentMs, stalledMs }: WatchdogLimits): BenchtopError {
  const seconds = Math.round((why === "silent" ? silentMs : stalledMs) / 1000);
  return new BenchtopError(
    "PROVIDER_UNAVAILABLE",
    why === "silent"
      ? `The process with the model did not answer for ${seconds} seconds and was ended. A chat template or grammar without end does that.`
      : `The model computed nothing for ${seconds} seconds and was ended. Try again, with a smaller model if the machine is busy.`,
    { detail: { [why === "silent" ? "silentSeconds" : "stalledSeconds"]: seconds } },
  );
}
