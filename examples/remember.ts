/**
 * What is said in one session is known in the next: a model keeps a text, the store is closed as a process would close it,
 * and a new session finds it by its words. `node examples/remember.ts [--loopback]`
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Harness, memoryTools } from "@benchtop/harness";
import { openStore } from "@benchtop/store";
import { exampleModel } from "./loopback/model.ts";

const text = "Ada's favourite tea is a green one, Sencha.";
const model = await exampleModel([
  { toolCalls: [{ id: "call_1", name: "remember", pieces: [JSON.stringify({ text })] }] },
  { text: ["I will remember that."] },
  { text: ["Sencha, ", "a green tea."] },
]);
const home = await mkdtemp(join(tmpdir(), "benchtop-remember-"));

await session("I am Ada, and my favourite tea is Sencha, a green one. Please remember it.");
await session("Which tea is Ada's favourite?");
await rm(home, { recursive: true });
await model.close();

/** One session of one turn, with everything opened anew. */
async function session(input: string): Promise<void> {
  const store = await openStore({ home });
  const scopes = { working: "session:example", episodic: "user:local" };
  const harness = Harness.builder()
    .provider(model.provider)
    .journal(store.journal)
    .sessions(store.ledger)
    .memory(store.memory)
    .tools(memoryTools(store.memory, scopes))
    .build();
  console.log(`> ${input}`);
  const run = await harness.session({ model: model.ref }).run(input).start();
  for await (const event of run) {
    if (event.type === "MemoryRetrieved" && event.items.length > 0) {
      console.log(`  (remembered: ${event.items.map((item) => item.text).join("; ")})`);
    }
    if (event.type === "MemoryWritten") console.log(`  (kept, ${event.tokens} tokens)`);
  }
  const { output, error } = await run.result;
  console.log(error ? `${error.code}: ${error.message}` : output);
  if (error) process.exitCode = 1;
  await store.close();
}
