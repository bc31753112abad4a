import { appendFileSync } from "node:fs";
import { agentLoop, type Tool } from "@benchtop/harness";
import { effectsFile } from "../examine.ts";
import { scriptedAdapter } from "../model-script.ts";
import { startUp } from "../product.ts";
import type { Scenario } from "../scenario.ts";
import { failuresSpeak, followed, working } from "./furnished.ts";

const runId = "run_chaos";

export const agentRun: Scenario = {
  name: "agent-run",
  title: "a streaming run whose tool takes effect in the world outside",
  faults: true,

  async prepare(home) {
    await using _product = await startUp(home);
    return {};
  },

  async act(home, _facts, say) {
    await working(home, say, "run", async (product) => {
      const provider = scriptedAdapter([1, 2, 3].map(() => ({ name: "count", arguments: {} })));
      await product.runs.start(
        { runId, kind: "agent", userId: "owner", contract: {}, input: { task: "count" } },
        agentLoop({ candidates: [{ provider, modelId: "one" }], input: "count", tools: [counter(home)] }),
      );
      await followed(product, runId, say);
    });
  },

  check(found) {
    const events = found.journals.get(runId) ?? [];
    const last = events.at(-1);
    const unknown = events.filter((event) => event.type === "ToolCallFinished" && event.outcome === "unknown");
    const interrupted = last?.type === "Error" && last.error.error_code === "RUN_INTERRUPTED";
    return [
      ...failuresSpeak(found),
      ...(unknown.length > 1 ? ["more than one tool call has no known outcome"] : []),
      ...(unknown.length > 0 && !interrupted
        ? ["a tool call has no known outcome in a run that was not interrupted"]
        : []),
    ];
  },
};

/** Not idempotent: every execution leaves one more line. */
function counter(home: string): Tool {
  return {
    name: "count",
    description: "Counts one up.",
    inputSchema: { type: "object", properties: {}, additionalProperties: false },
    effects: "external",
    idempotent: false,
    execute(_input, { runId, callId }) {
      appendFileSync(effectsFile(home), `${runId} ${callId}\n`);
      return Promise.resolve({ content: "counted" });
    },
  };
}
