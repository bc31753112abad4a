/** A model that may use one tool: its arguments are checked, the call is journaled. `node examples/one-tool.ts [--loopback]` */
import { Harness, type Tool } from "@benchtop/harness";
import { exampleModel } from "./loopback/model.ts";

const addTool: Tool = {
  name: "add",
  description: "Adds numbers exactly.",
  inputSchema: {
    type: "object",
    properties: { numbers: { type: "array", items: { type: "number" }, minItems: 1 } },
    required: ["numbers"],
    additionalProperties: false,
  },
  effects: "none",
  idempotent: true,
  async execute(input) {
    const { numbers } = input as { numbers: number[] };
    return { content: String(numbers.reduce((sum, number) => sum + number, 0)) };
  },
};

const model = await exampleModel([
  { toolCalls: [{ id: "call_1", name: "add", pieces: ['{"numbers": ["1200', '", 34.5]}'] }] },
  { toolCalls: [{ id: "call_2", name: "add", pieces: ['{"numbers": [1200', ", 34.5]}"] }] },
  { text: ["Together that is ", "1234.5."] },
]);
const harness = Harness.builder().provider(model.provider).tools([addTool]).build();

const run = await harness.session({ model: model.ref }).run("What is 1200 + 34.5? Use the tool.").start();
for await (const event of run) {
  if (event.type === "ToolCallRequested") console.log(`→ ${event.name}(${JSON.stringify(event.arguments)})`);
  if (event.type === "ToolCallFinished") console.log(`← ${event.outcome}: ${event.content}`);
  if (event.type === "OutputDelta" && event.channel === "text") process.stdout.write(event.text);
}

const { error, totals } = await run.result;
if (error) console.error(`\n${error.code}: ${error.message}`);
else console.log(`\n${totals.steps} steps, ${totals.toolCalls} tool calls`);
await model.close();
process.exitCode = error ? 1 : 0;
