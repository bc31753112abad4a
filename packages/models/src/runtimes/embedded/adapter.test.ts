import { openaiChat, type ProviderAdapter } from "@benchtop/harness";
import { openaiChatDialect, providerConformance } from "@benchtop/harness/conformance";
import type { LlamaChatRequest, LlamaModel, LlamaPart } from "@benchtop/llama";
import { afterAll, describe, expect, test } from "vitest";
import { ScriptedLlama, ScriptedModels } from "../../../test/runtime-scripted-llama.ts";
import { Fleet } from "./fleet.ts";

/** A process whose model says what the suite's server tells it, by the adapter of chat completions. */
class ToldLlama extends ScriptedLlama {
  readonly #told: ProviderAdapter;

  constructor(told: ProviderAdapter) {
    super({ modelPath: "" });
    this.#told = told;
  }

  override async *chat(request: LlamaChatRequest, signal: AbortSignal): AsyncGenerator<readonly LlamaPart[]> {
    const { messages, tools, schema } = request;
    const asked = {
      modelId: "loopback",
      messages,
      ...(tools && { tools: tools.map((tool) => ({ ...tool, inputSchema: objectIn(tool.inputSchema) })) }),
      ...(schema !== undefined && { output: { name: "place", schema: objectIn(schema) } }),
    };
    for await (const parts of this.#told.stream(asked, signal)) {
      yield parts.flatMap((part): LlamaPart[] => {
        if (part.type === "usage") return [{ ...part, promptMs: 1, outputMs: 1 }];
        if (part.type === "tool-call") return [{ ...part, callId: part.callId ?? "" }];
        if (part.type === "finish") return [part];
        return part.type === "text" || part.type === "reasoning" ? [{ type: part.type, text: part.text }] : [];
      });
    }
  }
}

function objectIn(schema: LlamaChatRequest["schema"]) {
  return typeof schema === "object" && schema !== null && !Array.isArray(schema) ? schema : {};
}

/** Cases of the suite that a process of ours has no part in. */
const notOurs: Readonly<Record<string, string>> = {
  "sends images, documents and text files whole, in order":
    "models of this machine read text alone, and the fleet says so",
  "keeps refusals and reasoning apart from the text": "a process knows no refusals",
};

describe("HX the adapter of the fleet", () => {
  const models = new ScriptedModels();
  models.add("loopback");
  const fleets: Fleet[] = [];
  afterAll(async () => {
    for (const fleet of fleets) await fleet.close();
    models.remove();
  });
  const suite = providerConformance(openaiChatDialect, ({ baseUrl, apiKey }) => {
    const told = openaiChat({ id: "loopback", baseUrl, apiKey });
    const start = async (): Promise<LlamaModel> => new ToldLlama(told);
    const fleet = new Fleet({ id: "loopback", models, start, estimateMemory: () => 1 });
    fleets.push(fleet);
    return fleet.adapter("loopback");
  });
  test.for(suite.filter(({ name }) => !(name in notOurs)))("$name", async ({ run }) => {
    await expect(run()).resolves.toBeUndefined();
  });
  test("fails no case of the suite but those that are not its own", () => {
    expect(suite.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(notOurs)));
  });
});
