/**
 * Plays one scenario again and prints its journal: `node packages/harness/test/faults/run-seed.ts --seed 123`.
 * With `--count N` the seeds from there on, one line each.
 */
import { parseArgs } from "node:util";
import { memoryJournal } from "../../src/index.ts";
import { assertSound, play } from "./fault-run.ts";
import { scenarioOf } from "./scenario.ts";
import { FaultServer } from "./server.ts";

const { values } = parseArgs({ options: { seed: { type: "string", default: "1" }, count: { type: "string" } } });
const server = await FaultServer.start();
const nowhere = "http://127.0.0.1:1";
const count = Number(values.count ?? 1);

for (let seed = Number(values.seed); seed < Number(values.seed) + count; seed += 1) {
  const executions = new Map<string, number>();
  const { events, result } = await play(scenarioOf(seed, { server, executions, nowhere }), memoryJournal());
  if (values.count === undefined) for (const event of events) console.log(JSON.stringify(event).slice(0, 400));
  console.log(`seed ${seed}: ${events.length} events, ${result.status} ${result.error?.code ?? ""}`);
  assertSound(events, result, executions);
}
console.log(Object.fromEntries(server.met));
await server.close();
