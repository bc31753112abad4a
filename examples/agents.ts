/**
 * One agent plans, one does each step, one judges; each works in a run of its own, and all share one budget and one trace.
 * `node examples/agents.ts [--loopback]`
 */
import { newId, newTraceId } from "@benchtop/protocol";
import { agentLoop, memoryJournal, planExecuteEvaluate, startRun, subRunsOn, type RunBody } from "@benchtop/harness";
import { exampleModel } from "./loopback/model.ts";

const model = await exampleModel([
  { text: ['{"steps": ["Collect three rhymes on tea.", ', '"Write the verse."]}'] },
  { text: ["see, me, free"] },
  { text: ["A cup of tea for you and me."] },
  { text: ['{"accepted": false, "feedback": "It needs two lines."}'] },
  { text: ['{"steps": ["Write two lines."]}'] },
  { text: ["A cup of tea\nfor you and me."] },
  { text: ['{"accepted": true, "feedback": ""}'] },
]);
const [, ...modelId] = model.ref.split("/");
const candidates = [{ provider: model.provider, modelId: modelId.join("/") }] as const;
const role =
  (instructions: string) =>
  (input: string, output?: Parameters<typeof agentLoop>[0]["output"]): RunBody =>
    agentLoop({ candidates, instructions, input, ...(output && { output }) });

const journal = memoryJournal();
const task = "A verse about tea, two lines.";
const body = planExecuteEvaluate({
  task,
  runs: subRunsOn(journal),
  maxRounds: 2,
  planner: role("You plan. Answer in JSON alone."),
  executor: role("You write. Answer with the result alone."),
  evaluator: role("You judge. Answer in JSON alone."),
});
const init = { kind: "agents", userId: "local", contract: { maxTotalTokens: 50_000 }, input: { task } };
const run = await startRun(journal, { ...init, runId: newId("run"), traceId: newTraceId() }, body);
for await (const event of run) {
  if (event.type === "SubRunStarted") console.log(event.name);
  if (event.type === "SubRunFinished") console.log(`  ${event.status}: ${event.output || event.error?.message}`);
}
const { output, error, totals } = await run.result;
console.log(error ? `${error.code}: ${error.message}` : output);
console.log(`${totals.children?.runs} runs, ${totals.children?.usage.outputTokens} tokens written`);
await model.close();
process.exitCode = error ? 1 : 0;
