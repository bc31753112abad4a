import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { startLlamaModel } from "@benchtop/llama";
import { BenchtopError } from "@benchtop/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tinyModel } from "../../../../llama/test/tiny-model.ts";
import { tinyScriptedModel } from "../../../../llama/test/tiny-scripted-model.ts";
import { TinyModels } from "../../../test/runtime-tiny-models.ts";
import { runtimeConformance, type RuntimeSubject } from "../conformance.ts";
import { Fleet } from "./fleet.ts";

const never = new AbortController().signal;
const call = `<tool_call>\n{"name": "look_up", "arguments": {"word": "b"}}\n</tool_call>`;
const greeting = "Good morning, wörld. What shall we do today?";

describe.for(["gpt2", "llama"] as const)("P2.3 llama.cpp in processes of ours, tokenizer %s", (tokenizer) => {
  let models: TinyModels;
  let fleet: Fleet;
  let subject: RuntimeSubject;
  beforeAll(async () => {
    models = new TinyModels();
    const answers = [{ after: "dictionary", script: call }];
    const talker = { tokenizer, script: greeting, answers, tools: true, contextTokens: 2048 };
    await models.add("talker", tinyScriptedModel(talker));
    if (tokenizer === "gpt2")
      await models.add("other", tinyScriptedModel({ ...talker, script: "I am the other one." }));
    await models.add(
      "endless",
      tinyScriptedModel({ tokenizer, script: "again and again", endless: true, contextTokens: 4096 }),
    );
    await models.add("embedder", tinyModel({ tokenizer, embeds: true, contextTokens: 128 }), { embeds: true });
    const { estimateMemory } = models;
    fleet = new Fleet({
      id: "benchtop",
      models,
      start: startLlamaModel,
      estimateMemory,
      defaults: { threads: 1, parallel: 2 },
    });
    subject = {
      runtime: fleet,
      model: "talker",
      ...(tokenizer === "gpt2" && { other: "other" }),
      embedder: { model: "embedder", dimensions: 64, tooLong: "word ".repeat(500) },
      asks: {
        greeting: { question: "Hello?", answer: (model) => (model === "other" ? "I am the other one." : greeting) },
        endless: { model: "endless", question: "Go on." },
        tool: { question: "What is in the dictionary ?", arguments: [{ word: "b" }] },
        grammar: "Yes?",
      },
      busy: async () => {
        const loads = (await fleet.list(never)).flatMap((model) => model.loads);
        return loads.reduce((sum, { busy = 0 }) => sum + busy, 0);
      },
    };
  });
  afterAll(async () => {
    await fleet.close();
    models.remove();
  });

  test.for(runtimeConformance(() => subject))("$name", async ({ run }) => {
    await expect(run()).resolves.toBeUndefined();
  });
});

describe("P2.3 the process of a model", () => {
  let models: TinyModels;
  beforeAll(async () => {
    models = new TinyModels();
    await models.add("endless", tinyScriptedModel({ script: "again and again", endless: true }));
  });
  afterAll(() => models.remove());

  test("that is killed in the middle of an answer fails it and nothing else, and is replaced", async () => {
    const { estimateMemory } = models;
    const pids: number[] = [];
    const start: typeof startLlamaModel = async (options, signal) => {
      const llama = await startLlamaModel(options, signal);
      pids.push(llama.pid);
      return llama;
    };
    const fleet = new Fleet({ id: "benchtop", models, start, estimateMemory, firstRetryDelayMs: 1 });
    const request = { modelId: "endless", messages: [{ role: "user" as const, content: "Go on." }] };
    const ask = async (onText: () => void): Promise<void> => {
      for await (const parts of fleet.adapter("endless").stream(request, never)) if (parts.length > 0) onText();
    };
    try {
      const failed = ask(() => process.kill(pids[0] ?? 0, "SIGKILL"));
      await expect(failed).rejects.toSatisfy(
        (thrown) => BenchtopError.is(thrown) && thrown.code === "PROVIDER_UNAVAILABLE" && thrown.info.retryable,
      );
      await expect(ask(() => expect.fail("it answers again"))).rejects.toThrow("it answers again");
      expect((await fleet.metrics(never)).counts).toMatchObject({ loads: 2, crashes: 1 });
    } finally {
      await fleet.close();
    }
    await expect.poll(() => pids.filter(isAlive)).toEqual([]);
  });

  test("does not outlive a daemon that is killed", async () => {
    const program = join(import.meta.dirname, "../../../test/runtime-fleet-process.ts");
    const installed = JSON.stringify(await models.find("endless"));
    const daemon = spawn(process.execPath, [program, installed], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(daemon.stdout, "data")) as [Buffer];
    const pid = Number(line);
    expect(isAlive(pid)).toBe(true);
    daemon.kill("SIGKILL");
    await once(daemon, "exit");
    await expect.poll(() => isAlive(pid)).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
