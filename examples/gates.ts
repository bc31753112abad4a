/**
 * Three gates: one only watches, one takes a secret out of what is sent, one asks a person before a mail goes out. The person
 * says no, and the model is told. `node examples/gates.ts [--loopback]`
 */
import { approval, Harness, personalDataGate, secretsGate, type RunHandle, type Tool } from "@benchtop/harness";
import { exampleModel } from "./loopback/model.ts";

const mail: Tool = {
  name: "send_mail",
  description: "Sends a mail.",
  inputSchema: {
    type: "object",
    properties: { to: { type: "string" }, text: { type: "string" } },
    required: ["to", "text"],
    additionalProperties: false,
  },
  effects: "external",
  idempotent: false,
  execute: async () => ({ content: "sent" }),
};
const call = '{"to": "bob@fabrikam.com", "text": "The database is ready."}';
const model = await exampleModel([
  { toolCalls: [{ id: "call_1", name: "send_mail", pieces: [call] }] },
  { text: ["I was not allowed ", "to send it."] },
]);
const harness = Harness.builder()
  .provider(model.provider)
  .tools([mail])
  .gates([
    personalDataGate({ mode: "shadow" }),
    secretsGate({ mode: "enforcing" }),
    approval({ mode: "enforcing", effects: ["external"] }),
  ])
  .build();
const session = harness.session({ model: model.ref });

let seen = -1;
const database = "postgresql://app:hunter2-for-real@db.internal/app";
const run = await session.run(`Mail bob@fabrikam.com that the database is ready. (It is ${database}.)`).start();
await show(run);
const { suspended } = await run.result;
if (suspended) {
  console.log(`? ${suspended.question} ${JSON.stringify(suspended.arguments)}\n! no`);
  await show(await session.resume(run.runId, { decision: "deny", note: "Not today." }));
}
await model.close();

async function show(handle: RunHandle): Promise<void> {
  for await (const event of handle) {
    if (event.seq <= seen) continue;
    seen = event.seq;
    if (event.type === "GateDecided") console.log(`${event.gate} (${event.mode}) at ${event.point}: ${event.decision}`);
    if (event.type === "ToolCallFinished") console.log(`${event.name}: ${event.outcome}`);
  }
  const { output, error } = await handle.result;
  if (output) console.log(output);
  if (error) process.exitCode = 1;
}
