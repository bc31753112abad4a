/** Asks a model a list of questions and judges the answers. `node examples/evaluate.ts [--loopback]` */
import { Harness } from "@benchtop/harness";
import { customEvaluator, memoryCache, parseSuite, runSuite, type RunCase } from "@benchtop/harness/evals";
import { exampleModel } from "./loopback/model.ts";

const model = await exampleModel([
  { text: ["17 + 25 = ", "42"] },
  { text: ["That is 144."] },
  { text: ["I would say ", "about 3000."] },
]);
const suite = parseSuite({
  name: "arithmetic",
  models: [model.ref],
  instructions: "Answer in one short sentence that ends with the number.",
  prompt: "How much is {{input}}?",
  evaluators: [{ type: "numeric", absolute: 0.01 }],
  thresholds: { passRate: 0.6 },
  concurrency: 1,
  cases: [
    { id: "sum", input: "17 + 25", expected: 42 },
    { id: "product", input: "12 × 12", expected: 144 },
    { id: "power", input: "5 to the power of 5", expected: 3125 },
  ],
});

const harness = Harness.builder().provider(model.provider).build();
const runCase: RunCase = async (request, signal) => {
  const { prompt, instructions, model: ref } = request;
  const session = harness.session({ model: ref, ...(instructions !== undefined && { instructions }) });
  const run = await session.run(prompt).start();
  signal.addEventListener("abort", () => run.control.abort(), { once: true });
  const { output, error, totals, runId } = await run.result;
  return {
    output,
    runId,
    usage: totals.usage,
    durationMs: totals.durationMs,
    ...(error && { error: { code: error.code, message: error.message } }),
  };
};

const report = await runSuite(suite, {
  runCase,
  evaluators: [customEvaluator("short", ({ output }) => output.length <= 80)],
  cache: memoryCache(),
  onProgress: ({ done, total, sample }) =>
    console.log(`${done}/${total} ${sample.outcome} ${sample.caseId}: ${sample.output}`),
});
const [summary] = report.summary.models;
console.log(`${summary?.passed} of ${summary?.samples} passed: ${report.summary.outcome}`);
await model.close();
process.exitCode = report.summary.outcome === "passed" ? 0 : 1;
