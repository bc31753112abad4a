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
  /** Tells what the model and its context took. */
  readonly asksMemory?: boolean;
}

export interface WorkerResult {
  readonly answers?: readonly string[];
  readonly vector?: readonly number[];
  readonly tokens?: number;
  readonly text?: string;
  /** Bytes that llama.cpp says it took, in whole hundredths of a MiB. */
  readonly took?: { readonly weightsBytes: number; readonly cacheBytes: number };
  readonly error?: string;
}

const tasks = JSON.parse(process.argv[2] ?? "[]") as WorkerTask[];
const log: string[] = [];
const llama = await getLlama({
  build: "never",
  skipDownload: true,
  gpu: false,
  logLevel: LlamaLogLevel.debug,
  logger: (_level, message) => void log.push(message),
});
const results: WorkerResult[] = [];
for (const task of tasks) results.push(await run(task).catch((thrown: unknown) => ({ error: String(thrown) })));
// The last line: llama.cpp may write others.
process.stdout.write(`\n${JSON.stringify(results)}\n`, () => process.exit(0));

async function run(task: WorkerTask): Promise<WorkerResult> {
  const contextSize = task.contextTokens ?? 512;
  const model = await llama.loadModel({ modelPath: task.path });
  try {
    if (task.embed !== undefined) {
      const embedder = await model.createEmbeddingContext({ contextSize, threads: 1 });
      return { vector: (await embedder.getEmbeddingFor(task.embed)).vector };
    }
    const context = await model.createContext({ contextSize, threads: 1 });
    const sequence = context.getSequence();
    if (task.asksMemory === true) return { took: { weightsBytes: taken("model"), cacheBytes: taken("KV") } };
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

/** `load_tensors: CPU_Mapped model buffer size = 31.25 MiB`; there may be several of a kind. */
function taken(kind: "model" | "KV"): number {
  const line = new RegExp(`\\b${kind} buffer size =\\s*([\\d.]+) MiB`, "g");
  return [...log.join("\n").matchAll(line)].reduce((sum, [, size]) => sum + Number(size) * 2 ** 20, 0);
}
