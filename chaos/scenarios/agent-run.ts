import { countingAgent, counts } from "../counting-agent.ts";
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
      const start = {
        runId,
        kind: "agent",
        userId: "owner",
        workspaceId: "default",
        contract: {},
        input: { task: "count" },
      };
      await product.runs.start(start, countingAgent(home));
      await followed(product, runId, say);
    });
  },

  check(found) {
    const events = found.journals.get(runId) ?? [];
    const last = events.at(-1);
    const calls = events.filter((event) => event.type === "ToolCallFinished");
    const unknown = calls.filter((event) => event.outcome === "unknown");
    const resumed = events.some((event) => event.type === "Resumed");
    const refusals = found.said.filter((item) => item.kind === "failed");
    return [
      ...failuresSpeak(found),
      ...(unknown.length > 0 && !resumed ? ["a tool call has no known outcome in a run that was not resumed"] : []),
      ...(events.length > 0 && refusals.length === 0 && last?.type !== "Completed"
        ? [`the run did not come to its end: ${last?.type}`]
        : []),
      ...(last?.type === "Completed" && calls.length !== counts ? [`${calls.length} calls were made`] : []),
    ];
  },
};
