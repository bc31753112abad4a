/**
 * Three turns of one conversation; the second is canceled in the middle of its answer, and the third still knows what
 * had been said. `node examples/multi-turn-abort.ts [--loopback]`
 */
import { Harness, type RunHandle } from "@benchtop/harness";
import { exampleModel } from "./loopback/model.ts";

const model = await exampleModel([
  { text: ["Pleased to meet you, ", "Ada."] },
  { text: Array.from({ length: 500 }, (_, number) => `${number + 1} `) },
  { text: ["You are Ada, ", "and I was counting."] },
]);
const harness = Harness.builder().provider(model.provider).build();
const session = harness.session({ model: model.ref, instructions: "Answer briefly." });

await turn("My name is Ada.");
await turn("Count to five hundred, please.", (handle, said) => {
  if (said.length > 40) handle.control.abort("that is enough");
});
await turn("Who am I, and what were you doing?");
console.log(`\nThe conversation has ${(await session.history()).length} messages.`);
await model.close();

async function turn(input: string, onText?: (handle: RunHandle, said: string) => void): Promise<void> {
  console.log(`\n> ${input}`);
  const handle = await session.run(input).start();
  let said = "";
  for await (const event of handle) {
    if (event.type !== "OutputDelta" || event.channel !== "text") continue;
    process.stdout.write(event.text);
    said += event.text;
    onText?.(handle, said);
  }
  const { status, error } = await handle.result;
  console.log(error ? `\n(${error.code}: ${error.message})` : `\n(${status})`);
  if (error && error.code !== "USER_CANCELED") process.exitCode = 1;
}
