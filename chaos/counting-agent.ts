import { appendFileSync } from "node:fs";
import { agentLoop, type RunBody, type Tool } from "@benchtop/harness";
import { effectsFile } from "./effects.ts";
import { scriptedAdapter } from "./model-script.ts";

/** How often it counts. */
export const counts = 3;

/** An agent whose tool takes effect in the world outside, three times, one after the other. */
export function countingAgent(home: string): RunBody {
  const provider = scriptedAdapter(Array.from({ length: counts }, () => ({ name: "count", arguments: {} })));
  return agentLoop({ candidates: [{ provider, modelId: "one" }], input: "count", tools: [counter(home)] });
}

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
