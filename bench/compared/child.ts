/**
 * A process of a scenario: `node child.ts CONTENDER ACTION JOB`. Says `ready`, waits for `go` on its standard input, does
 * what it is told, and prints the outcome as one line of JSON after `outcome `. `stop` on its standard input cancels it.
 */
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { stateOf, type Contender, type Job, type Outcome } from "./contender.ts";

const [name = "", action = "", text = ""] = process.argv.slice(2);
const job = JSON.parse(text) as Job;
const file = name === "benchtop" ? "./benchtop.ts" : `../peers/${name}.ts`;
const { contender } = (await import(file)) as { contender: Contender };
mkdirSync(stateOf(job), { recursive: true });

const abort = new AbortController();
const go = Promise.withResolvers<void>();
createInterface({ input: process.stdin }).on("line", (line) => {
  if (line === "go") go.resolve();
  if (line === "stop") abort.abort();
});
process.on("unhandledRejection", (error) => console.error("unhandled", String(error)));
console.log("ready");
await go.promise;
const before = performance.now();
const outcome = await act().catch((error: unknown) => failed(error));
const milliseconds = performance.now() - before;
const peakBytes = process.resourceUsage().maxRSS * 1024;
console.log(`outcome ${JSON.stringify({ ...outcome, milliseconds, peakBytes })}`);
process.exit(0);

async function act(): Promise<Outcome> {
  if (action === "start") return contender.start(job, abort.signal);
  if (action === "resume") return contender.resume(job, abort.signal);
  if (action === "approve") return contender.approve(job, abort.signal);
  return { status: "finished", text: await contender.read(job) };
}

function failed(error: unknown): Outcome {
  const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { status: abort.signal.aborted ? "canceled" : "failed", text: "", error: said.slice(0, 300) };
}
