import { readFileSync } from "node:fs";
import { getLlama, LlamaChatSession, LlamaLogLevel } from "node-llama-cpp";

/** What a process is to do with a model by the real llama.cpp: native code stays out of the process of the tests. */
export interface WorkerTask {
  readonly path: string;
  readonly contextTokens?: number;
  /** What is said to the model, one after the other in one conversation. */
  readonly prompts?: readonly string[];
  readonly embed?: string;
  readonly tokenize?: string;
  readonly maxTokens?: number;
  readonly temperature?: number;
  /** Tokens to fill the context with, for a look at the memory. */
  readonly fill?: number;
}

export interface WorkerResult {
  readonly answers?: readonly string[];
  readonly vector?: readonly number[];
  readonly tokens?: number;
  readonly text?: string;
  /** Bytes that became resident by loading and running. */
  readonly grownBytes?: number;
  readonly error?: string;
}

const tasks = JSON.parse(process.argv[2] ?? "[]") as WorkerTask[];
const llama = await getLlama({ build: "never", skipDownload: true, gpu: false, logLevel: LlamaLogLevel.disabled });
const results: WorkerResult[] = [];
for (const task of tasks) results.push(await run(task).catch((thrown: unknown) => ({ error: String(thrown) })));
// The last line: llama.cpp may write others.
process.stdout.write(`\n${JSON.stringify(results)}\n`, () => process.exit(0));

async function run(task: WorkerTask): Promise<WorkerResult> {
  const before = residentBytes();
  const contextSize = task.contextTokens ?? 512;
  const model = await llama.loadModel({ modelPath: task.path });
  try {
    if (task.embed !== undefined) {
      const embedder = await model.createEmbeddingContext({ contextSize, threads: 1 });
      return { vector: (await embedder.getEmbeddingFor(task.embed)).vector };
    }
    const context = await model.createContext({ contextSize, threads: 1 });
    const sequence = context.getSequence();
    if (task.fill !== undefined) {
      const tokens = model.tokenize("a b c d ".repeat(task.fill)).slice(0, task.fill);
      for await (const _ of sequence.evaluate(tokens)) break;
      return { grownBytes: residentBytes() - before };
    }
    const tokens = model.tokenize(task.tokenize ?? "");
    const session = new LlamaChatSession({ contextSequence: sequence });
    const answers: string[] = [];
    for (const prompt of task.prompts ?? []) {
      const options = { maxTokens: task.maxTokens ?? 400, temperature: task.temperature ?? 0 };
      answers.push(await session.prompt(prompt, options));
    }
    return { answers, tokens: tokens.length, text: model.detokenize(tokens) };
  } finally {
    await model.dispose();
  }
}

function residentBytes(): number {
  if (process.platform !== "linux") return process.memoryUsage.rss();
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024;
}
