/**
 * What the embedded runtime adds to node-llama-cpp: the same chat by bare node-llama-cpp in a process like ours, which counts for
 * itself and sends nothing while it generates, and through `startLlamaModel`, counted where the parts arrive. One small model,
 * the same template, threads and sampling, one after the other in every round, and new processes for every five rounds, because the
 * same program is up to a quarter faster in one process than in another. Goal: at most 5 % fewer tokens a second and 5 ms more to
 * the first. `node bench/llama.ts [--processes N] [--rounds N] [--tokens N] [--threads N]`
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startLlamaModel } from "../packages/llama/src/index.ts";
import { writeGguf } from "../packages/llama/src/gguf/gguf.ts";
import { tinyScriptedModel } from "../packages/llama/test/tiny-scripted-model.ts";

interface Task {
  readonly prompt: string;
  readonly tokens: number;
}

interface Sample {
  readonly perSecond: number;
  readonly firstMs: number;
}

interface Contender {
  readonly name: string;
  readonly chat: (task: Task) => Promise<Sample>;
  readonly close: () => Promise<void>;
}

const { values } = parseArgs({
  options: {
    processes: { type: "string", default: "8" },
    rounds: { type: "string", default: "5" },
    tokens: { type: "string", default: "2000" },
    threads: { type: "string", default: "1" },
    bare: { type: "string" },
  },
});
const threads = Number(values.threads);
const bareName = "bare node-llama-cpp";
const oursName = "startLlamaModel";
const contextTokens = 4096;
const sentence = "The quick brown fox jumps over the lazy dog, and nobody in the whole wide world knows why. ";

if (values.bare === undefined) await compare(Number(values.processes), Number(values.rounds), Number(values.tokens));
else await serveBare(values.bare);

async function compare(processes: number, rounds: number, tokens: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "benchtop-bench-"));
  const modelPath = join(folder, "tiny.gguf");
  await writeGguf(modelPath, tinyScriptedModel({ script: sentence, endless: true, contextTokens }));
  const samples = new Map<string, Sample[]>();
  for (let each = 0; each < processes; each += 1)
    await runRounds([await bare(modelPath), await ours(modelPath)], rounds, tokens, samples);
  await rm(folder, { recursive: true });
  printTable(samples, tokens);
}

async function runRounds(
  contenders: readonly Contender[],
  rounds: number,
  tokens: number,
  samples: Map<string, Sample[]>,
): Promise<void> {
  const warmUp = 2;
  for (let round = -warmUp; round < rounds; round += 1) {
    // Each prompt is new from its first word on, so that none is known from before.
    const prompt = `${round + warmUp} ${"What is there to say about the time of the day and the people of the world? ".repeat(8)}`;
    for (const { name, chat } of round % 2 === 0 ? contenders : contenders.toReversed()) {
      const sample = await chat({ prompt, tokens });
      if (round >= 0) samples.set(name, [...(samples.get(name) ?? []), sample]);
    }
  }
  for (const { close } of contenders) await close();
}

async function ours(modelPath: string): Promise<Contender> {
  const { signal } = new AbortController();
  const model = await startLlamaModel({ modelPath, threads, contextTokens }, signal);
  return {
    name: oursName,
    chat: async ({ prompt, tokens }) => {
      const started = performance.now();
      let first: number | undefined;
      let counted = 0;
      const request = {
        messages: [{ role: "user" as const, content: prompt }],
        maxOutputTokens: tokens,
        temperature: 0,
      };
      for await (const parts of model.chat(request, signal)) {
        for (const part of parts) {
          if (part.type === "text") first ??= performance.now();
          else if (part.type === "usage") counted = part.usage.outputTokens;
        }
      }
      return sample(started, first, counted, tokens);
    },
    close: () => model.close(),
  };
}

async function bare(modelPath: string): Promise<Contender> {
  const child = fork(import.meta.filename, ["--bare", modelPath, "--threads", String(threads)], { execArgv: [] });
  await once(child, "message");
  return {
    name: bareName,
    chat: async (task) => {
      child.send(task);
      const [sample] = (await once(child, "message")) as [Sample];
      return sample;
    },
    close: async () => {
      child.kill();
      await once(child, "exit");
    },
  };
}

async function serveBare(modelPath: string): Promise<void> {
  const { getLlama, LlamaChat, resolveChatWrapper } = await import("node-llama-cpp");
  const llama = await getLlama({ build: "never", skipDownload: true, gpu: false, progressLogs: false });
  const model = await llama.loadModel({ modelPath });
  const context = await model.createContext({ contextSize: contextTokens, threads });
  const chat = new LlamaChat({ contextSequence: context.getSequence(), chatWrapper: resolveChatWrapper(model) });
  process.on("message", ({ prompt, tokens }: Task) => {
    const started = performance.now();
    let first: number | undefined;
    let counted = 0;
    const answered = chat.generateResponse([{ type: "user", text: prompt }], {
      maxTokens: tokens,
      temperature: 0,
      repeatPenalty: false,
      onResponseChunk: (chunk) => {
        if (chunk.text !== "") first ??= performance.now();
        counted += chunk.tokens.length;
      },
    });
    void answered.then(() => process.send?.(sample(started, first, counted, tokens)));
  });
  process.send?.("ready");
}

function sample(started: number, first: number | undefined, counted: number, wanted: number): Sample {
  if (first === undefined || Math.abs(counted - wanted) > 1) throw new Error(`${counted} tokens instead of ${wanted}.`);
  return { perSecond: (counted / (performance.now() - first)) * 1000, firstMs: first - started };
}

function printTable(samples: ReadonlyMap<string, readonly Sample[]>, tokens: number): void {
  const [speed, later] = pairs(samples);
  const best = (name: string): number =>
    quantile(
      (samples.get(name) ?? []).map(({ perSecond }) => perSecond),
      0.9,
    );
  console.log(
    `| chat, ${tokens} tokens, ${threads} thread${threads === 1 ? "" : "s"} | tokens/s | of bare | best tenth | of bare | first token ms | more than bare |`,
  );
  console.log("|---|---:|---:|---:|---:|---:|---:|");
  for (const name of [bareName, oursName]) {
    const all = samples.get(name) ?? [];
    const isBase = name === bareName;
    const cells = [
      grouped(
        quantile(
          all.map(({ perSecond }) => perSecond),
          0.5,
        ),
      ),
      (isBase ? 1 : quantile(speed, 0.5)).toFixed(3),
      grouped(best(name)),
      (best(name) / best(bareName)).toFixed(3),
      quantile(
        all.map(({ firstMs }) => firstMs),
        0.5,
      ).toFixed(2),
      (isBase ? 0 : quantile(later, 0.5)).toFixed(2),
    ];
    console.log(`| ${name} | ${cells.join(" | ")} |`);
  }
}

/** Of each round by itself, for what disturbs the machine disturbs both: how fast ours was for bare's one, and how much later. */
function pairs(samples: ReadonlyMap<string, readonly Sample[]>): [speed: number[], later: number[]] {
  const [base = [], other = []] = [samples.get(bareName), samples.get(oursName)];
  return [
    base.map(({ perSecond }, round) => (other[round]?.perSecond ?? Number.NaN) / perSecond),
    base.map(({ firstMs }, round) => (other[round]?.firstMs ?? Number.NaN) - firstMs),
  ];
}

function quantile(values: readonly number[], of: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * of))] ?? Number.NaN;
}

function grouped(value: number): string {
  return Math.round(value).toLocaleString("en");
}
