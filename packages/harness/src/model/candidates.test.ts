import { describe, expect, test } from "vitest";
import { scriptedProvider } from "../../test/scripted-provider.ts";
import { negotiate, type Candidate, type Needs } from "./candidates.ts";
import type { ModelConstraints, ModelInfo } from "./model.ts";

const provider = scriptedProvider([]);
const candidate = (modelId: string, info: ModelInfo = {}): Candidate => ({ provider, modelId, ...info });
const prices = (inputPerMillion: number, outputPerMillion: number): ModelInfo => ({
  prices: { inputPerMillion, outputPerMillion },
});
const needs = (needs: Partial<Needs>): Needs => ({
  tools: false,
  output: false,
  attachments: false,
  tokens: 0,
  ...needs,
});

describe("H4 a plan", () => {
  test("keeps its order, and whatever is not known to be unfit", () => {
    const plan = [candidate("a"), candidate("b", { contextTokens: 10 }), candidate("c")];
    const { fit, skipped } = negotiate(plan, needs({ tools: true, output: true, tokens: 1000 }));
    expect(fit.map(({ modelId }) => modelId)).toEqual(["a", "c"]);
    expect(skipped).toEqual([
      { providerId: "scripted", modelId: "b", reason: "its context of 10 tokens is too short for 1000" },
    ]);
  });

  test("passes over a candidate that must not be asked, whatever it can do", () => {
    const plan = [
      { ...candidate("a", { capabilities: { tools: true } }), barred: "nobody agreed to it" },
      candidate("b"),
    ];
    const { fit, skipped } = negotiate(plan, needs({ tools: true }));
    expect(fit.map(({ modelId }) => modelId)).toEqual(["b"]);
    expect(skipped).toEqual([{ providerId: "scripted", modelId: "a", reason: "nobody agreed to it" }]);
  });

  test.for<[string, ModelInfo, Partial<Needs>, ModelConstraints, string]>([
    ["cannot call tools", { capabilities: { tools: false } }, { tools: true }, {}, "it cannot call tools"],
    ["cannot answer in JSON", { capabilities: { output: false } }, { output: true }, {}, "it cannot answer in JSON"],
    [
      "cannot answer in JSON, where the plan asks for it",
      { capabilities: { output: false } },
      {},
      { output: true },
      "it cannot answer in JSON",
    ],
    [
      "cannot read files",
      { capabilities: { attachments: false } },
      { attachments: true },
      {},
      "it cannot read images or files",
    ],
    [
      "has a shorter context than asked for",
      { contextTokens: 10 },
      {},
      { minContextTokens: 20 },
      "its context of 10 tokens is shorter than the 20 asked for",
    ],
    ["is not on this machine", { local: false }, {}, { local: true }, "it is not on this machine"],
    ["is not known to be on this machine", {}, {}, { local: true }, "it is not on this machine"],
    ["reads at a higher price", prices(3, 1), {}, { maxInputPerMillion: 2 }, "its input costs too much"],
    ["writes at a higher price", prices(1, 3), {}, { maxOutputPerMillion: 2 }, "its output costs too much"],
  ])("passes over a model that %s", ([, info, asked, constraints, reason]) => {
    const { fit, skipped } = negotiate([candidate("a", info)], needs(asked), constraints);
    expect(fit).toEqual([]);
    expect(skipped).toEqual([{ providerId: "scripted", modelId: "a", reason }]);
  });
});
