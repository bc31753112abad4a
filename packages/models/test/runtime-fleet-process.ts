import { startLlamaModel } from "@benchtop/llama";
import { Fleet } from "../src/runtimes/embedded/fleet.ts";
import type { InstalledModel } from "../src/runtimes/embedded/installed.ts";

/** Loads the model that it is told as JSON, says the process that it runs in, and goes on until it is killed. */
const [, , told = ""] = process.argv;
const installed = JSON.parse(told) as InstalledModel;
const models = { list: async () => [installed], find: async () => installed };
let pid = 0;
const fleet = new Fleet({
  id: "benchtop",
  models,
  estimateMemory: () => 1,
  start: async (options, signal) => {
    const llama = await startLlamaModel(options, signal);
    ({ pid } = llama);
    return llama;
  },
});
await fleet.load(installed.name, {}, AbortSignal.timeout(20_000));
process.stdout.write(`${pid}\n`);
setInterval(() => {}, 60_000);
