/**
 * A provider that fails, then does not answer, is asked again and then given up for the next one of the plan; nothing that was
 * done is done twice. `node examples/retry.ts [--loopback]`
 */
import { Harness, openaiChat } from "@benchtop/harness";
import { LoopbackServer } from "@benchtop/harness/conformance";
import { exampleModel } from "./loopback/model.ts";

/** A server on this machine that is overloaded at first, and does not answer from then on. */
let asked = 0;
const broken = await LoopbackServer.start(() => {
  asked += 1;
  if (asked === 1) return { status: 503, headers: { "retry-after": "0" }, chunks: ["overloaded"] };
  return new Promise(() => {});
});
const model = await exampleModel([{ text: ["A workbench ", "is a table ", "for making things."] }]);
const harness = Harness.builder()
  .provider(openaiChat({ id: "broken", baseUrl: broken.url }))
  .provider(model.provider)
  .reliability({ retry: { maxAttempts: 2, initialDelayMs: 100 } })
  .build();

const [providerId = "", ...modelId] = model.ref.split("/");
const session = harness.session({
  model: {
    candidates: [
      { providerId: "broken", modelId: "m" },
      { providerId, modelId: modelId.join("/") },
    ],
  },
  reliability: { timeouts: { connectMs: 3000 } },
});

const run = await session.run("What is a workbench? One sentence.").start();
for await (const event of run) {
  if (event.type === "ProviderCallStarted") console.log(`asking ${event.providerId}, attempt ${event.attempt}`);
  if (event.type === "TimedOut") console.log(`  no answer for ${event.limitMs} ms (${event.scope})`);
  if (event.type === "RetryScheduled") {
    console.log(`  ${event.error.error_code}: ${event.reason}, ${event.providerId} is next`);
  }
}
const { output, error } = await run.result;
console.log(error ? `${error.code}: ${error.message}` : output);
await model.close();
await broken.close();
process.exitCode = error ? 1 : 0;
