import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LlamaChatRequest, LlamaModel, LlamaModelOptions, LlamaPart } from "@benchtop/llama";
import { BenchtopError } from "@benchtop/protocol";
import { createHash } from "node:crypto";
import type { InstalledModel, InstalledModels } from "../src/runtimes/embedded/installed.ts";

/** What a scripted process was told and does; the tests of the fleet decide when it loads, speaks and dies. */
export class ScriptedLlama implements LlamaModel {
  readonly pid = 0;
  readonly options: LlamaModelOptions;
  readonly requests: LlamaChatRequest[] = [];
  memoryBytes = 0;
  hasEnded = false;
  /** Generations that go on until they are told. */
  readonly #going = new Set<{ end: () => void; fail: (error: unknown) => void }>();
  readonly #exited = Promise.withResolvers<{ code: number | null; signal: string | null }>();

  constructor(options: LlamaModelOptions) {
    this.options = options;
  }

  get facts(): LlamaModel["facts"] {
    const contextTokens = this.options.contextTokens ?? 512;
    return {
      contextTokens,
      trainedContextTokens: 512,
      vocabularySize: 300,
      embeddingLength: 3,
      parameters: 1000,
      memoryBytes: this.memoryBytes,
      loadMs: 1,
      device: "cpu",
      supportsTools: true,
      hasChatTemplate: true,
    };
  }

  get state(): LlamaModel["state"] {
    return { busy: this.#going.size, waiting: 0, memoryBytes: this.memoryBytes };
  }

  get exited(): LlamaModel["exited"] {
    return this.#exited.promise;
  }

  /** Answers "hello" once told to with `finish`; "now" as a question is answered at once. */
  async *chat(request: LlamaChatRequest, signal: AbortSignal): AsyncGenerator<readonly LlamaPart[]> {
    if (this.hasEnded) throw new BenchtopError("PROVIDER_UNAVAILABLE", "The process of the model ended.");
    this.requests.push(request);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const going = { end: resolve, fail: reject };
    this.#going.add(going);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    try {
      yield [];
      yield [{ type: "text", text: "hel" }];
      if (request.messages.at(-1)?.content !== "now") await promise;
      yield [{ type: "text", text: "lo" }];
      const usage = { inputTokens: 3, outputTokens: 2 };
      yield [
        { type: "usage", usage, promptMs: 1, outputMs: 100 },
        { type: "finish", reason: "stop" },
      ];
    } finally {
      this.#going.delete(going);
    }
  }

  complete(): AsyncGenerator<readonly LlamaPart[]> {
    throw new Error("Nobody completes here.");
  }

  async embed(texts: readonly string[]): Promise<{ vectors: Float32Array[]; inputTokens: number }> {
    return { vectors: texts.map((text) => Float32Array.of(text.length, 1, 0)), inputTokens: texts.length };
  }

  async tokenize(text: string): Promise<number[]> {
    return [...Buffer.from(text)];
  }

  async close(): Promise<void> {
    for (const { fail } of this.#going) fail(new BenchtopError("USER_CANCELED", "The model was closed."));
    this.#end({ code: 0, signal: null });
  }

  /** Lets every generation end. */
  finish(): void {
    for (const { end } of this.#going) end();
  }

  crash(): void {
    for (const { fail } of this.#going) {
      fail(new BenchtopError("PROVIDER_UNAVAILABLE", "The process of the model ended."));
    }
    this.#end({ code: null, signal: "SIGSEGV" });
  }

  #end(how: { code: number | null; signal: string | null }): void {
    this.hasEnded = true;
    this.#exited.resolve(how);
  }
}

/** Starts scripted processes and remembers them. */
export class ScriptedStart {
  readonly started: ScriptedLlama[] = [];
  /** Loads that are given up. */
  aborted = 0;
  /** What the next loads throw, one each. */
  readonly failures: unknown[] = [];
  #held: PromiseWithResolvers<void> | undefined;

  /** Loads wait from now on. */
  hold(): void {
    this.#held = Promise.withResolvers();
  }

  go(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  /** Processes that have not ended. */
  get alive(): ScriptedLlama[] {
    return this.started.filter(({ hasEnded }) => !hasEnded);
  }

  readonly start = async (options: LlamaModelOptions, signal: AbortSignal): Promise<LlamaModel> => {
    const failure = this.failures.shift();
    const abort = Promise.withResolvers<never>();
    const onAbort = (): void => {
      this.aborted += 1;
      abort.reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    abort.promise.catch(() => {});
    await Promise.race([this.#held?.promise, abort.promise]);
    signal.removeEventListener("abort", onAbort);
    if (failure !== undefined) throw failure;
    const llama = new ScriptedLlama(options);
    this.started.push(llama);
    return llama;
  };
}

/** Files that stand for models, in a folder of their own. */
export class ScriptedModels implements InstalledModels {
  readonly folder = mkdtempSync(join(tmpdir(), "benchtop-models-"));
  readonly #installed = new Map<string, InstalledModel>();

  add(name: string, facts: Partial<InstalledModel> = {}): InstalledModel {
    const path = join(this.folder, `${name}.gguf`);
    const content = `the weights of ${name}`;
    writeFileSync(path, content);
    const { size, mtimeMs } = statSync(path);
    const sha256 = createHash("sha256").update(content).digest("hex");
    const installed: InstalledModel = {
      name,
      kind: "model",
      embeds: false,
      ...facts,
      files: [{ path, bytes: size, sha256, modifiedMs: mtimeMs }],
    };
    this.#installed.set(name, installed);
    return installed;
  }

  async list(): Promise<readonly InstalledModel[]> {
    return [...this.#installed.values()];
  }

  async find(name: string): Promise<InstalledModel | undefined> {
    return this.#installed.get(name);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
