/**
 * A process to be killed: says one whole turn in a session of a store, and half of a second one. It prints `half` once that
 * half is committed, and waits. `process.argv[2]` is the store's home, `process.argv[3]` the session.
 */
import { writeSync } from "node:fs";
import { openStore } from "@benchtop/store";
import { Harness, memoryTools } from "../src/index.ts";
import { calls, ends, says, scriptedProvider } from "./scripted-provider.ts";

const [, , home = "", sessionId = ""] = process.argv;
const store = await openStore({ home });
const provider = scriptedProvider(
  [calls("remember", { text: "The meeting is on Thursday." }), ends()],
  [says("I noted it."), ends()],
  [says("As I was "), { type: "hang" }],
);
const harness = Harness.builder()
  .provider(provider)
  .journal(store.journal)
  .sessions(store.ledger)
  .tools(memoryTools(store.memory, { working: `session:${sessionId}`, episodic: "user:ada" }))
  .build();
const session = harness.session({ model: "scripted/m", sessionId, userId: "ada" });
await (
  await session.run("The meeting is on Thursday.").start()
).result;
for await (const event of await session.run("Go on.").start()) {
  if (event.type === "OutputDelta") writeSync(1, "half\n");
}
