/** Asks a model one question and prints the answer as it comes. `node examples/first-response.ts [--loopback]` */
import { Harness } from "@benchtop/harness";
import { exampleModel } from "./loopback/model.ts";

const model = await exampleModel([{ text: ["A workbench ", "is a table ", "for making things."] }]);
const harness = Harness.builder().provider(model.provider).build();

const run = await harness.session({ model: model.ref }).run("What is a workbench? One sentence.").start();
for await (const event of run) {
  if (event.type === "OutputDelta" && event.channel === "text") process.stdout.write(event.text);
}

const { status, error, totals } = await run.result;
if (error) console.error(`\n${error.code}: ${error.message}`);
else console.log(`\n${status}: first token after ${totals.firstTokenMs} ms, ${totals.usage.outputTokens} tokens`);
await model.close();
process.exitCode = error ? 1 : 0;
